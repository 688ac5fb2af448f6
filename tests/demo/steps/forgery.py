# SPDX-License-Identifier: Apache-2.0
"""Step 3, forgery: a flipped bit, a wrong key, and user puad in wrong hands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.demo.releases import ReleaseService
from tests.demo.roots import PUAD_UID
from tests.demo.versions import FLIPPED, FORGED, MENDED
from tests.demo.waiting import wait_for
from tests.demo.world import IMAGE_ENDING, World

BEGINS_WITH = MENDED
IMAGES = (MENDED, FLIPPED, FORGED)
TITLE = "3  Forgery: a flipped bit, a wrong key, and user puad in wrong hands"
_INTRUDER = Path(__file__).parent.parent / "intruder.py"
_LIMIT_S = 120
# It has the superblock, which no other version has: a chunk that lies on the slot is not fetched.
_IN_THE_FIRST_CHUNK = 4096


def play(world: World) -> None:
    """Play the step."""
    world.prepare(FLIPPED)
    world.wait_for_report("UP_TO_DATE")
    _, away = world.slots()
    before = world.running()
    preparing = world.meanwhile.submit(_sign_with_other_keys, world)
    _flip_a_bit(world, before, away)
    forged = preparing.result()
    _take_over(world, forged)
    _expect_refusal(world, before, away, FORGED.version)
    _let_puad_try(world, before, away, forged)
    world.server.stop()
    world.server.start(world.release.folder, world.release.root_of_trust)


def _flip_a_bit(world: World, before: str, away: str) -> None:
    release = world.publish(FLIPPED)
    file = world.release.target(release["path"])
    with file.open("r+b") as stream:
        stream.seek(_IN_THE_FIRST_CHUNK)
        (byte,) = stream.read(1)
        stream.seek(-1, 1)
        stream.write(bytes([byte ^ 1]))
    world.narration.say(f"one bit of the published {FLIPPED.version} is flipped")
    world.server.find_releases()
    _expect_refusal(world, before, away, FLIPPED.version)


def _sign_with_other_keys(world: World) -> ReleaseService:
    folder = world.layout.run / "forged"
    forged = ReleaseService(folder / "release", folder / "keys", world.layout.logs / "forged.log")
    folder.mkdir()
    forged.init()
    kernel = world.roots[FORGED.recipe].kernel
    forged.add(FORGED.version, world.files[FORGED.version], kernel)
    forged.publish()
    return forged


def _take_over(world: World, forged: ReleaseService) -> None:
    world.narration.say(
        f"orchestrator and release service fall into other hands: {FORGED.version} is offered,"
        " signed by keys of their own"
    )
    world.server.stop()
    world.server.start(forged.folder, forged.root_of_trust)
    world.server.find_releases()


def _expect_refusal(world: World, before: str, away: str, version: str) -> None:
    server, note = world.server, world.ledger.note
    wait_for(
        f"{version} to be refused", lambda: server.last_cause().get("version") == version, _LIMIT_S
    )
    cause = server.last_cause()
    note(
        f"3 {version} at the server",
        expected="Update failed: failed signaturecheck",
        seen=f"{server.runs()[0]['status']}: {cause['status']} {cause['failure_reason']}",
    )
    note(
        f"3 slot {away} after {version}",
        expected="not bootable, not sealed",
        seen=_away(world, away),
    )
    note(f"3 node runs after {version}", expected=before, seen=world.running())


def _away(world: World, away: str) -> str:
    notes = world.layout.persist / "puad-bootloader/notes.json"
    sealed = json.loads(notes.read_text(encoding="utf-8"))["sealed"] if notes.exists() else {}
    bootable = "bootable" if world.node.disk.bootable(away) else "not bootable"
    return f"{bootable}, {'sealed' if away in sealed else 'not sealed'}"


def _let_puad_try(world: World, before: str, away: str, forged: ReleaseService) -> None:
    world.narration.say("user puad, alone with the bus, tries to make the forged image bootable")
    loot = world.layout.persist / "puad/intruder"
    loot.mkdir()
    shutil.copyfile(world.files[FORGED.version], loot / "image")
    shutil.copyfile(world.roots[FORGED.recipe].kernel, loot / "linux")
    newest = max((forged.folder / "metadata").glob("*.targets.json"), key=_number)
    genuine = max((world.release.folder / "metadata").glob("*.targets.json"), key=_number)
    shutil.copyfile(newest, loot / "forged.json")
    shutil.copyfile(genuine, loot / "genuine.json")
    for path in (loot, *loot.iterdir()):
        shutil.chown(path, PUAD_UID, PUAD_UID)
    paths = [f"edge-demo/{v}/edge-demo-{v}{IMAGE_ENDING}" for v in (FORGED.version, MENDED.version)]
    done = world.node.run(
        ["python3", "-", away, *paths],
        as_puad=True,
        stdin=_INTRUDER.read_text(encoding="utf-8"),
    )
    answers = json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr[-300:]}
    for call, answer in answers.items():
        world.narration.say(f"  intruder: {call}: {answer}")
    shutil.rmtree(loot)
    note = world.ledger.note
    for metadata, refusal in (("forged", "SignatureInvalid"), ("genuine", "ImageMismatch")):
        answer = answers.get(f"Seal with {metadata} metadata", "not called")
        note(f"3 user puad: Seal, {metadata} metadata", expected=refusal, seen=answer)
    armed = sorted({a for call, a in answers.items() if call.startswith("Arm")})
    note("3 user puad: Arm", expected="NotSealed", seen=" ".join(armed) or str(answers))
    entry = world.node.disk.entry(away)
    note(f"3 firmware's entry for slot {away}", expected="none", seen=str(entry or "none"))
    world.narration.say("power cut, power on")
    world.node.cut_power()
    world.node.power_on()
    world.slots()
    note("3 node boots", expected=before, seen=world.running())


def _number(file: Path) -> int:
    return int(file.name.partition(".")[0])

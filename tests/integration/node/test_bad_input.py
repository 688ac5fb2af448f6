# SPDX-License-Identifier: Apache-2.0
"""Bad input to a real node: a typed error, a report to the server, and the running slot untouched.

What each part does with each kind of bad bytes is tested beside that part; here the whole node must
come to the right end.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.client.hostile_server import Server, answer
from tests.integration.download.range_server import RangeServer
from tests.integration.node.fleet import Fleet
from tests.integration.node.rig import PROFILE, MakeRig, Releases, Rig, Window, make_image

pytestmark = pytest.mark.minutes(3)

Forgery = Callable[[Path], None]


def flip_a_bit(folder: Path) -> None:
    (file,) = folder.glob("targets/edge/2.0/*.edge-2.0.raw.zst")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def cut_short(folder: Path) -> None:
    (file,) = folder.glob("targets/edge/2.0/*.edge-2.0.raw.zst")
    file.write_bytes(file.read_bytes()[:-1000])


def take_signatures_off(folder: Path) -> None:
    file = folder / "metadata/timestamp.json"
    document = json.loads(file.read_bytes())
    document["signatures"] = []
    file.write_text(json.dumps(document))


def sign_with_another_role(folder: Path) -> None:
    timestamp = folder / "metadata/timestamp.json"
    (snapshot, *_) = sorted(folder.glob("metadata/*.snapshot.json"))
    document = json.loads(timestamp.read_bytes())
    document["signatures"] = json.loads(snapshot.read_bytes())["signatures"]
    timestamp.write_text(json.dumps(document))


def flip_a_bit_of_the_kernel(folder: Path) -> None:
    (file,) = folder.glob("targets/edge/2.0/*.edge-2.0.linux")
    file.write_bytes(b"K" + file.read_bytes()[1:])


FORGERIES: list[tuple[Forgery, set[str]]] = [
    (flip_a_bit, {"image-invalid", "hash-mismatch"}),
    (cut_short, {"download-mismatch", "download-refused", "download-unreachable"}),
    (take_signatures_off, {"signature-invalid"}),
    (sign_with_another_role, {"signature-invalid"}),
    (flip_a_bit_of_the_kernel, {"hash-mismatch"}),
]


ONCE = "86400"
"""A run that failed is not tried again while the test looks at it."""


def served(folder: Path) -> RangeServer:
    """A release service that serves whatever lies in a folder."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return RangeServer({f"/{path.relative_to(folder)}": path.read_bytes() for path in paths})


def assert_refused(rig: Rig, codes: set[str], *, reported: bool = True) -> None:
    """The node came to FAILED with that cause, said so, and the boot loader knows no new slot."""
    rig.settle("FAILED")
    assert rig.cause() in codes
    assert (rig.booted, rig.boots) == ("a", 1)
    slots = {slot["name"]: slot for slot in rig.status()["slots"]}
    assert (slots["a"]["assessment"], slots["b"]["sealed"]) == ("good", False)
    assert rig.machine.boot_loader().primary() == "a"
    assert not list(rig.machine.boot_loader().boot_folder("b").glob("*"))
    if reported:
        run = rig.server.runs()[0]
        assert run["status"] == "Update failed"
        (entry,) = json.loads(run["statusDetails"])["update_log"]
        assert entry["status"] == "failed"
        assert entry["failure_log"].partition(":")[0] in codes


@pytest.mark.parametrize(("forge", "codes"), FORGERIES, ids=[f[0].__name__ for f in FORGERIES])
def test_forged_release_is_refused(
    make_rig: MakeRig,
    fleet: Fleet,
    window: Window,
    tmp_path: Path,
    forge: Forgery,
    codes: set[str],
) -> None:
    folder = tmp_path / "forged"
    shutil.copytree(fleet.releases.folder, folder)
    forge(folder)
    with served(folder) as server:
        rig = make_rig(release_url=server.url, retry_most_s=ONCE)
        rig.server.link(fleet.target("2.0"))
        window(rig, 1)
        rig.power_on()

        assert_refused(rig, codes)


def test_release_of_an_unknown_root_is_refused(
    make_rig: MakeRig, fleet: Fleet, window: Window, tmp_path: Path
) -> None:
    stranger = Releases(tmp_path)
    stranger.publish("2.0", fleet.images["2.0"])
    with served(stranger.folder) as server:
        rig = make_rig(release_url=server.url, retry_most_s=ONCE)
        rig.server.link(fleet.target("2.0"))
        window(rig, 1)
        rig.power_on()

        assert_refused(rig, {"signature-invalid"})


def test_image_larger_than_the_slot_is_refused_before_the_first_byte(
    make_rig: MakeRig, fleet: Fleet, window: Window
) -> None:
    rig = make_rig(retry_most_s=ONCE)
    if "9.0" not in fleet.images:
        image = make_image(fleet.folder, "9.0", fleet.releases.root_of_trust)
        with image.open("r+b") as file:
            file.truncate(20 << 20)
        fleet.images["9.0"] = image
        fleet.releases.publish("9.0", image)
        fleet.refresh()
    before = rig.machine.slot_file("b").read_bytes()
    rig.server.link(fleet.target("9.0"))
    window(rig, 1)
    rig.power_on()

    assert_refused(rig, {"image-too-large"})
    assert rig.machine.slot_file("b").read_bytes() == before


def test_image_below_the_floor_is_never_begun(rig: Rig, fleet: Fleet, window: Window) -> None:
    rig.persist.joinpath("run.json").write_text(json.dumps({"schema": 1, "floor": "2.5"}))
    rig.server.link(fleet.target("2.0"))
    window(rig, 1)
    rig.power_on()

    rig.wait(lambda: rig.status().get("decision") == "below-floor", "the image is below the floor")
    assert rig.state() == "IDLE"
    refused = rig.puadctl("run", "--json")
    assert refused.returncode == 65
    assert "below-floor" in refused.stdout + refused.stderr


IMMUTABLE = {"updateSource": {}, "osType": "OS_TYPE_IMMUTABLE"}
CRON = {f"cron{name}": "*" for name in ("Hours", "DayMonth", "Month", "DayWeek")}
BACKWARDS = {"singleSchedule": {"startSeconds": 20, "endSeconds": 10}}
MINUTE_61 = {"repeatedSchedules": [{"durationSeconds": 60, "cronMinutes": "61", **CRON}]}
HOSTILE = {
    "deep": b"[" * 100_000,
    "huge-number": b'{"updateSource":{},"osType":1e999}',
    "wrong-types": json.dumps(IMMUTABLE | {"osProfileUpdateSource": 7}).encode(),
    "end-before-start": json.dumps(IMMUTABLE | {"updateSchedule": BACKWARDS}).encode(),
    "minute-61": json.dumps(IMMUTABLE | {"updateSchedule": MINUTE_61}).encode(),
    "no-json": b"\xff\xfe not json",
}


@pytest.mark.parametrize("body", list(HOSTILE.values()), ids=HOSTILE)
def test_hostile_answer_changes_nothing(make_rig: MakeRig, body: bytes) -> None:
    with Server(answer(body=body)) as server:
        rig = make_rig(server=f"http://127.0.0.1:{server.socket.getsockname()[1]}")
        rig.power_on()
        rig.wait(lambda: len(server.requests) > 2, "the server was asked again")

        error = rig.status()["server"]["error"]

    assert error["code"] == "server-answer-invalid"
    assert rig.state() == "IDLE"
    assert rig.processes["puad"].poll() is None


@pytest.mark.parametrize("torn", [b"", b'{"schema": 1, "state": "STAG', b"\0" * 512, b"[]"])
def test_torn_state_is_rebuilt_from_the_facts(rig: Rig, torn: bytes) -> None:
    rig.persist.joinpath("run.json").write_bytes(torn)
    rig.power_on()

    rig.wait(lambda: rig.state() == "IDLE", "the state was written anew")

    assert rig.status()["node"]["image_id"] == "1.0"


def test_lost_state_after_a_fallback_keeps_the_image_in_quarantine(
    rig: Rig, fleet: Fleet, window: Window
) -> None:
    rig.server.link(fleet.target("3.0"))
    window(rig, 1)
    rig.power_on()
    rig.wait_for_state("ASSESSING")
    rig.persist.joinpath("run.json").unlink()
    rig.kill_agent()

    rig.wait(lambda: rig.booted == "a", "the boot loader fell back")
    rig.settle("ROLLED_BACK")

    assert rig.cause() == "probe-failed"
    assert [q["image_id"] for q in rig.status()["quarantine"]] == ["3.0"]
    assert rig.status().get("decision") == "quarantined"


def test_state_of_a_newer_puad_is_read_and_not_destroyed(rig: Rig, fleet: Fleet) -> None:
    image = {"url": "u", "image_id": "2.0", "file_hash": "0" * 64, "profile_name": PROFILE}
    cause = {"code": "solar-flare", "text": "too bright", "at": "2026-01-01T00:00:00+00:00"}
    newer = {
        "schema": 9,
        "state": "CANARY",
        "run_id": "run-9",
        "image": image,
        "slot": "b",
        "floor": "0.5",
        "quarantine": [{"file_hash": "f" * 64, "image_id": "7.0", "cause": cause}],
        "told": True,
        "waves": {"of": "a newer puad"},
    }
    rig.persist.joinpath("run.json").write_text(json.dumps(newer))
    rig.power_on()

    rig.wait(lambda: rig.stored().get("state") not in {"CANARY", None}, "the state is written")

    stored = rig.stored()
    assert (stored["schema"], stored["waves"]) == (9, {"of": "a newer puad"})
    assert [q["file_hash"] for q in rig.status()["quarantine"]] == ["f" * 64]
    assert rig.status()["node"]["version_floor"] == "0.5"


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 1 MiB in place of a folder, with the same files."""
    kept = folder.with_name("kept")
    folder.rename(kept)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=True)
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        shutil.rmtree(kept)


def test_full_disk_stops_the_update_and_the_server_is_told(
    rig: Rig, fleet: Fleet, window: Window
) -> None:
    with small_disk(rig.persist):
        rig.power_on()
        rig.wait_for_state("IDLE")
        rig.wait(lambda: rig.status().get("server", {}).get("reachable"), "the server was asked")
        ballast = rig.persist / "ballast"
        fill = ["dd", "if=/dev/zero", f"of={ballast}", "bs=4096"]
        assert b"No space left" in subprocess.run(fill, capture_output=True, check=False).stderr
        rig.server.link(fleet.target("2.0"))
        window(rig, 1)

        rig.wait(
            lambda: rig.server.instance()["updateStatus"] == "Update failed", "the server is told"
        )
        details = rig.server.runs()[0]["statusDetails"]
        assert json.loads(details)["update_log"][0]["failure_reason"] == "insufficientstorage"
        assert rig.status()["run"]["cause"]["code"] == "disk-full"
        assert rig.booted == "a"

        ballast.unlink()
        rig.wait(lambda: rig.stored().get("installed"), "the update goes on")
        rig.cut_power()


def test_broken_configuration_is_told_to_a_person_and_ends_puad(rig: Rig) -> None:
    """The unit does not start it again (exit code 78), and the boot goes on without it."""
    (rig.folder / "config/90-typo.toml").write_text("[update]\ntrys = 3\n")
    rig.power_on()

    assert rig.processes["puad"].wait(60) == 78
    (line,) = [line for line in rig.logs_of("puad").splitlines() if "CRITICAL" in line]
    assert "90-typo.toml" in line
    assert "there is no key trys in [update]; did you mean tries?" in line
    # the slot is good already, so the health process leaves it so
    assert rig.processes["health"].wait(60) == 0


def test_absent_boot_control_is_waited_for_and_reported(rig: Rig) -> None:
    rig.power_on()
    rig.wait_for_state("IDLE")
    rig.wait(lambda: rig.status().get("server", {}).get("reachable"), "the server was asked")
    rig.processes["control"].kill()
    rig.processes["control"].wait()
    rig.kill_agent()
    rig.start_agent()

    rig.wait(lambda: rig.server.instance()["updateStatus"] == "Update failed", "the server is told")
    done = rig.puadctl("status")
    assert "puad-bootloader" in done.stdout + done.stderr
    rig.start_program("control", "bootloader", "--config", rig.folder / "control.toml")

    rig.wait(
        lambda: rig.server.instance()["updateStatus"] == "No new updates available",
        "all is well again",
    )


def test_hanging_boot_control_does_not_hang_the_node(
    rig: Rig, fleet: Fleet, window: Window
) -> None:
    rig.power_on()
    rig.wait(lambda: rig.status().get("slots"), "puad knows the facts")
    rig.wait(lambda: "health" not in rig.processes, "the health process has ended")
    control = rig.processes["control"]
    subprocess.run(["pkill", "-STOP", "-P", str(control.pid)], check=False)
    control.send_signal(19)
    rig.server.link(fleet.target("2.0"))
    window(rig, 1)

    rig.wait(lambda: rig.cause() == "boot-control-timeout", "the run has failed")
    assert rig.puadctl("history").returncode == 0
    control.send_signal(18)

    rig.wait(lambda: rig.stored().get("installed"), "the update is done after all")


def test_two_installs_at_once_the_second_is_refused(
    rig: Rig, fleet: Fleet, window: Window, tmp_path: Path
) -> None:
    exported = tmp_path / "exported"
    fleet.releases.run("export", exported, "--profile", PROFILE, "--version", "3.0")
    rig.server.link(fleet.target("2.0"))
    window(rig, 3600)
    rig.power_on()
    rig.wait_for_state("IDLE")
    rig.wait(lambda: rig.status().get("offer"), "the offer is known")
    assert rig.puadctl("run", "--no-wait").returncode == 0

    second = rig.puadctl("install", str(exported), "--no-wait")

    assert second.returncode == 75
    assert "cancel" in second.stderr
    rig.wait(lambda: rig.stored().get("installed"), "the first one is done")
    assert rig.stored()["installed"]["image_id"] == "2.0"

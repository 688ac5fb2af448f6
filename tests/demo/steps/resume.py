# SPDX-License-Identifier: Apache-2.0
"""Step 4, resumption: puad is killed in mid-download and goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.demo.versions import MENDED, RESUMED
from tests.demo.waiting import wait_for
from tests.demo.world import IMAGE_ENDING, World, named

BEGINS_WITH = MENDED
IMAGES = (MENDED, RESUMED)
TITLE = "4  Resumption: puad is killed in mid-download"
_SECONDS_FOR_ALL = 6
_KILLED_AT = 0.3


@dataclass(frozen=True, slots=True)
class Frame:
    """One chunk: its place in the image, its place in the published file, its hash."""

    image_offset: int
    image_length: int
    file_offset: int
    file_length: int
    sha256: str


def play(world: World) -> None:
    """Play the step."""
    note, relay = world.ledger.note, world.relay
    world.prepare(RESUMED)
    world.wait_for_report("UP_TO_DATE", "FAILED")
    _, away = world.slots()
    release = world.publish(RESUMED)
    frames = _frames(world.release.target(f"{release['path']}.idx"))
    relay.bytes_per_s = release["file_size"] // _SECONDS_FOR_ALL
    world.narration.say(f"the network lets {relay.bytes_per_s >> 10} KiB/s through")
    mark = world.watch.mark()
    world.server.find_releases()
    ending = f"{RESUMED.version}{IMAGE_ENDING}"
    enough = int(release["file_size"] * _KILLED_AT)
    wait_for("the middle of the download", lambda: relay.sent_bytes(ending) > enough, 120)

    killed_at, verified = _kill(world, away, frames, ending)
    share = 100 * sum(f.file_length for f in verified) // release["file_size"]
    world.narration.say(f"SIGKILL to puad; {share} % of the file is verified on slot {away}")
    note(
        "4 verified when it was killed",
        expected="some, not all",
        seen="some, not all" if 0 < len(verified) < len(frames) else f"{len(verified)} chunks",
    )
    wait_for("the download to go on", lambda: _sent_after(world, ending, killed_at), 60)
    relay.bytes_per_s = 0
    world.wait_for_end(mark, "UPDATED")
    again = [f for f in verified if _overlaps(f, _sent_after(world, ending, killed_at))]
    note(
        "4 verified bytes that were fetched twice",
        expected="0",
        seen=str(sum(f.file_length for f in again)),
    )
    note(
        "4 os-release in the mount", expected=f"slot {away}: {named(RESUMED)}", seen=world.running()
    )
    note("4 slot bytes", expected=world.image_hash(RESUMED), seen=world.slot_hash(RESUMED))
    note("4 update run", expected="Update completed", seen=world.server.runs()[0]["status"])
    world.puadctl("history")


def _kill(world: World, away: str, frames: list[Frame], ending: str) -> tuple[float, list[Frame]]:
    """SIGKILL, with process 1 held still while the slot is copied as puad has left it."""
    init = wait_for("the node to be up", world.node.init_pid, 30)
    copy = world.layout.run / "slot-at-the-kill.img"
    os.kill(init, signal.SIGSTOP)
    try:
        world.node.kill_agent()
        killed_at = time.monotonic()
        wait_for("puad to be gone", lambda: world.node.agent_pid() is None, 30)
        shutil.copyfile(world.node.disk.slot_file(away), copy)
    finally:
        os.kill(init, signal.SIGCONT)
    sent = [(t.offset, t.offset + t.length) for t in world.relay.transfers(ending)]
    with copy.open("rb") as slot:
        verified = [f for f in frames if _covers(sent, f) and _is_right(slot.fileno(), f)]
    copy.unlink()
    return killed_at, verified


def _frames(index: Path) -> list[Frame]:
    frames, image_offset = [], 0
    for image_length, file_offset, file_length, digest in json.loads(index.read_bytes())["chunks"]:
        frames.append(Frame(image_offset, image_length, file_offset, file_length, digest))
        image_offset += image_length
    return frames


def _is_right(slot: int, frame: Frame) -> bool:
    data = os.pread(slot, frame.image_length, frame.image_offset)
    return hashlib.sha256(data).hexdigest() == frame.sha256


def _covers(sent: list[tuple[int, int]], frame: Frame) -> bool:
    end = frame.file_offset + frame.file_length
    return any(first <= frame.file_offset and end <= last for first, last in sent)


def _sent_after(world: World, ending: str, killed_at: float) -> list[tuple[int, int]]:
    later = [t for t in world.relay.transfers(ending) if t.began_at > killed_at]
    return [(t.offset, t.offset + t.length) for t in later if t.length]


def _overlaps(frame: Frame, sent: list[tuple[int, int]]) -> bool:
    end = frame.file_offset + frame.file_length
    return any(first < end and frame.file_offset < last for first, last in sent)

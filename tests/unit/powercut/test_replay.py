# SPDX-License-Identifier: Apache-2.0
"""The replay: every state has the bytes that it must have, and leaves no trace in the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.powercut.recording import Recording
from tests.powercut.replay import Replay, likenesses
from tests.powercut.states import Enumerator, Kept, State
from tests.powercut.write_log import DISCARD, SECTOR
from tests.unit.powercut.logs import Entry, flush, write
from tests.unit.powercut.small_disk import MIB, NEW, OLD, START, SmallDisk

ESP, SLOT, PERSIST = START["esp"], START["rootfs_b"], START["persist"]
PADDED = NEW + bytes(-len(NEW) % SECTOR)


@contextmanager
def replaying(recording: Recording, folder: Path) -> Iterator[Replay]:
    replay = Replay(recording, likenesses(recording), folder)
    try:
        yield replay
    finally:
        replay.close()


@pytest.fixture
def disk(tmp_path: Path) -> SmallDisk:
    return SmallDisk(tmp_path)


def kept(recording: Recording, *chosen: int, flushed: int = 0) -> State:
    sectors = [recording.requests[index].sectors for index in chosen]
    pieces = tuple(Kept(index, 0, count) for index, count in zip(chosen, sectors, strict=True))
    return State(len(recording.requests) - 1, "test", flushed, pieces)


def test_at_shows_exactly_what_is_kept(disk: SmallDisk, tmp_path: Path) -> None:
    recording = disk.record([write(ESP, b"1" * 1024), write(ESP + 1, b"2" * 512)])

    with replaying(recording, tmp_path) as replay:
        for state, expected in (
            (kept(recording, 0, 1), b"1" * 512 + b"2" * 512),
            (kept(recording, 1), bytes(512) + b"2" * 512),
            (kept(recording), bytes(1024)),
            (State(1, "torn", 0, (Kept(0, 1, 2),)), bytes(512) + b"1" * 512),
        ):
            with replay.at(state) as medium:
                assert medium.esp.read_bytes()[:1024] == expected
                assert medium.esp.stat().st_size == MIB


def test_at_keeps_what_was_flushed(disk: SmallDisk, tmp_path: Path) -> None:
    requests = [write(PERSIST + 4, b"1" * 512), flush(), write(PERSIST + 4, b"2" * 512)]
    recording = disk.record(requests)

    with replaying(recording, tmp_path) as replay:
        with replay.at(kept(recording, 2, flushed=2)) as medium:
            assert medium.persist.read_bytes()[2048:2560] == b"2" * 512
        with replay.at(kept(recording, flushed=2)) as medium:
            assert medium.persist.read_bytes()[2048:2560] == b"1" * 512


def test_at_names_equal_contents_alike_and_others_not(disk: SmallDisk, tmp_path: Path) -> None:
    requests = [write(ESP, b"1" * 512), write(PERSIST, b"2" * 512), write(ESP, b"3" * 512)]
    recording = disk.record(requests)

    with replaying(recording, tmp_path) as replay:
        marks = []
        for state in (kept(recording, 0), kept(recording, 0, 1), kept(recording, 0, 2)):
            with replay.at(state) as medium:
                marks.append(medium.marks)

    assert marks[0]["esp"] == marks[1]["esp"] != marks[2]["esp"]
    assert marks[0]["persist"] == marks[2]["persist"] != marks[1]["persist"]


def test_at_follows_the_slots_sector_by_sector(disk: SmallDisk, tmp_path: Path) -> None:
    half = len(PADDED) // 2 // SECTOR * SECTOR
    requests = [write(SLOT, PADDED[:half]), write(SLOT + half // SECTOR, PADDED[half:])]
    recording = disk.record(requests)
    last = recording.requests[1].sectors

    with replaying(recording, tmp_path) as replay:
        with replay.at(kept(recording, 0, 1)) as medium:
            assert medium.slots == {"a": frozenset({"old"}), "b": frozenset({"new"})}
        for state in (
            kept(recording, 0),
            kept(recording, 1),
            State(1, "torn", 0, (Kept(0, 0, half // SECTOR), Kept(1, 0, last - 1))),
        ):
            with replay.at(state) as medium:
                assert medium.slots["b"] == frozenset()


@pytest.mark.parametrize(
    "spoils", [write(START["rootfs_a"] + 3, b"x" * 512), (START["rootfs_a"], 8, DISCARD, b"")]
)
def test_at_notices_a_slot_that_is_spoilt(disk: SmallDisk, tmp_path: Path, spoils: Entry) -> None:
    recording = disk.record([spoils])

    with replaying(recording, tmp_path) as replay:
        with replay.at(kept(recording, 0)) as medium:
            assert medium.slots["a"] == frozenset()
        with replay.at(kept(recording)) as medium:
            assert medium.slots["a"] == frozenset({"old"})


def test_at_writes_nothing_to_the_disk_that_was_recorded(disk: SmallDisk, tmp_path: Path) -> None:
    before = disk.path.read_bytes()
    recording = disk.record([write(1, b"1" * 512), write(ESP, b"2" * 512), write(SLOT, OLD[:512])])

    with replaying(recording, tmp_path) as replay:
        for state in Enumerator(recording, 1).all():
            with replay.at(state) as medium:
                table = medium.table.read_bytes()
                is_there = 0 in {piece.index for piece in state.kept}
                assert (table[512:1024] == b"1" * 512) == is_there

    assert disk.path.read_bytes() == before


def test_at_going_back_is_refused(disk: SmallDisk, tmp_path: Path) -> None:
    recording = disk.record([write(ESP, b"1" * 512), flush(), write(ESP, b"2" * 512)])

    with replaying(recording, tmp_path) as replay:
        with replay.at(kept(recording, 2, flushed=2)):
            pass
        with pytest.raises(RuntimeError), replay.at(kept(recording)):
            pass

# SPDX-License-Identifier: Apache-2.0
"""The enumerator: which states it gives, and that a seed gives the same ones again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.powercut.states import Enumerator, Kept, State
from tests.powercut.write_log import FUA
from tests.unit.powercut.logs import Entry, flush, write
from tests.unit.powercut.small_disk import START, SmallDisk

ESP, SLOT, PERSIST = START["esp"], START["rootfs_b"], START["persist"]


def page(sector: int, flags: int = 0) -> Entry:
    return write(sector, b"x" * 4096, flags)


@pytest.fixture
def disk(tmp_path: Path) -> SmallDisk:
    return SmallDisk(tmp_path)


def states(disk: SmallDisk, requests: list[Entry], seed: int = 1) -> list[State]:
    return list(Enumerator(disk.record(requests), seed).all())


def test_all_begins_behind_the_last_flush(disk: SmallDisk) -> None:
    found = states(disk, [page(ESP), flush(), page(ESP + 8), page(ESP + 16)])

    last = [state for state in found if state.point == 3]
    assert {state.flushed for state in last} == {2}
    assert (Kept(2, 0, 8), Kept(3, 0, 8)) in {state.kept for state in last}


def test_all_drops_the_last_write_and_keeps_the_others(disk: SmallDisk) -> None:
    found = Enumerator(disk.record([page(ESP), page(ESP + 8), page(ESP + 16)]), 1)

    assert found.state(2, "dropped").kept == (Kept(0, 0, 8), Kept(1, 0, 8))


def test_all_tears_only_the_last_write_and_only_between_sectors(disk: SmallDisk) -> None:
    torn = Enumerator(disk.record([page(ESP), page(ESP + 8)]), 1).state(1, "torn")

    first, second = torn.kept
    assert first == Kept(0, 0, 8)
    assert 0 < second.last - second.first < 8
    assert second.first == 0 or second.last == 8


def test_all_gives_each_state_once(disk: SmallDisk) -> None:
    found = states(disk, [page(ESP + 8 * number) for number in range(6)])

    contents = [(state.flushed, state.kept) for state in found]
    assert len(contents) == len(set(contents))
    assert len([state for state in found if state.point == 5]) > 6


def test_all_gives_every_subset_of_two_writes(disk: SmallDisk) -> None:
    found = states(disk, [write(ESP, b"a" * 512), write(ESP + 1, b"b" * 512)])

    chosen = {tuple(kept.index for kept in state.kept) for state in found}
    assert chosen == {(), (0,), (1,), (0, 1)}


def test_all_never_drops_a_write_past_the_cache(disk: SmallDisk) -> None:
    found = states(disk, [page(ESP), page(ESP + 8, FUA), page(ESP + 16)])

    after = [state for state in found if state.point == 2]
    assert after
    assert all(1 in {kept.index for kept in state.kept} for state in after)


def test_points_samples_the_slots_and_takes_all_the_rest(disk: SmallDisk) -> None:
    slot_writes = [page(SLOT + 8 * number) for number in range(200)]
    recording = disk.record([*slot_writes, page(ESP), page(PERSIST), page(1)])

    points = Enumerator(recording, 1).points()

    assert points[-3:] == [200, 201, 202]
    assert 20 <= len(points) - 3 <= 30


def test_state_of_a_seed_is_the_same_again_and_of_another_seed_is_not(disk: SmallDisk) -> None:
    recording = disk.record([page(ESP + 8 * number) for number in range(30)])
    name = "subset-7"

    once = Enumerator(recording, 5).state(29, name)

    assert Enumerator(recording, 5).state(29, name) == once
    assert Enumerator(recording, 6).state(29, name) != once


def test_some_gives_no_more_than_asked_for_and_in_the_order_of_points(disk: SmallDisk) -> None:
    pages = [page((ESP if n % 10 == 0 else PERSIST) + 8 * n) for n in range(60)]
    enumerator = Enumerator(disk.record(pages), 1)

    some = enumerator.some(100)

    assert len(some) == 100
    assert [state.point for state in some] == sorted(state.point for state in some)
    assert sum(state.point % 10 == 0 for state in some) == 50
    assert {"kept", "torn", "subset"} <= {state.variant.partition("-")[0] for state in some}


def test_some_of_all_that_there_are_is_all(disk: SmallDisk) -> None:
    enumerator = Enumerator(disk.record([page(ESP), page(PERSIST), page(PERSIST + 8)]), 1)

    assert len(enumerator.some(1000)) == len(list(enumerator.all()))

# SPDX-License-Identifier: Apache-2.0
"""Which chunks are looked at before a write, and which are found."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from puad.core.errors import OperatorError
from puad.core.extent import Extent
from puad.writer import ChunkJournal
from puad.writer.destination import Destination
from puad.writer.missing import Look
from puad.writer.slot import SlotFile
from tests.unit.images.published_image import publish

CHUNK = 4096
COUNT = 200
IMAGE = random.Random(1).randbytes(CHUNK * COUNT)
PUBLISHED = publish("raw", IMAGE, CHUNK)


class CountingSlot(Destination):
    def __init__(self, fd: int) -> None:
        super().__init__(SlotFile(fd), Extent(0, len(IMAGE)))
        self.looked_at: list[int] = []

    def read(self, offset: int, into: memoryview) -> bool:
        self.looked_at.append(offset // CHUNK)
        return super().read(offset, into)


class Rig:
    """A slot with some chunks of the image, and a journal of an earlier write, or none."""

    def __init__(self, folder: Path) -> None:
        self.journal = folder / "journal"
        self.slot = folder / "slot"
        self.slot.write_bytes(b"\xee" * len(IMAGE))
        self.advanced = 0
        self.looked_at: list[int] = []

    def put(self, *numbers: int) -> None:
        with self.slot.open("r+b") as slot:
            for number in numbers:
                slot.seek(number * CHUNK)
                slot.write(IMAGE[number * CHUNK : (number + 1) * CHUNK])

    def listed(self, *numbers: int) -> None:
        with ChunkJournal(self.journal, "ab" * 32) as journal:
            journal.add(numbers)

    def missing(self, *, ahead: int = 10, wanted: range = range(COUNT)) -> set[int]:
        with self.slot.open("r+b") as file, ChunkJournal(self.journal, "ab" * 32) as journal:
            slot = CountingSlot(file.fileno())
            look = Look(slot, PUBLISHED.index.chunks, journal, ahead * CHUNK)
            missing = look.find_missing(wanted, lambda: False, self._advance)
            slot.close()
        self.looked_at = slot.looked_at
        assert missing == sorted(missing)
        assert self.advanced == CHUNK * len(look.found)
        return set(missing)

    def _advance(self, size_bytes: int) -> None:
        self.advanced += size_bytes


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


EVERY = set(range(COUNT))


def test_slot_of_another_image_is_sampled(rig: Rig) -> None:
    assert rig.missing() == EVERY
    assert len(rig.looked_at) == 16
    assert max(b - a for a, b in zip(rig.looked_at, rig.looked_at[1:], strict=False)) <= 13


def test_slot_of_a_kindred_image_is_looked_at_whole(rig: Rig) -> None:
    there = set(range(0, COUNT, 3))
    rig.put(*there)
    assert rig.missing() == EVERY - there
    assert sorted(rig.looked_at) == sorted(EVERY)


def test_listed_chunks_are_looked_at_and_not_believed(rig: Rig) -> None:
    rig.put(0, 1, 3)
    rig.listed(0, 1, 2, 3)
    assert rig.missing(ahead=0) == EVERY - {0, 1, 3}
    assert rig.looked_at[:4] == [0, 1, 2, 3]
    assert len(rig.looked_at) == 4 + 16


def test_chunks_that_may_have_been_written_are_looked_at(rig: Rig) -> None:
    rig.listed(5)
    rig.put(1, 5, 15)
    assert rig.missing(ahead=10) == EVERY - {1, 5, 15}
    assert rig.looked_at[:16] == list(range(16))


def test_chunks_of_a_write_that_listed_none_are_looked_at(rig: Rig) -> None:
    rig.listed()
    rig.put(4, 9)
    assert rig.missing(ahead=10) == EVERY - {4, 9}


def test_journal_of_more_chunks_than_the_image_has_is_no_harm(rig: Rig) -> None:
    rig.listed(3, 5000)
    rig.put(3)
    assert rig.missing() == EVERY - {3}


def test_only_what_is_wanted_counts(rig: Rig) -> None:
    rig.listed()
    rig.put(4, 20, 150)
    assert rig.missing(ahead=300, wanted=range(10, 100)) == set(range(10, 100)) - {20}
    assert set(rig.looked_at) <= set(range(10, 100))


def test_zeros_that_are_not_listed_are_not_looked_at(tmp_path: Path) -> None:
    image = bytes(CHUNK * 8)
    published = publish("raw", image, CHUNK)
    slot = tmp_path / "slot"
    slot.write_bytes(image)
    with slot.open("r+b") as file, ChunkJournal(tmp_path / "journal", "ab" * 32) as journal:
        counting = CountingSlot(file.fileno())
        look = Look(counting, published.index.chunks, journal, 0)
        assert look.find_missing(range(8), lambda: False, lambda _: None) == list(range(8))
    assert counting.looked_at == []


def test_look_is_cancelled_between_chunks(rig: Rig) -> None:
    with rig.slot.open("r+b") as file, ChunkJournal(rig.journal, "ab" * 32) as journal:
        look = Look(CountingSlot(file.fileno()), PUBLISHED.index.chunks, journal, 0)
        with pytest.raises(OperatorError):
            look.find_missing(range(COUNT), lambda: True, lambda _: None)


def test_slot_that_cannot_be_read_has_nothing(rig: Rig) -> None:
    rig.listed(*range(COUNT))
    rig.slot.write_bytes(b"")
    assert rig.missing() == EVERY

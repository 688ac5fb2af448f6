# SPDX-License-Identifier: Apache-2.0
"""Slot contents: which image a slot holds, followed sector by sector without reading it again."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Final

from tests.powercut.write_log import SECTOR

_BLOCK: Final = 1 << 20


class Likeness:
    """How much a slot is like one image: one byte for each sector, 1 where they agree.

    Args:
        image: The root image.
    """

    def __init__(self, image: Path) -> None:
        size = image.stat().st_size
        with image.open("rb") as file:
            # shared by every process that checks, and by every slot
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        odd = -size % SECTOR
        self._data = memoryview(mapped[:] + bytes(odd) if odd else mapped)
        sectors = len(self._data) // SECTOR
        self._same = bytearray(sectors)
        self._different = sectors

    @property
    def is_exact(self) -> bool:
        """Whether the slot holds this image and nothing else of its length."""
        return self._different == 0

    def take(self, sector: int, data: bytes) -> list[tuple[int, int]]:
        """Take in what is written from that sector of the slot on; how to undo it."""
        here = self._data[sector * SECTOR : sector * SECTOR + len(data)]
        count = len(here) // SECTOR
        if here == memoryview(data)[: len(here)]:
            same = bytes([1]) * count
        else:
            same = bytes(
                here[at : at + SECTOR] == data[at : at + SECTOR]
                for at in range(0, len(here), SECTOR)
            )
        return self._set(sector, same)

    def spoil(self, sector: int, sectors: int) -> list[tuple[int, int]]:
        """The content of these sectors is not defined any more; how to undo it."""
        count = max(0, min(sectors, len(self._same) - sector))
        return self._set(sector, bytes(count))

    def undo(self, changes: list[tuple[int, int]]) -> None:
        """Take back what was taken in."""
        for sector, old in changes:
            self._different += self._same[sector] - old
            self._same[sector] = old

    def _set(self, sector: int, same: bytes) -> list[tuple[int, int]]:
        old = self._same[sector : sector + len(same)]
        self._same[sector : sector + len(same)] = same
        self._different += sum(old) - sum(same)
        return [(sector + at, was) for at, was in enumerate(old) if was != same[at]]


def read_slot(likeness: Likeness, disk: Path, start: int, sectors: int) -> None:
    """Take in what a slot holds at the start."""
    with disk.open("rb") as file:
        file.seek(start * SECTOR)
        done = 0
        while done < sectors:
            data = file.read(min(_BLOCK, (sectors - done) * SECTOR))
            if not data:
                return
            likeness.take(done, data)
            done += len(data) // SECTOR

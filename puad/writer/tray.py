# SPDX-License-Identifier: Apache-2.0
"""Trays: the memory of a write by chunks, all of it taken before the first byte.

A tray has room for one frame and for the chunk that is made of it, and goes through the stages with
both. There are so many trays and no more, so what waits between two stages is bounded by them.
"""

from __future__ import annotations

from typing import Final

from puad.writer.plan import Way
from puad.writer.slot import make_buffer

MOST_BYTES: Final = 14 << 20
_FEWEST: Final = 3  # to fetch into, to decode and to write


class Tray:
    """Room for one chunk on its way.

    Args:
        frame_bytes: Room for its frame.
        chunk_bytes: Room for its bytes.

    Attributes:
        number: Which chunk it is.
        way: How it comes.
        frame: Its frame.
        data: Its bytes, in memory that O_DIRECT takes.
    """

    def __init__(self, frame_bytes: int, chunk_bytes: int) -> None:
        self._frame_room = make_buffer(max(1, frame_bytes))
        self._data_room = make_buffer(max(1, chunk_bytes))
        self.number = 0
        self.way = Way.FULL
        self.frame = self._frame_room[:0]
        self.data = self._data_room[:0]

    def lay(self, number: int, way: Way, frame_bytes: int, chunk_bytes: int) -> None:
        """Make room for another chunk; what lay there is still in `frame` and `data`."""
        self.number = number
        self.way = way
        self.frame = self._frame_room[:frame_bytes]
        self.data = self._data_room[:chunk_bytes]


def make_trays(frame_bytes: int, chunk_bytes: int, wanted: int) -> list[Tray]:
    """Trays for the largest frame and the largest chunk.

    Args:
        frame_bytes: Size of the largest frame.
        chunk_bytes: Size of the largest chunk.
        wanted: How many, if they do not take too much memory.
    """
    room = MOST_BYTES // (frame_bytes + chunk_bytes + 1)
    return [Tray(frame_bytes, chunk_bytes) for _ in range(max(_FEWEST, min(wanted, room)))]

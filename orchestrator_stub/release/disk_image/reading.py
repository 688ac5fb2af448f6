# SPDX-License-Identifier: Apache-2.0
"""Reading at any place: of a disk, of a part of it, of a file that lies in several runs on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from puad.core.extent import Extent

# The bytes at an offset, of that length; fewer only where the end lies.
Read = Callable[[int, int], bytes]


def within(read: Read, part: Extent) -> Read:
    """The same for a part of it, which has its own beginning and end."""

    def read_part(offset: int, length: int) -> bytes:
        wanted = Extent(part.offset + offset, length).part_of(part)
        return read(wanted.offset, wanted.length) if wanted.length else b""

    return read_part


def spliced(read: Read, extents: Sequence[Extent]) -> Read:
    """The same for a file that lies in these runs, one after the other."""

    def read_file(offset: int, length: int) -> bytes:
        pieces, start, wanted = [], 0, Extent(offset, length)
        for extent in extents:
            piece = wanted.part_of(Extent(start, extent.length))
            if piece.length:
                pieces.append(read(extent.offset + piece.offset - start, piece.length))
            start += extent.length
        return b"".join(pieces)

    return read_file

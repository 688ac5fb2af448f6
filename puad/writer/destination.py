# SPDX-License-Identifier: Apache-2.0
"""The destination: takes apart what a published file unpacks to, while it is unpacked.

The bytes of the root image go to the slot, those of boot files to their spools, and all others
nowhere. For a file that unpacks to the root image alone it is the slot itself. Offsets are those of
what is unpacked; where the parts lie in it is signed (docs/adr/0016).
"""

from __future__ import annotations

import contextlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from puad.core.errors import StorageError
from puad.core.extent import Extent
from puad.writer.slot import SlotFile, make_buffer
from puad.writer.spool import Spool

_PAGE_BYTES: Final = 4096
_SPOILT_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Part:
    """A run of bytes and where it goes: to `file`, from `offset` on."""

    extent: Extent
    file: SlotFile | Spool
    offset: int


class Destination:
    """The slot, and the spools of boot files that lie inside the published disk.

    Args:
        slot: The slot.
        root: Where the root image lies in what is unpacked.
        spools: The boot files that are still wanted.
    """

    def __init__(self, slot: SlotFile, root: Extent, spools: Iterable[Spool] = ()) -> None:
        self._slot = slot
        self._root = root
        self._spools = tuple(spools)
        parts = [_Part(root, slot, 0), *(part for s in self._spools for part in _parts_of(s))]
        self._parts = sorted(parts, key=lambda part: part.extent.offset)
        self._starts = [part.extent.offset for part in self._parts]
        self._reach = list(accumulate((part.extent.end for part in self._parts), max))

    def wants(self, offset: int, length: int) -> bool:
        """Whether any of these bytes go anywhere."""
        return any(True for _ in self._touched(offset, length))

    def write(self, offset: int, data: memoryview) -> None:
        """Write what is wanted of `data`, which lies in a buffer of `make_buffer`.

        Raises:
            StorageError: The slot, or the persistent partition, cannot take it.
        """
        for part, common in self._touched(offset, len(data)):
            start = common.offset - offset
            piece = data[start : start + common.length]
            if start % _PAGE_BYTES:  # direct I/O takes memory that begins on a page
                piece = make_buffer(common.length)
                piece[:] = data[start : start + common.length]
            part.file.write(part.offset + common.offset - part.extent.offset, piece)

    def zero(self, offset: int, length: int) -> None:
        """Make zero what is wanted of a range.

        Raises:
            StorageError: The slot, or the persistent partition, cannot take it.
        """
        for part, common in self._touched(offset, length):
            part.file.zero(part.offset + common.offset - part.extent.offset, common.length)

    def read(self, offset: int, into: memoryview) -> bool:
        """Fill `into`; False when some of it is not there, or was dropped."""
        done = 0
        for part, common in self._touched(offset, len(into)):
            start = common.offset - offset
            if start != done:  # a gap, or bytes that lie in two files of which one would be unseen
                return False
            piece = into[start : start + common.length]
            if start % _PAGE_BYTES:
                piece = make_buffer(common.length)
            if not part.file.read(part.offset + common.offset - part.extent.offset, piece):
                return False
            if start % _PAGE_BYTES:
                into[start : start + common.length] = piece
            done += common.length
        return done == len(into)

    def sync(self) -> None:
        """Return when everything written is on the medium.

        Raises:
            StorageError: It cannot be synced.
        """
        self._slot.sync()
        for spool in self._spools:
            spool.sync()

    def spoil(self) -> None:
        """Leave nothing that could be used: zero the ends of the root image, empty the spools.

        A medium that refuses is not reported: what led here is.
        """
        length = min(_SPOILT_BYTES, self._root.length)
        with contextlib.suppress(StorageError):
            self._slot.zero(0, length)
            self._slot.zero(self._root.length - length, length)
            self._slot.sync()
        for spool in self._spools:
            with contextlib.suppress(StorageError):
                spool.spoil()

    def close(self) -> None:
        """Give the slot's descriptor back as it came."""
        self._slot.close()

    def _touched(self, offset: int, length: int) -> Iterator[tuple[_Part, Extent]]:
        """The parts that these bytes belong to, by offset, and what they have in common."""
        bytes_given = Extent(offset, length)
        first = bisect_right(self._reach, offset)
        last = bisect_left(self._starts, bytes_given.end)
        for part in self._parts[first:last]:
            common = part.extent.part_of(bytes_given)
            if common.length:
                yield part, common


def _parts_of(spool: Spool) -> Iterator[_Part]:
    offset = 0
    for extent in spool.extents:
        yield _Part(extent, spool, offset)
        offset += extent.length

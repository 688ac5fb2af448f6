# SPDX-License-Identifier: Apache-2.0
"""A published delta, ready for use, whose rows take little memory.

A parsed index has an object for each window: some 12 MiB for 8 GiB of image with ten windows a
chunk. Here they are numbers in one array, and become objects again one row at a time.
"""

from __future__ import annotations

from array import array

from puad.core.delta import DeltaChunk, DeltaIndex
from puad.core.extent import Extent
from puad.download.source import Source

_NO_FRAME = Extent(0, 0)


class DeltaFile:
    """A delta whose old image may be the one on the active slot.

    Args:
        from_version: The image id of the old image.
        index: How each chunk comes about; it is not kept.
        source: Where its frames come from.

    Attributes:
        from_version: The same.
        source: The same.
    """

    def __init__(self, from_version: str, index: DeltaIndex, source: Source) -> None:
        self.from_version = from_version
        self.source = source
        self._numbers = array("Q")
        self._starts = array("L", [0])
        for made in index.chunks:
            if made is not None:
                for extent in (made.frame or _NO_FRAME, *made.windows):
                    self._numbers.extend((extent.offset, extent.length))
            self._starts.append(len(self._numbers))

    def made(self, number: int) -> DeltaChunk | None:
        """How a chunk comes about; None when the delta does not have it."""
        row = self._numbers[self._starts[number] : self._starts[number + 1]]
        extents = [Extent(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        if not extents:
            return None
        frame = None if extents[0] == _NO_FRAME else extents[0]
        return DeltaChunk(frame, tuple(extents[1:]))

# SPDX-License-Identifier: Apache-2.0
"""An extent: a run of bytes of an image, a disk or a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of bytes, by its first byte and its length."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.length

    def part_of(self, other: Extent) -> Extent:
        """What the two have in common; of length 0 when that is nothing."""
        start = max(self.offset, other.offset)
        return Extent(start, max(0, min(self.end, other.end) - start))

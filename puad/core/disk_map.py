# SPDX-License-Identifier: Apache-2.0
"""The map of a published whole disk: where its root image lies.

The publisher reads partition table and file systems once, and signs what it found. A node takes the
disk apart by this map while it streams: it parses neither GPT nor FAT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from puad.core.signed_fields import broken, number


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


@dataclass(frozen=True, slots=True)
class DiskMap:
    """A disk.

    Attributes:
        size: Size of the disk, which is what the published file unpacks to, in bytes.
        root: Where the root image lies.
    """

    size: int
    root: Extent

    def dump(self) -> dict[str, Any]:
        """Its object in the manifest."""
        return {"size": self.size, "root_offset": self.root.offset}


def parse_disk_map(document: Mapping[str, Any], image_size: int, most_bytes: int) -> DiskMap | None:
    """Read the `disk` object of a manifest; None when it has none.

    Args:
        document: The manifest.
        image_size: Its size of the root image, in bytes.
        most_bytes: The largest disk.

    Raises:
        TrustError: `MANIFEST_INVALID`.
    """
    disk = document.get("disk")
    if disk is None:
        return None
    if not isinstance(disk, dict):
        raise broken("disk is not an object")
    size = number(disk, "size", image_size, most_bytes)
    offset = number(disk, "root_offset", 0, size - image_size)
    return DiskMap(size, Extent(offset, image_size))

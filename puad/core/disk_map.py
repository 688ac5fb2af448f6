# SPDX-License-Identifier: Apache-2.0
"""The map of a published whole disk: where its root image lies.

The publisher reads partition table and file systems once, and signs what it found. A node takes the
disk apart by this map while it streams: it parses neither GPT nor FAT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from puad.core.extent import Extent
from puad.core.signed_fields import broken, number


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

# SPDX-License-Identifier: Apache-2.0
"""Boot files: what the boot loader reads from outside the slot, as the manifest lists them.

A boot file is a published file of its own, or it lies inside a published whole disk; then the
manifest says where, in signed extents, and nobody but the publisher reads that disk's file systems.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from puad.core.disk_map import DiskMap
from puad.core.extent import Extent
from puad.core.signed_fields import PATH, SHA256, broken, is_number, number, optional_text, text

MAX_BOOT_FILE_BYTES: Final = 512 << 20
MAX_EXTENTS: Final = 1024


class BootFileKind(StrEnum):
    """What a boot file is to the boot loader (org.puad.Bootloader1 `Stage`)."""

    UKI = "uki"
    LINUX = "linux"
    INITRD = "initrd"


@dataclass(frozen=True, slots=True)
class BootFile:
    """One boot file.

    Attributes:
        kind: What it is to the boot loader.
        path: Its target path; empty when it lies inside the published disk.
        size: Its size, in bytes.
        sha256: Its SHA-256, hex.
        extents: Where it lies inside the published disk, in the order of its bytes.
    """

    kind: BootFileKind
    path: str
    size: int
    sha256: str
    extents: tuple[Extent, ...] = ()

    def dump(self) -> dict[str, Any]:
        """Its row in the manifest."""
        row = {"kind": self.kind.value, "size": self.size, "sha256": self.sha256}
        if self.path:
            return row | {"path": self.path}
        return row | {"extents": [[e.offset, e.length] for e in self.extents]}


def parse_boot_files(rows: list[dict[str, Any]], disk: DiskMap | None) -> tuple[BootFile, ...]:
    """Read the rows of a manifest.

    Args:
        rows: The rows, at most one for each kind.
        disk: The whole disk that is published; None when the published file is the root image.

    Raises:
        TrustError: `MANIFEST_INVALID`.
    """
    files = tuple(_read(row, disk) for row in rows)
    if len({file.kind for file in files}) != len(files):
        raise broken("two boot files have the same kind")
    return files


def _read(row: dict[str, Any], disk: DiskMap | None) -> BootFile:
    kind = row.get("kind")
    if not isinstance(kind, str) or kind not in set(BootFileKind):
        raise broken("a boot file has no known kind")
    size = number(row, "size", 1, MAX_BOOT_FILE_BYTES)
    path = optional_text(row, "path", PATH) or ""
    extents = _extents(row.get("extents", []), disk)
    if bool(path) == bool(extents) or sum(e.length for e in extents) not in {0, size}:
        raise broken("a boot file is neither a published file nor a part of the published disk")
    return BootFile(BootFileKind(kind), path, size, text(row, "sha256", SHA256), extents)


def _extents(rows: Any, disk: DiskMap | None) -> tuple[Extent, ...]:  # noqa: ANN401 -- still untyped JSON
    if not isinstance(rows, list) or len(rows) > MAX_EXTENTS:
        raise broken("the extents of a boot file are not a short list")
    extents = []
    for row in rows:
        match row:
            case [offset, length] if (
                disk
                and is_number(offset, 0, disk.size)
                and is_number(length, 1, disk.size - offset)
            ):
                extents.append(Extent(offset, length))
            case _:
                raise broken("an extent of a boot file does not lie in the published disk")
    return tuple(extents)

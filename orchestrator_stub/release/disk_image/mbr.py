# SPDX-License-Identifier: Apache-2.0
"""The partition table of old disks, as far as to say that there is one (UEFI 2.10, 5.2.1)."""

from __future__ import annotations

from typing import Final

from orchestrator_stub.release.disk_image.reading import Read

_SECTOR_BYTES: Final = 512
_MARK: Final = b"\x55\xaa"
_FIRST_ENTRY: Final = 446
_ENTRY_BYTES: Final = 16
_ENTRIES: Final = 4
_STATES: Final = frozenset(
    {0x00, 0x80}
)  # bootable or not; anything else is code, or another's data


def has_mbr_partitions(read: Read) -> bool:
    """Whether the first sector is a master boot record with a partition in it."""
    sector = read(0, _SECTOR_BYTES)
    if len(sector) < _SECTOR_BYTES or not sector.endswith(_MARK):
        return False
    starts = range(_FIRST_ENTRY, _FIRST_ENTRY + _ENTRIES * _ENTRY_BYTES, _ENTRY_BYTES)
    entries = [sector[start : start + _ENTRY_BYTES] for start in starts]
    used = [entry for entry in entries if any(entry)]
    return bool(used) and all(_is_partition(entry) for entry in used)


def _is_partition(entry: bytes) -> bool:
    kind, sectors = entry[4], int.from_bytes(entry[12:16], "little")
    return entry[0] in _STATES and bool(kind) and bool(sectors)

# SPDX-License-Identifier: Apache-2.0
"""The partition table of a disk: both copies of the GPT, each believed only when it adds up."""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.powercut.write_log import SECTOR

ReadSectors = Callable[[int, int], bytes]
_HEADER: Final = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY: Final = struct.Struct("<16s16sQQQ72s")
_MOST_ENTRIES: Final = 1024


class GptError(Exception):
    """A copy of the partition table does not add up."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition; sectors count from the start of the disk, `end` lies behind it."""

    number: int
    name: str
    partuuid: str
    start: int
    end: int


def read_table(read: ReadSectors, header_at: int) -> tuple[Partition, ...]:
    """The partitions, by the header in that sector.

    Args:
        read: Gives so many sectors from one on.
        header_at: 1 for the primary header, the last sector of the disk for the backup.

    Raises:
        GptError: The header or the entries are torn, or no GPT.
    """
    sector = read(header_at, 1)
    fields = _HEADER.unpack_from(sector)
    signature, _, size, checksum = fields[:4]
    here, entries_at, count, entry_bytes, entries_checksum = fields[5], *fields[10:14]
    if signature != b"EFI PART" or not _HEADER.size <= size <= SECTOR:
        raise GptError(f"no GPT header in sector {header_at}")
    bare = sector[:16] + bytes(4) + sector[20:size]
    if zlib.crc32(bare) != checksum or here != header_at:
        raise GptError(f"the GPT header in sector {header_at} is torn")
    if not 0 < count <= _MOST_ENTRIES or entry_bytes != _ENTRY.size:
        raise GptError(f"{count} entries of {entry_bytes} bytes")
    length = count * entry_bytes
    data = read(entries_at, -(-length // SECTOR))[:length]
    if zlib.crc32(data) != entries_checksum:
        raise GptError(f"the GPT entries of the header in sector {header_at} are torn")
    found = []
    for index in range(count):
        kind, own, first, last, _, name = _ENTRY.unpack_from(data, index * entry_bytes)
        if any(kind):
            label = name.decode("utf-16-le", "replace").rstrip("\0")
            partuuid = str(uuid.UUID(bytes_le=own))
            found.append(Partition(index + 1, label, partuuid, first, last + 1))
    return tuple(found)

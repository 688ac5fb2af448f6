# SPDX-License-Identifier: Apache-2.0
"""A GUID partition table (UEFI specification, 5.3): the partitions of a disk.

Rules:

1. Only the first table counts, as it does for a firmware that finds it whole. A damaged one is
   refused although the disk may have a second: what nodes boot from would be in doubt.
2. Both checksums must match, and every number must lie within its bounds: partitions within the
   usable blocks, those within the disk, and no two partitions over one another.
3. Blocks have 512 or 4096 bytes, as the place of the header says.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from uuid import UUID

from orchestrator_stub.release.disk_image.errors import GptError
from orchestrator_stub.release.disk_image.reading import Read
from puad.core.extent import Extent
from puad.core.printable import printable_line

_SIGNATURE: Final = b"EFI PART"
_SECTOR_SIZES: Final = (512, 4096)
# signature, revision, header size, header's CRC, zero, own block, other header's block, first and
# last usable block, disk id, block of the entries, their count, size and CRC
_HEADER: Final = struct.Struct("<8sIIIIQQQQ16sQIII")
_CRC_OFFSET: Final = 16
# type id, own id, first and last block, attributes, name
_ENTRY: Final = struct.Struct("<16s16sQQQ72s")
_MAX_ENTRIES: Final = 1024
_MAX_TABLE_BYTES: Final = 1 << 20
_MAX_NAME_CHARS: Final = 36
_FIRST_ENTRY_BLOCK: Final = 2
_UNUSED: Final = bytes(16)


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition.

    Attributes:
        number: Its place in the table, from 1.
        type_id: What it is for.
        own_id: Its PARTUUID.
        label: Its PARTLABEL.
        extent: Where it lies on the disk.
    """

    number: int
    type_id: UUID
    own_id: UUID
    label: str
    extent: Extent


def find_sector_size(read: Read) -> int | None:
    """The size of the disk's blocks in bytes; None when this is no disk with a GPT."""
    return next((size for size in _SECTOR_SIZES if read(size, 8) == _SIGNATURE), None)


def read_partitions(read: Read, size: int) -> tuple[Partition, ...]:
    """The partitions of a disk of `size` bytes, in the order of the table.

    Raises:
        GptError: When there is no table, or it breaks one of the rules above.
    """
    sector = find_sector_size(read)
    if sector is None:
        raise GptError("there is no GUID partition table")
    header = _read_header(read, sector)
    if not header.first_usable <= header.last_usable < size // sector:
        raise GptError("the partition table is made for a larger disk: this one is cut off")
    entries = _read_entries(read, sector, header)
    found = tuple(
        partition
        for number, entry in enumerate(entries, 1)
        if (partition := _read_entry(number, entry, sector, header)) is not None
    )
    in_place = sorted(found, key=lambda partition: partition.extent.offset)
    for one, other in pairwise(in_place):
        if one.extent.end > other.extent.offset:
            raise GptError(f"partitions {one.number} and {other.number} lie over one another")
    return found


@dataclass(frozen=True, slots=True)
class _Header:
    first_usable: int
    last_usable: int
    entries_block: int
    count: int
    entry_bytes: int
    entries_crc: int


def _read_header(read: Read, sector: int) -> _Header:
    data = read(sector, sector)
    if len(data) < sector:
        raise GptError("the disk ends within the header of its partition table")
    (
        _,
        revision,
        length,
        crc,
        _,
        own,
        _,
        first,
        last,
        _,
        block,
        count,
        entry_bytes,
        entries_crc,
    ) = _HEADER.unpack_from(data)
    if revision >> 16 != 1 or not _HEADER.size <= length <= sector:
        raise GptError("the partition table has a version or a size of header that is not known")
    blank = data[:_CRC_OFFSET] + bytes(4) + data[_CRC_OFFSET + 4 : length]
    if zlib.crc32(blank) != crc:
        raise GptError("the header of the partition table is damaged: its checksum differs")
    if own != 1:
        raise GptError(f"the header of the partition table is the one of block {own}")
    return _Header(first, last, block, count, entry_bytes, entries_crc)


def _read_entries(read: Read, sector: int, header: _Header) -> list[bytes]:
    each, count = header.entry_bytes, header.count
    if each not in {_ENTRY.size << step for step in range(6)} or not 1 <= count <= _MAX_ENTRIES:
        raise GptError(f"the partition table has {count} entries of {each} bytes")
    length = each * count
    end = header.entries_block * sector + length
    within = header.entries_block >= _FIRST_ENTRY_BLOCK and end <= header.first_usable * sector
    if length > _MAX_TABLE_BYTES or not within:
        raise GptError("the entries of the partition table do not lie in front of the partitions")
    data = read(header.entries_block * sector, length)
    if len(data) < length or zlib.crc32(data) != header.entries_crc:
        raise GptError("the entries of the partition table are damaged: their checksum differs")
    return [data[place : place + each] for place in range(0, length, each)]


def _read_entry(number: int, entry: bytes, sector: int, header: _Header) -> Partition | None:
    type_id, own_id, first, last, _, name = _ENTRY.unpack_from(entry)
    if type_id == _UNUSED:
        return None
    if not header.first_usable <= first <= last <= header.last_usable:
        raise GptError(f"partition {number} does not lie within the usable part of the disk")
    label = name.decode("utf-16-le", "replace").partition("\0")[0]
    return Partition(
        number=number,
        type_id=UUID(bytes_le=type_id),
        own_id=UUID(bytes_le=own_id),
        label=printable_line(label, _MAX_NAME_CHARS),
        extent=Extent(first * sector, (last - first + 1) * sector),
    )

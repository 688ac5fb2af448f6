# SPDX-License-Identifier: Apache-2.0
"""The GUID partition table of a disk in use: giving one partition another id.

The table stands on the disk twice, each copy with checksums over more than one sector. Tools write
both copies and sync once, so a power cut can leave both of them broken, and the disk without any
partition. Rules:

1. One copy is written and synced, entries then header, before the other one is touched: at any
   moment one of them is whole. The backup comes first, as the UEFI specification has it.
2. The copy that is whole is the one that is believed; the primary one when both are.
3. Nothing is written when a copy would come to lie in a partition, beyond the disk or over the
   other copy: a header says where the other copy is, and one that is wrong must not cost a slot.

The firmware restores a torn primary copy from the backup (UEFI 2.10, 5.3.2); the kernel takes the
backup when it is told `gpt`.
"""

from __future__ import annotations

import fcntl
import os
import struct
import uuid
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from bootloader.durable import Files, storage_errors
from bootloader.errors import BootloaderError, ErrorName

_SECTOR_BYTES: Final = 512
_GET_SECTOR_BYTES: Final = 0x1268  # BLKSSZGET
_SIGNATURE: Final = b"EFI PART"
_HEADER: Final = struct.Struct("<8s4sIIIQQQQ16sQIII")
_CRC_OFFSET: Final = 16
_PRIMARY: Final = 1
_MIN_ENTRY_BYTES: Final = 128
_MAX_ENTRIES_BYTES: Final = 1 << 20
_ID_OFFSET: Final = 16
_ID_BYTES: Final = 16
_PLACE: Final = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class _Copy:
    """One copy of the table.

    Attributes:
        raw: The header's bytes, which keep what is not named here.
        lba: The sector of the header.
        other_lba: The sector of the other copy's header.
        entries_lba: The first sector of the entries.
        entry_bytes: The size of one entry.
        entries: The bytes of all of them.
    """

    raw: bytes
    lba: int
    other_lba: int
    entries_lba: int
    entry_bytes: int
    entries: bytes

    def header(self) -> bytes:
        """The header, with right checksums."""
        fields = list(_HEADER.unpack_from(self.raw))
        fields[3], fields[5], fields[6], fields[10] = 0, self.lba, self.other_lba, self.entries_lba
        fields[13] = zlib.crc32(self.entries)
        plain = _HEADER.pack(*fields) + self.raw[_HEADER.size :]
        checksum = zlib.crc32(plain).to_bytes(4, "little")
        return plain[:_CRC_OFFSET] + checksum + plain[_CRC_OFFSET + 4 :]

    def mirrored(self, sector_bytes: int) -> _Copy:
        """The other copy; the backup's entries stand right before its header."""
        if self.lba == _PRIMARY:
            entries_lba = self.other_lba - -(-len(self.entries) // sector_bytes)
        else:
            entries_lba = _PRIMARY + 1
        return replace(self, lba=self.other_lba, other_lba=self.lba, entries_lba=entries_lba)

    def areas(self, sector_bytes: int) -> tuple[range, range]:
        """The sectors of its header, and those of its entries."""
        end = self.entries_lba + -(-len(self.entries) // sector_bytes)
        return range(self.lba, self.lba + 1), range(self.entries_lba, end)

    def lies_in_a_partition(self, sector_bytes: int) -> bool:
        """Whether writing this copy would change a partition, or what comes before any table."""
        return self.entries_lba <= _PRIMARY or any(
            first < area.stop and area.start <= last
            for first, last in self._partitions()
            for area in self.areas(sector_bytes)
        )

    def _partitions(self) -> Iterator[tuple[int, int]]:
        """First and last sector of every partition."""
        for begin in range(0, len(self.entries), self.entry_bytes):
            if any(self.entries[begin : begin + _ID_OFFSET]):  # the type, zero for none
                yield _PLACE.unpack_from(self.entries, begin + _ID_OFFSET + _ID_BYTES)

    def with_partition_id(self, number: int, partuuid: str) -> _Copy:
        """This copy with another id for one partition."""
        begin = (number - 1) * self.entry_bytes + _ID_OFFSET
        new_id = uuid.UUID(partuuid).bytes_le
        entries = self.entries[:begin] + new_id + self.entries[begin + _ID_BYTES :]
        return replace(self, entries=entries)


def set_partition_id(disk: Path, number: int, partuuid: str, files: Files) -> None:
    """Give a partition another id, on disk when this returns; the kernel sees it at the next boot.

    Args:
        disk: The whole disk.
        number: The partition's number, from 1.
        partuuid: The new id.
        files: The seam for durable writes.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    with storage_errors(disk):
        fd = os.open(disk, os.O_RDONLY | os.O_CLOEXEC)
        try:
            sector_bytes = _sector_bytes(fd)
            last = os.lseek(fd, 0, os.SEEK_END) // sector_bytes - 1
            read = (_read_copy(fd, lba, last, sector_bytes) for lba in (_PRIMARY, last))
            found = next((copy for copy in read if copy is not None), None)
        finally:
            os.close(fd)
    if found is None or not 1 <= number <= len(found.entries) // found.entry_bytes:
        what = "the disk has no partition table that is whole"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(disk))
    changed = found.with_partition_id(number, partuuid)
    copies = sorted((changed, changed.mirrored(sector_bytes)), key=lambda copy: -copy.lba)
    if any(copy.lies_in_a_partition(sector_bytes) for copy in copies):
        what = "a copy of the partition table would come to lie in a partition"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(disk))
    if not _fit(copies, last, sector_bytes):
        what = "the two copies of the partition table do not lie on the disk side by side"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(disk))
    for copy in copies:
        files.write_at(disk, copy.entries_lba * sector_bytes, copy.entries)
        files.write_at(disk, copy.lba * sector_bytes, copy.header())


def _fit(copies: Iterable[_Copy], last: int, sector_bytes: int) -> bool:
    """Whether the copies lie on a disk with that last sector, and not over one another."""
    areas = [area for copy in copies for area in copy.areas(sector_bytes)]
    in_place = sorted(areas, key=lambda area: area.start)
    apart = all(one.stop <= other.start for one, other in pairwise(in_place))
    return apart and in_place[0].start >= _PRIMARY and in_place[-1].stop <= last + 1


def _read_copy(fd: int, lba: int, last: int, sector_bytes: int) -> _Copy | None:
    """The copy whose header stands in a sector; None when it is not whole."""
    sector = os.pread(fd, sector_bytes, lba * sector_bytes)
    if len(sector) < _HEADER.size or not sector.startswith(_SIGNATURE):
        return None
    fields = _HEADER.unpack_from(sector)
    size, my_lba, other_lba = fields[2], fields[5], fields[6]
    entries_lba, count, entry_bytes, checksum = fields[10:14]
    length = count * entry_bytes
    end = entries_lba + -(-length // sector_bytes)
    fits = _HEADER.size <= size <= sector_bytes and length <= _MAX_ENTRIES_BYTES
    sound = entry_bytes >= _MIN_ENTRY_BYTES and entry_bytes.bit_count() == 1  # 128 times 2 to the n
    if not (fits and sound) or my_lba != lba or end > last + 1:
        return None
    entries = os.pread(fd, length, entries_lba * sector_bytes)
    copy = _Copy(sector[:size], my_lba, other_lba, entries_lba, entry_bytes, entries)
    is_whole = zlib.crc32(entries) == checksum and copy.header() == sector[:size]
    return copy if is_whole else None


def _sector_bytes(fd: int) -> int:
    try:
        answer = fcntl.ioctl(fd, _GET_SECTOR_BYTES, bytes(4))
    except OSError:  # a file that holds a disk
        return _SECTOR_BYTES
    return int.from_bytes(answer, "little")

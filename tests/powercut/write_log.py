# SPDX-License-Identifier: Apache-2.0
"""The write log: what QEMU's `blklogwrites` filter has recorded of a disk, write by write.

The format is dm-log-writes': a super block, then for each request a header of one sector and, for a
write, its data in whole sectors; the header's own length of the data is for marks, and mostly 0.
The reader streams: it keeps the headers and the place of the data, never the data. A log that ends
within a request is read up to that request, because the recorder may have been killed like the
machine.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAGIC: Final = 0x6A736677736872
VERSION: Final = 1
SECTOR: Final = 512
FLUSH: Final = 1
FUA: Final = 2
DISCARD: Final = 4
MARK: Final = 8
MOST_REQUESTS: Final = 1 << 22
_PIECE_SECTORS: Final = 2048
_SUPER: Final = struct.Struct("<QQQI")
_HEADER: Final = struct.Struct("<QQQQ")
_KNOWN_FLAGS: Final = FLUSH | FUA | DISCARD | MARK


class WriteLogError(Exception):
    """The file is no write log, or not one that can be replayed."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the disk, in the order in which the disk took it.

    Attributes:
        sector: Where it begins, in sectors of 512 bytes.
        sectors: How many it covers; 0 for a bare flush.
        flags: FLUSH, FUA, DISCARD, MARK.
        place: Where its data lie in the log, in bytes; 0 when it has none.
    """

    sector: int
    sectors: int
    flags: int
    place: int

    @property
    def is_flush(self) -> bool:
        """Whether everything before it is on the medium once it is done."""
        return bool(self.flags & FLUSH)

    @property
    def is_write(self) -> bool:
        """Whether it changes the medium."""
        return self.sectors > 0 and not self.flags & MARK

    @property
    def is_durable(self) -> bool:
        """Whether it is on the medium at once, past the write cache."""
        return bool(self.flags & FUA)

    @property
    def end(self) -> int:
        """The sector behind it."""
        return self.sector + self.sectors


class WriteLog:
    """A log that is open for reading.

    Args:
        path: The log.

    Raises:
        WriteLogError: It is none.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._size = os.fstat(self._fd).st_size
        head = os.pread(self._fd, _SUPER.size, 0)
        if len(head) < _SUPER.size:
            raise WriteLogError(f"{path}: too short for a write log")
        magic, version, self.entries, self.sector_bytes = _SUPER.unpack(head)
        if magic != MAGIC or version != VERSION:
            raise WriteLogError(f"{path}: not a write log of version {VERSION}")
        if self.sector_bytes < SECTOR or self.sector_bytes % SECTOR or self.sector_bytes > 1 << 16:
            raise WriteLogError(f"{path}: a sector of {self.sector_bytes} bytes")
        if self.entries > MOST_REQUESTS:
            raise WriteLogError(f"{path}: {self.entries} requests are too many")

    def close(self) -> None:
        """Close the log."""
        os.close(self._fd)

    def requests(self) -> Iterator[Request]:
        """Every request, oldest first.

        Raises:
            WriteLogError: A header is nonsense.
        """
        scale = self.sector_bytes // SECTOR
        place = self.sector_bytes
        for number in range(self.entries):
            header = os.pread(self._fd, _HEADER.size, place)
            if len(header) < _HEADER.size:
                return
            sector, sectors, flags, length = _HEADER.unpack(header)
            place += self.sector_bytes
            has_data = sectors > 0 and not flags & (DISCARD | MARK)
            taken = sectors * self.sector_bytes if has_data else 0
            if flags & ~_KNOWN_FLAGS or (length not in {0, taken} and not flags & MARK):
                raise WriteLogError(f"request {number} has a header that makes no sense")
            length = max(length, taken)
            if place + length > self._size:
                return
            yield Request(sector * scale, sectors * scale, flags, place if has_data else 0)
            place += -(-length // self.sector_bytes) * self.sector_bytes

    def data(self, request: Request) -> bytes:
        """The bytes that a request has written; a discard leaves zeros."""
        length = request.sectors * SECTOR
        return os.pread(self._fd, length, request.place) if request.place else bytes(length)


def write_request(disk: int, log: WriteLog, request: Request, first: int, last: int) -> None:
    """Write sectors of a request, from `first` up to `last`, to their place on a disk."""
    while first < last:
        count = min(_PIECE_SECTORS, last - first)
        piece = Request(request.sector + first, count, 0, request.place + first * SECTOR)
        os.pwrite(disk, log.data(piece), piece.sector * SECTOR)
        first += count

# SPDX-License-Identifier: Apache-2.0
"""Inputs for what is a disk: its size, and the few places that are not zero.

An input is a byte of flags, the size of the disk (8 bytes, little-endian), and records: offset (8),
how often (2) and how many (2) bytes follow, then these bytes. Later records write over earlier
ones. So a disk of terabytes is a file of some hundred bytes, and its changes change what counts.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.fuzz.mutation import MAX_INPUT_BYTES, mutate_bytes

_HEAD: Final = struct.Struct("<BQ")
_RECORD: Final = struct.Struct("<QHH")
_MAX_DISK_BYTES: Final = 1 << 44
_MAX_WRITTEN_BYTES: Final = 16 << 10
_MAX_READ_BYTES: Final = 4 << 20
_FIELDS: Final = (0, 1, 2, 3, 4, 15, 16, 34, 128, 255, 256, 512, 1024, 4096, 65535, 1 << 31)


@dataclass
class SparseDisk:
    """A disk that counts what is read of it.

    Attributes:
        flags: The byte of flags.
        size: Its size, in bytes.
        records: Offset and bytes of what was written, in order.
        reads: How often it was read.
        bytes_read: How much was asked for.
    """

    flags: int
    size: int
    records: list[tuple[int, bytes]] = field(default_factory=list)
    reads: int = 0
    bytes_read: int = 0

    def read(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer at the end of the disk."""
        assert offset >= 0
        assert 0 <= length <= _MAX_READ_BYTES, f"{length} bytes are read at once"
        self.reads += 1
        self.bytes_read += length
        return self.peek(offset, length)

    def peek(self, offset: int, length: int) -> bytes:
        """The same, not counted."""
        end = min(offset + length, self.size)
        data = bytearray(max(0, end - offset))
        for start, written in self.records:
            first, last = max(start, offset), min(start + len(written), end)
            if first < last:
                data[first - offset : last - offset] = written[first - start : last - start]
        return bytes(data)

    def write(self, offset: int, data: bytes) -> None:
        self.records.append((offset, data))

    def dump(self) -> bytes:
        """As an input."""
        records = (_RECORD.pack(at, 1, len(data)) + data for at, data in self.records)
        return _HEAD.pack(self.flags, self.size) + b"".join(records)


def parse_disk(data: bytes) -> SparseDisk:
    """The disk of any input."""
    flags, size = _HEAD.unpack(data[: _HEAD.size].ljust(_HEAD.size, b"\0"))
    disk, left = SparseDisk(flags, size % _MAX_DISK_BYTES), _MAX_WRITTEN_BYTES
    for offset, times, written in _records(data):
        whole = (written * min(times, left // max(1, len(written)) + 1))[:left]
        left -= len(whole)
        if whole:
            disk.write(offset, whole)
    return disk


def to_sparse(image: Iterable[tuple[int, bytes]], size: int, flags: int = 0) -> bytes:
    """A disk as an input, from pieces of it by their offset; runs of zeros are left out."""
    disk = SparseDisk(flags, size)
    for offset, data in image:
        for run in re.finditer(rb"[^\0](?:\0{0,11}[^\0])*", data, re.DOTALL):
            disk.write(offset + run.start(), run[0])
    return disk.dump()


def mutate_disk(data: bytes, noise: Random) -> bytes:
    """A disk with some fields of its records changed, or with a record more or less."""
    flags, size = _HEAD.unpack(data[: _HEAD.size].ljust(_HEAD.size, b"\0"))
    records = list(_records(data))
    for _ in range(noise.randint(1, 3)):
        place = noise.randrange(len(records)) if records else 0
        match noise.randrange(8):
            case 0:
                flags ^= 1 << noise.randrange(8)
            case 1:
                size = noise.choice((size // 2, size * 2 % _MAX_DISK_BYTES, size ^ 512, size - 1))
                size %= _MAX_DISK_BYTES
            case 2 if records:
                del records[place]
            case 3 if records:
                at, times, written = records[place]
                shift = noise.choice((32, -32, 512, 4096, noise.randrange(1 << 20)))
                records.append(((at + shift) % (1 << 64), times, written))
            case 4 if records:
                at, _, written = records[place]
                records[place] = (at, noise.choice((0, 1, 2, 8, 300)), written)
            case 5 if records:
                at, times, written = records[place]
                records[place] = (at, times, mutate_bytes(written, noise))
            case _ if records:
                at, times, written = records[place]
                records[place] = (at, times, _change_field(written, noise))
    packed = (_RECORD.pack(at, times, len(w)) + w for at, times, w in records)
    return (_HEAD.pack(flags, size) + b"".join(packed))[:MAX_INPUT_BYTES]


def _change_field(written: bytes, noise: Random) -> bytes:
    """One number of two, four or eight bytes is another, or a little more or less."""
    width = noise.choice((1, 2, 4, 8))
    at = noise.randrange(len(written) + 1) // width * width
    known = int.from_bytes(written[at : at + width], "little")
    value = noise.choice((*_FIELDS, known + 1, known - 1, known * 2)) % (1 << 8 * width)
    return written[:at] + value.to_bytes(width, "little") + written[at + width :]


def _records(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    place = _HEAD.size
    while place + _RECORD.size <= len(data):
        offset, times, length = _RECORD.unpack_from(data, place)
        place += _RECORD.size
        yield offset, times, data[place : place + length]
        place += length

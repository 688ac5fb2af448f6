# SPDX-License-Identifier: Apache-2.0
"""The entries of a FAT folder: names, long ones among them, and where their bytes begin.

A long name stands in up to 20 entries in front of the short one, last part first, each with a
checksum of the short one. Where they do not fit it they are left over from another file, and the
short name counts, as it does for every driver.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_ENTRY_BYTES: Final = 32
_END: Final = 0x00
_DELETED: Final = 0xE5
# What stands for a first byte of 0xE5 that is part of the name.
_ESCAPED: Final = 0x05
_LABEL: Final = 0x08
_FOLDER: Final = 0x10
_LONG_NAME: Final = 0x0F
_ATTRIBUTES: Final = 0x3F
_LAST_PART: Final = 0x40
_MAX_PARTS: Final = 20
_LOWER_BASE: Final = 0x08
_LOWER_EXTENSION: Final = 0x10
_SELF_AND_PARENT: Final = frozenset({".", ".."})
# what is cased how, upper half and lower half of the first cluster, size in bytes
_PLACE: Final = struct.Struct("<12xB7xH4xHI")


@dataclass(frozen=True, slots=True)
class FatEntry:
    """A file or folder as its folder names it.

    Attributes:
        name: Its long name, else the short one.
        is_folder: Whether it is a folder.
        cluster: Where its chain begins.
        size: Its size in bytes; 0 for a folder.
    """

    name: str
    is_folder: bool
    cluster: int
    size: int


def read_entries(data: bytes, bits: int) -> Iterator[FatEntry]:
    """The files and folders of a folder of these bytes.

    Args:
        data: The folder.
        bits: Bits of an entry of the table; only with 32 the upper half of a cluster counts.
    """
    long_name = _LongName()
    for place in range(0, len(data) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        entry = data[place : place + _ENTRY_BYTES]
        first, attributes = entry[0], entry[11] & _ATTRIBUTES
        if first == _END:
            return
        if first == _DELETED or (attributes & _LABEL and attributes != _LONG_NAME):
            long_name = _LongName()
        elif attributes == _LONG_NAME:
            long_name.add(entry)
        else:
            name = long_name.of(entry[:11]) or _short_name(entry)
            long_name = _LongName()
            _, high, low, size = _PLACE.unpack(entry)
            if name not in _SELF_AND_PARENT:
                cluster = low | high << 16 if bits == 32 else low  # noqa: PLR2004 - FAT32
                yield FatEntry(name, bool(attributes & _FOLDER), cluster, size)


@dataclass(slots=True)
class _LongName:
    """The parts of a long name as far as they have come by."""

    parts: list[bytes] = field(default_factory=list)
    missing: int = 0
    checksum: int = -1

    def add(self, entry: bytes) -> None:
        """Take the next part; one out of order makes the name void."""
        number, checksum = entry[0] & ~_LAST_PART, entry[13]
        if entry[0] & _LAST_PART:
            self.parts, self.missing, self.checksum = [], number, checksum
        if checksum == self.checksum and number == self.missing and 1 <= number <= _MAX_PARTS:
            self.parts.insert(0, entry[1:11] + entry[14:26] + entry[28:32])
            self.missing -= 1
        else:
            self.parts, self.missing = [], 0

    def of(self, short: bytes) -> str:
        """The name of the file with that short one; empty when the parts are not its."""
        if not self.parts or self.missing or self.checksum != _checksum(short):
            return ""
        return b"".join(self.parts).decode("utf-16-le", "replace").partition("\0")[0]


def _short_name(entry: bytes) -> str:
    start = bytes([_DELETED]) if entry[0] == _ESCAPED else entry[:1]
    base = (start + entry[1:8]).decode("cp437").rstrip(" ")
    extension = entry[8:11].decode("cp437").rstrip(" ")
    base = base.lower() if entry[12] & _LOWER_BASE else base
    extension = extension.lower() if entry[12] & _LOWER_EXTENSION else extension
    return f"{base}.{extension}" if extension else base


def _checksum(short: bytes) -> int:
    value = 0
    for byte in short:
        value = ((value & 1) << 7 | value >> 1) + byte & 0xFF
    return value

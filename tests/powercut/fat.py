# SPDX-License-Identifier: Apache-2.0
"""FAT as a boot loader reads it: folders and files of a FAT12, FAT16 or FAT32 image, read-only.

It trusts nothing: a chain that runs in a circle, leaves the disk or ends too early is a FatError,
as it would be a file that the boot loader cannot load. The first copy of the table counts.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_ENTRY_BYTES: Final = 32
_MOST_FOLDER_BYTES: Final = 1 << 20
_FOLDER: Final = 0x10
_VOLUME_LABEL: Final = 0x08
_LONG_NAME: Final = 0x0F
_DELETED: Final = 0xE5
_LAST_PART: Final = 0x40
_LOWER_BASE: Final = 0x08
_LOWER_EXTENSION: Final = 0x10
_FAT12_CLUSTERS: Final = 4085
_FAT16_CLUSTERS: Final = 65525


class FatError(Exception):
    """The file system cannot be read as far as that was asked."""


@dataclass(frozen=True, slots=True)
class Node:
    """A file or folder as its folder names it."""

    name: str
    is_folder: bool
    cluster: int
    size: int


class Fat:
    """A FAT file system in a file.

    Args:
        path: The image.

    Raises:
        FatError: The boot sector makes no sense.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        boot = os.pread(self._fd, 512, 0)
        if len(boot) < 512 or boot[510:] != b"\x55\xaa":
            raise FatError("there is no boot sector")
        sector, per_cluster, reserved, copies, root_entries, few = struct.unpack_from(
            "<HBHBHH", boot, 11
        )
        (short,) = struct.unpack_from("<H", boot, 22)
        many, long = struct.unpack_from("<II", boot, 32)
        if sector not in {512, 1024, 2048, 4096} or not per_cluster or not copies:
            raise FatError("the boot sector makes no sense")
        length = short or long
        root_sectors = -(-root_entries * _ENTRY_BYTES // sector)
        data = reserved + copies * length + root_sectors
        self._clusters = ((few or many) - data) // per_cluster
        self._cluster_bytes = per_cluster * sector
        self._data = data * sector
        self._table = os.pread(self._fd, length * sector, reserved * sector)
        self._fixed_root = (reserved + copies * length) * sector, root_entries * _ENTRY_BYTES
        self._root = 0 if short else struct.unpack_from("<I", boot, 44)[0]
        if self._clusters < 1 or len(self._table) < self._clusters * self._bits // 8:
            raise FatError("the table is too short")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    @property
    def _bits(self) -> int:
        if self._clusters < _FAT12_CLUSTERS:
            return 12
        return 16 if self._clusters < _FAT16_CLUSTERS else 32

    def folder(self, path: str = "") -> list[Node]:
        """What lies in a folder; names compare without case.

        Raises:
            FatError: There is no such folder, or it cannot be read.
        """
        found = self._list(None)
        for part in [part for part in path.split("/") if part]:
            node = next((n for n in found if n.name.lower() == part.lower()), None)
            if node is None or not node.is_folder:
                raise FatError(f"there is no folder {path}")
            found = self._list(node.cluster)
        return found

    def read(self, node: Node) -> bytes:
        """All bytes of a file.

        Raises:
            FatError: Its chain is broken.
        """
        if node.size == 0:
            return b""
        needed = -(-node.size // self._cluster_bytes)
        data = b"".join(self._read_chain(node.cluster, needed))[: node.size]
        if len(data) < node.size:
            raise FatError(f"{node.name} ends after {len(data)} of {node.size} bytes")
        return data

    def find(self, path: str) -> Node:
        """The file or folder of that path.

        Raises:
            FatError: There is none.
        """
        parent, _, name = path.strip("/").rpartition("/")
        for node in self.folder(parent):
            if node.name.lower() == name.lower():
                return node
        raise FatError(f"there is no {path}")

    def _list(self, cluster: int | None) -> list[Node]:
        if cluster:
            most = _MOST_FOLDER_BYTES // self._cluster_bytes
            data = b"".join(self._read_chain(cluster, most))
        elif self._root:
            return self._list(self._root)
        else:
            place, size = self._fixed_root
            data = os.pread(self._fd, size, place)
        return list(_entries(data))

    def _read_chain(self, cluster: int, most: int) -> Iterator[bytes]:
        """The clusters of a chain, neighbours read at once, at most so many."""
        run, length = cluster, 0
        for _ in range(most):
            if not 2 <= cluster < self._clusters + 2:
                raise FatError(f"a chain leads to cluster {cluster}, which does not exist")
            length += 1
            following = self._next(cluster)
            if following != cluster + 1:
                yield self._clusters_at(run, length)
                run, length = following, 0
            if following >= self._end_mark:
                return
            cluster = following
        if length:
            yield self._clusters_at(run, length)

    def _clusters_at(self, cluster: int, count: int) -> bytes:
        place = self._data + (cluster - 2) * self._cluster_bytes
        return os.pread(self._fd, count * self._cluster_bytes, place)

    @property
    def _end_mark(self) -> int:
        return {12: 0xFF8, 16: 0xFFF8, 32: 0x0FFFFFF8}[self._bits]

    def _next(self, cluster: int) -> int:
        if self._bits == 32:
            value: int = struct.unpack_from("<I", self._table, cluster * 4)[0] & 0x0FFFFFFF
        elif self._bits == 16:
            value = struct.unpack_from("<H", self._table, cluster * 2)[0]
        else:
            (pair,) = struct.unpack_from("<H", self._table, cluster * 3 // 2)
            value = pair >> 4 if cluster & 1 else pair & 0xFFF
        return value


def _entries(data: bytes) -> Iterator[Node]:
    parts: dict[int, bytes] = {}
    checksum = -1
    for place in range(0, len(data) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        entry = data[place : place + _ENTRY_BYTES]
        if entry[0] == 0:
            return
        attributes = entry[11]
        if entry[0] == _DELETED:
            parts = {}
        elif attributes == _LONG_NAME:
            if entry[0] & _LAST_PART:
                parts, checksum = {}, entry[13]
            if entry[13] == checksum:
                parts[entry[0] & 0x3F] = entry[1:11] + entry[14:26] + entry[28:32]
        elif attributes & _VOLUME_LABEL:
            parts = {}
        else:
            whole = parts and sorted(parts) == list(range(1, len(parts) + 1))
            long = whole and checksum == _checksum(entry[:11])
            name = _long_name(parts) if long else _short_name(entry)
            parts = {}
            high, low, size = struct.unpack_from("<H4xHI", entry, 20)
            if name not in {".", ".."}:
                yield Node(name, bool(attributes & _FOLDER), high << 16 | low, size)


def _long_name(parts: dict[int, bytes]) -> str:
    raw = b"".join(parts[number] for number in sorted(parts))
    return raw.decode("utf-16-le", "replace").partition("\0")[0]


def _short_name(entry: bytes) -> str:
    base = entry[:8].decode("latin-1").rstrip()
    extension = entry[8:11].decode("latin-1").rstrip()
    base = base.lower() if entry[12] & _LOWER_BASE else base
    extension = extension.lower() if entry[12] & _LOWER_EXTENSION else extension
    return f"{base}.{extension}" if extension else base


def _checksum(short: bytes) -> int:
    value = 0
    for byte in short:
        value = ((value & 1) << 7 | value >> 1) + byte & 0xFF
    return value

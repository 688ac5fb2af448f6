# SPDX-License-Identifier: Apache-2.0
"""A FAT12, FAT16 or FAT32 file system: where on its partition the bytes of a file lie.

Rules:

1. Which of the three it is, is decided as Linux and EDK II do: without a 16-bit length of the table
   it is FAT32, else the count of clusters says which. The first copy of the table counts.
2. A chain that leaves the data, ends too early or comes back to where it was is refused. A file is
   read as far as its size, a folder as far as `_MAX_FOLDER_BYTES`, so each chain has an end.
3. Of the table only the pages are read that a chain leads to.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from orchestrator_stub.release.disk_image.errors import FatError
from orchestrator_stub.release.disk_image.fat_folder import FatEntry, read_entries
from orchestrator_stub.release.disk_image.reading import Read
from puad.core.extent import Extent

_BOOT_SECTOR_BYTES: Final = 512
_BOOT_MARK: Final = b"\x55\xaa"
# bytes of a sector, sectors of a cluster, reserved sectors, copies of the table, entries of the
# root folder, sectors (16 bits), medium, sectors of the table (16 bits)
_COMMON: Final = struct.Struct("<11xHBHBHHBH")
# sectors (32 bits); for FAT32 sectors of the table, flags, version, cluster of the root folder
_LARGE: Final = struct.Struct("<32xIIHHI")
_SECTOR_SIZES: Final = (512, 1024, 2048, 4096)
_MAX_TABLES: Final = 4
_LEAST_MEDIUM: Final = 0xF0
_UNMIRRORED: Final = 0x80
_ACTIVE_TABLE: Final = 0x0F
_FAT12_CLUSTERS: Final = 4085
_FAT16_CLUSTERS: Final = 65525
_FAT32_CLUSTERS: Final = 0x0FFFFFF5
_ENTRY_MASK: Final = {12: 0xFFF, 16: 0xFFFF, 32: 0x0FFFFFFF}
_FIRST_CLUSTER: Final = 2
_FOLDER_ENTRY_BYTES: Final = 32
_MAX_FOLDER_BYTES: Final = 2 << 20
_PAGE_BYTES: Final = 4096


@dataclass(slots=True)
class _Table:
    """The table of clusters: which one follows which."""

    read: Read
    place: Extent
    bits: int
    _page: int = field(default=-1, init=False)
    _data: bytes = field(default=b"", init=False)

    def entry(self, cluster: int) -> int:
        """What stands in the table at that cluster."""
        position = cluster * self.bits // 8
        width = 4 if self.bits == 32 else 2  # noqa: PLR2004 - FAT32 and the two others
        page, start = divmod(position, _PAGE_BYTES)
        if page != self._page:
            # An entry of FAT12 may begin on the last byte of a page.
            offset = self.place.offset + page * _PAGE_BYTES
            self._data, self._page = self.read(offset, _PAGE_BYTES + 1), page
        value = int.from_bytes(self._data[start : start + width], "little")
        if self.bits == 12 and cluster & 1:  # noqa: PLR2004 - the odd ones are the upper 12 of 24 bits
            value >>= 4
        return value & _ENTRY_MASK[self.bits]

    def is_end(self, value: int) -> bool:
        """Whether that entry says that its cluster is a chain's last one."""
        return value >= _ENTRY_MASK[self.bits] - 7


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where on the partition everything lies.

    Attributes:
        bits: Bits of an entry of the table.
        table: The first table.
        root: The root folder of FAT12 and FAT16.
        root_cluster: Where the root folder of FAT32 begins.
        data_offset: Where cluster 2 lies, in bytes.
        cluster_bytes: Size of a cluster.
        clusters: How many there are.
    """

    bits: int
    table: Extent
    root: Extent
    root_cluster: int
    data_offset: int
    cluster_bytes: int
    clusters: int


class Fat:
    """A FAT file system.

    Args:
        read: Reads its partition.
        size: Size of the partition, in bytes.

    Raises:
        FatError: When its boot sector makes no sense.
    """

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._shape = _read_shape(read, size)
        self._table = _Table(read, self._shape.table, self._shape.bits)

    @property
    def bits(self) -> int:
        """12, 16 or 32."""
        return self._shape.bits

    def entries(self, folder: FatEntry | None = None) -> tuple[FatEntry, ...]:
        """What lies in a folder, in its order; in the root folder when none is given.

        Raises:
            FatError: When it cannot be read, or is no folder.
        """
        if folder is None and self.bits != 32:  # noqa: PLR2004 - only FAT32 has its root in clusters
            runs = [self._shape.root]
        elif folder is None or folder.is_folder:
            first = folder.cluster if folder else self._shape.root_cluster
            most = _MAX_FOLDER_BYTES // self._shape.cluster_bytes
            runs = self._runs(self._chain(first, most), most)
        else:
            raise FatError(f"{folder.name} is no folder")
        data = b"".join(self._read(run.offset, run.length) for run in runs)
        return tuple(read_entries(data, self.bits))

    def find(self, path: tuple[str, ...]) -> FatEntry | None:
        """The file or folder of that path; the case of letters does not count.

        None when there is none.

        Raises:
            FatError: When a folder on the way cannot be read.
        """
        found: FatEntry | None = None
        for name in path:
            if found is not None and not found.is_folder:
                return None
            named = (e for e in self.entries(found) if e.name.casefold() == name.casefold())
            found = next(named, None)
            if found is None:
                return None
        return found

    def extents(self, file: FatEntry, most: int) -> tuple[Extent, ...]:
        """Where the bytes of a file lie on the partition, in their order.

        Args:
            file: The file.
            most: How many runs it may have.

        Raises:
            FatError: When its chain is broken, or has more runs.
        """
        needed = -(-file.size // self._shape.cluster_bytes)
        runs = self._runs(self._chain(file.cluster, needed), most) if needed else []
        if sum(run.length for run in runs) < file.size:
            raise FatError(f"{file.name} ends before its {file.size} bytes")
        if runs:
            beyond = needed * self._shape.cluster_bytes - file.size
            runs[-1] = Extent(runs[-1].offset, runs[-1].length - beyond)
        return tuple(runs)

    def _chain(self, cluster: int, most: int) -> Iterator[int]:
        """The clusters of a chain, at most so many of them."""
        seen = set[int]()
        for _ in range(most):
            if not _FIRST_CLUSTER <= cluster < self._shape.clusters + _FIRST_CLUSTER:
                raise FatError(f"a chain leads to cluster {cluster}, which does not exist")
            if cluster in seen:
                raise FatError(f"a chain comes back to cluster {cluster}")
            seen.add(cluster)
            yield cluster
            cluster = self._table.entry(cluster)
            if self._table.is_end(cluster):
                return

    def _runs(self, chain: Iterator[int], most: int) -> list[Extent]:
        """The same as runs of bytes, neighbours together."""
        runs: list[Extent] = []
        each = self._shape.cluster_bytes
        for cluster in chain:
            offset = self._shape.data_offset + (cluster - _FIRST_CLUSTER) * each
            if runs and runs[-1].end == offset:
                runs[-1] = Extent(runs[-1].offset, runs[-1].length + each)
            elif len(runs) == most:
                raise FatError(f"a file lies in more than {most} pieces")
            else:
                runs.append(Extent(offset, each))
        return runs


def _read_shape(read: Read, size: int) -> _Shape:
    boot = read(0, _BOOT_SECTOR_BYTES)
    if len(boot) < _BOOT_SECTOR_BYTES or boot[510:] != _BOOT_MARK:
        raise FatError("there is no FAT file system: its boot sector has no mark")
    sector, per_cluster, reserved, tables, root_entries, few, medium, short = _COMMON.unpack_from(
        boot
    )
    many, long, flags, _, root_cluster = _LARGE.unpack_from(boot)
    if (
        sector not in _SECTOR_SIZES
        or per_cluster.bit_count() != 1
        or medium < _LEAST_MEDIUM
        or not (reserved and 1 <= tables <= _MAX_TABLES)
    ):
        raise FatError("there is no FAT file system: its boot sector makes no sense")
    table_sectors = short or long
    root = Extent((reserved + tables * table_sectors) * sector, root_entries * _FOLDER_ENTRY_BYTES)
    data_offset = -(-root.end // sector) * sector
    total = (few or many) * sector
    cluster_bytes = per_cluster * sector
    clusters = (total - data_offset) // cluster_bytes
    if clusters < 1 or total > size:
        raise FatError("the FAT file system is larger than its partition, or has no room at all")
    if short:
        bits = 12 if clusters < _FAT12_CLUSTERS else 16
    else:
        bits = 32
        if flags & _UNMIRRORED and flags & _ACTIVE_TABLE:
            raise FatError("another than the first table of the FAT file system is in use")
    table = Extent(reserved * sector, table_sectors * sector)
    most = {12: _FAT12_CLUSTERS - 1, 16: _FAT16_CLUSTERS - 1, 32: _FAT32_CLUSTERS}[bits]
    if clusters > most or table.length * 8 < (clusters + _FIRST_CLUSTER) * bits:
        raise FatError("the table of the FAT file system does not fit the count of its clusters")
    return _Shape(bits, table, root, root_cluster, data_offset, cluster_bytes, clusters)

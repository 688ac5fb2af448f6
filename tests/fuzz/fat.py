# SPDX-License-Identifier: Apache-2.0
"""A FAT file system: every file of its first folders, its bytes and its UKI."""

from __future__ import annotations

import contextlib
from itertools import islice, pairwise

from orchestrator_stub.release.disk_image.choice import choose_uki
from orchestrator_stub.release.disk_image.errors import ChoiceError, FatError
from orchestrator_stub.release.disk_image.fat import Fat
from orchestrator_stub.release.disk_image.fat_folder import FatEntry
from puad.core.boot_file import MAX_BOOT_FILE_BYTES, MAX_EXTENTS
from tests.fuzz.sparse_disk import SparseDisk, mutate_disk, parse_disk
from tests.fuzz.target import Target

_MAX_FOLDERS = 4
_MAX_FILES = 6
_MAX_FOLDER_BYTES = 2 << 20
_PAGE_BYTES = 4097


def check_fat(data: bytes) -> str:
    disk = parse_disk(data)
    try:
        fat = Fat(disk.read, disk.size)
        assert fat.bits in {12, 16, 32}
        files = _walk(disk, fat)
        with contextlib.suppress(ChoiceError):
            choose_uki(fat, None)
    except FatError as error:
        assert str(error).isprintable()
        return str(error)
    refused = "".join({why for file in files if (why := _check_file(disk, fat, file))})
    return f"FAT{fat.bits}, {len(files)} files{refused and f', one refused: {refused}'}"


def _walk(disk: SparseDisk, fat: Fat) -> list[FatEntry]:
    """The first files of the first folders, breadth first; a folder may hold itself."""
    folders: list[FatEntry | None] = [None]
    files: list[FatEntry] = []
    for folder in (folders[place] for place in range(_MAX_FOLDERS) if place < len(folders)):
        before = disk.bytes_read
        entries = fat.entries(folder)
        most = _MAX_FOLDER_BYTES + _MAX_FOLDER_BYTES // 512 * _PAGE_BYTES
        assert disk.bytes_read - before <= most
        assert all(entry.name not in {".", ".."} for entry in entries)
        folders += [entry for entry in islice(entries, 64) if entry.is_folder]
        files += [entry for entry in islice(entries, 64) if not entry.is_folder][:_MAX_FILES]
        if folder is None and entries:
            assert fat.find((entries[0].name,)) == entries[0]
    return files


def _check_file(disk: SparseDisk, fat: Fat, file: FatEntry) -> str:
    """Why its bytes are not to be had; empty when they are."""
    if file.size > MAX_BOOT_FILE_BYTES:
        return ""
    before = disk.reads
    try:
        extents = fat.extents(file, MAX_EXTENTS)
    except FatError as error:
        assert str(error).isprintable()
        return str(error)
    assert disk.reads - before <= len(extents) + file.size // 512 // 1024 + 2
    assert sum(extent.length for extent in extents) == file.size
    assert all(0 < extent.offset < extent.end <= disk.size for extent in extents)
    in_place = sorted(extents, key=lambda extent: extent.offset)
    assert all(one.end <= other.offset for one, other in pairwise(in_place))
    return ""


FAT = Target("fat", check_fat, mutate_disk)

# SPDX-License-Identifier: Apache-2.0
"""What the back ends do in the same way on the partition that holds entries and boot files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from bootloader.durable import Files, storage_errors
from bootloader.errors import BootloaderError, ErrorName
from bootloader.slot import BootFileKind

_MAX_BYTES: Final = 64 << 10


def require_writable(mount_point: Path, folder: str, called: str) -> None:
    """Check that a folder of the partition is there and can be written.

    Args:
        mount_point: Where the partition is mounted.
        folder: The folder, which is never made here: without it, another partition is mounted.
        called: What people call the partition.

    Raises:
        BootloaderError: `StorageFailed`, saying what is missing or read-only.
    """
    path = mount_point / folder
    with storage_errors(path):
        is_there = path.is_dir()
    if not is_there:
        what = f"there is no folder {folder} on {called}: is it mounted?"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(mount_point))
    if not os.access(path, os.W_OK):
        what = f"{called} is mounted read-only, or went read-only after an error"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(mount_point))


def staged_kinds(folder: Path) -> frozenset[BootFileKind]:
    """The boot files that are in a slot's folder.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    with storage_errors(folder):
        return frozenset(kind for kind in BootFileKind if (folder / kind).is_file())


def has_files(folder: Path) -> bool:
    """Whether anything is in a slot's folder.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    return bool(list_folder(folder))


def remove_boot_files(folder: Path, files: Files) -> None:
    """Empty a slot's folder; nothing happens when there is none.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    for path in list_folder(folder):
        files.remove(path)


def read_begin(path: Path, most: int = _MAX_BYTES, *, strictly: bool = False) -> bytes:
    """The begin of a file, which is all that a small one has; empty when there is none.

    Args:
        path: The file.
        most: How much of it.
        strictly: Whether one that cannot be read is an error; else it reads as empty.

    Raises:
        BootloaderError: `StorageFailed`, only when asked strictly.
    """
    try:
        with storage_errors(path):
            try:
                with path.open("rb") as file:
                    return file.read(most)
            except FileNotFoundError:
                return b""
    except BootloaderError:
        if strictly:
            raise
        return b""


def size_of(path: Path, *, strictly: bool = False) -> int | None:
    """The bytes that a file has; None when it is not there or cannot be looked at.

    Args:
        path: The file.
        strictly: Whether not being able to look is an error.

    Raises:
        BootloaderError: `StorageFailed`, only when asked strictly.
    """
    try:
        with storage_errors(path):
            try:
                return path.stat().st_size
            except FileNotFoundError:
                return None
    except BootloaderError:
        if strictly:
            raise
        return None


def list_folder(folder: Path) -> list[Path]:
    """What is in a folder; nothing when there is none, and in no other case.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    with storage_errors(folder):
        try:
            return sorted(folder.iterdir())
        except FileNotFoundError:
            return []

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
    return bool(_listed(folder))


def remove_boot_files(folder: Path, files: Files) -> None:
    """Empty a slot's folder; nothing happens when there is none.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    for path in _listed(folder):
        files.remove(path)


def read_begin(path: Path) -> bytes:
    """The begin of a file, which is all that a small one has; empty when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES)
    except OSError:
        return b""


def _listed(folder: Path) -> list[Path]:
    with storage_errors(folder):
        return sorted(folder.iterdir()) if folder.is_dir() else []

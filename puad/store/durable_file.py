# SPDX-License-Identifier: Apache-2.0
"""Durable replacement of a file: after a power cut it is the old one or the new one, never torn.

The order is the whole point (invariant 5):

1. a temporary file in the same folder is created anew, never opened through a link;
2. all bytes are written, then fsynced, so that the name never points at bytes that are not there;
3. it is renamed over the old file, in one step;
4. the folder is fsynced, so that the new name itself survives.

`System` holds the system calls that this takes. A test takes their record apart and rebuilds the
folder as a power cut between any two of them may leave it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

_MODE: Final = 0o644  # no document holds a secret; the health process and puad read each other's


class System:
    """The system calls that change the disk, one method each."""

    def create(self, path: Path) -> int:
        """Make a new, empty file and give its descriptor; fails when there is one."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(path, flags, _MODE)

    def write(self, fd: int, data: bytes) -> int:
        """Write some bytes and say how many."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """Wait until the file's bytes are on the medium."""
        os.fsync(fd)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, in place of what has it."""
        old.replace(new)

    def sync_folder(self, folder: Path) -> None:
        """Wait until the folder's names are on the medium."""
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)


def replace_file(path: Path, data: bytes, system: System) -> None:
    """Put `data` in place of the file at `path`, durably.

    Raises:
        OSError: When it could not be done; the old file is still there then, unless only the
            last fsync failed.
    """
    temporary = path.with_name(f".{path.name}.new")
    system.remove(temporary)  # what an earlier power cut left behind
    try:
        _write_all(system.create(temporary), data, system)
        system.rename(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):  # the first error is the one to report
            system.remove(temporary)
        raise
    system.sync_folder(path.parent)


def _write_all(fd: int, data: bytes, system: System) -> None:
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[system.write(fd, bytes(rest)) :]
        system.sync(fd)
    finally:
        os.close(fd)

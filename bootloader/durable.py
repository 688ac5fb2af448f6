# SPDX-License-Identifier: Apache-2.0
"""The seam through which boot control changes files, so that each change is on disk on return.

Everything that must survive a power cut goes through `Files`; a test takes its place and cuts the
power at any of these calls. Foreign OSErrors become BootloaderError here.

On FAT a renamed file has a directory entry of zero bytes until its inode is written, and syncing
the folder does not write it: so the file is synced after a rename as well, before the folder. A
power cut in a rename can leave one file there under two names, and removing both frees its blocks
twice, which makes the kernel stop writing that file system: so new files are made without one.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bootloader.errors import BootloaderError, ErrorName

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class Files:
    """Durable writes: when a method returns, the change survives a power cut."""

    def write_at(self, path: Path, offset: int, data: bytes) -> None:
        """Write in place, as firmware does; the bytes may be torn by a power cut."""
        with storage_errors(path):
            # a link that stands here was made by somebody else, and could lead anywhere
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(path, flags, 0o600)
            try:
                done = 0
                while done < len(data):
                    done += os.pwrite(fd, data[done:], offset + done)
                os.fsync(fd)
            finally:
                os.close(fd)

    def replace(self, path: Path, data: bytes) -> None:
        """Replace the whole file; a power cut leaves the old or the new one."""
        with self.incoming(path) as file:
            file.write(data)

    @contextmanager
    def incoming(self, path: Path) -> Iterator[BinaryIO]:
        """A file that takes the place of `path` when the block ends well, and vanishes if not."""
        partial = path.with_name(f".{path.name}.new")
        with storage_errors(path):
            self.make_folder(path.parent)
            partial.unlink(missing_ok=True)  # left by a power cut, or a link that somebody planted
            try:
                with partial.open("xb") as file:  # O_EXCL: it follows no link either
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                    partial.replace(path)
                    os.fsync(file.fileno())
                _sync_folder(path.parent)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise

    @contextmanager
    def fresh(self, path: Path) -> Iterator[BinaryIO]:
        """A new file that is written under its own name, and vanishes unless the block ends well.

        A power cut leaves it half-written: for a file that counts only once something names it.
        """
        with storage_errors(path):
            self.make_folder(path.parent)
            with path.open("xb") as file:
                try:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                    _sync_folder(path.parent)
                except BaseException:
                    path.unlink()
                    raise

    def rename(self, path: Path, target: Path) -> None:
        """Give a file another name in its folder; there is no file of that name."""
        with storage_errors(path):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                path.rename(target)
                os.fsync(fd)
            finally:
                os.close(fd)
            _sync_folder(target.parent)

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it; nothing happens when it is there."""
        with storage_errors(folder):
            for missing in reversed([folder, *folder.parents]):
                if not missing.is_dir():
                    missing.mkdir(mode=0o700, exist_ok=True)
                    _sync_folder(missing.parent)

    def remove(self, path: Path) -> None:
        """Remove a file; nothing happens when there is none.

        It is held open until its name is gone from the medium: only then are its blocks freed. A
        name that outlives its blocks is damage to the kernel when it is removed once more.
        """
        with storage_errors(path):
            try:
                fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            try:
                path.unlink()
                _sync_folder(path.parent)
            finally:
                os.close(fd)


@contextmanager
def storage_errors(path: Path | str) -> Iterator[None]:
    """Translate an OSError of this block into NoSpace or StorageFailed."""
    try:
        yield
    except OSError as error:
        full = error.errno in _NO_ROOM
        name = ErrorName.NO_SPACE if full else ErrorName.STORAGE_FAILED
        what = "there is no room left" if full else f"storage failed: {error.strerror or error}"
        raise BootloaderError(name, what, on=str(path)) from error


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

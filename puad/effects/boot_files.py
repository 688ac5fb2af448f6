# SPDX-License-Identifier: Apache-2.0
"""Boot files on their way to boot control: fetched once, verified at each use.

They are kept by their hash on the persistent partition until the run ends, because a slot must be
staged anew after each restart of the boot-control service, and no verified byte is fetched twice.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

from puad.core.boot_file import BootFile
from puad.core.errors import Code, StorageError, TrustError
from puad.download.source import Source

_FOLDER: Final = "boot-files"
_PIECE_BYTES: Final = 1 << 20


class BootFileCache:
    """Boot files by their hash, in a folder of the persistent partition."""

    def __init__(self, persist: Path) -> None:
        self._folder = persist / _FOLDER

    @contextlib.contextmanager
    def open(
        self, file: BootFile, source: Callable[[str], Source], cancelled: Callable[[], bool]
    ) -> Iterator[int]:
        """A read-only descriptor of a boot file whose hash was verified.

        Raises:
            TrustError: `HASH_MISMATCH`, when the fetched bytes are not the signed ones.
            StorageError: The persistent partition cannot keep it.
        """
        path = self._folder / file.sha256
        try:
            if not _is_intact(path, file):
                self._fetch(path, file, source(file.path), cancelled)
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            code = Code.DISK_FULL if full else Code.STATE_UNWRITABLE
            what = f"A boot file cannot be kept: {error.strerror}"
            raise StorageError(code, what, on=str(path)) from error
        try:
            yield fd
        finally:
            os.close(fd)

    def keep_only(self, hashes: Collection[str]) -> None:
        """Remove every boot file but those: what a run that failed has left here."""
        for path in self._folder.glob("*"):
            if path.name not in hashes:
                path.unlink()

    def _fetch(
        self, path: Path, file: BootFile, source: Source, cancelled: Callable[[], bool]
    ) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        partial = path.with_suffix(".partial")
        digest = hashlib.sha256()
        with partial.open("wb") as out:
            for piece in source.read(0, file.size, cancelled):
                digest.update(piece)
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != file.sha256:
            partial.unlink()
            what = "The boot file's bytes do not have the signed hash"
            raise TrustError(Code.HASH_MISMATCH, what, on=file.path)
        partial.replace(path)


def _is_intact(path: Path, file: BootFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as kept:
        while piece := kept.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest() == file.sha256

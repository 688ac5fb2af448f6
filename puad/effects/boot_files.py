# SPDX-License-Identifier: Apache-2.0
"""Boot files on their way to boot control: fetched once, verified at each use.

They are kept by their hash on the persistent partition until the run ends, because a slot must be
staged anew after each restart of the boot-control service, and no verified byte is fetched twice.
A boot file that is published by itself is fetched when it is staged, and from where an earlier
fetch was cut off. One that lies inside a published disk is spooled while that is written, and kept
once it has its hash.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from puad.core.boot_file import BootFile
from puad.core.cancelling import require_going_on
from puad.core.errors import Code, DownloadError, StorageError, TrustError
from puad.core.storage import refused_write
from puad.download.source import Source
from puad.writer import Spool

_FOLDER: Final = "boot-files"
_PIECE_BYTES: Final = 1 << 20
_SPOOL: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


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
        with _storage_errors(path):
            if not _is_intact(path, file):
                if not file.path:
                    what = "A boot file that was taken from the published disk was not kept"
                    raise StorageError(Code.STATE_UNWRITABLE, what, on=str(path))
                self._fetch(path, file, source(file.path), cancelled)
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def spooling(self, files: Iterable[BootFile]) -> Iterator[tuple[Spool, ...]]:
        """Spools for those that lie inside the published disk and are not here yet.

        What an earlier write of the same disk has left in them is still there. When the block ends
        without an error they are verified and kept; with one, they wait for the next write, unless
        they were spoilt.

        Raises:
            TrustError: `HASH_MISMATCH`, when what was spooled is not the signed boot file.
            StorageError: The persistent partition cannot keep it.
        """
        with contextlib.ExitStack() as opened:
            spools = [
                (file, opened.enter_context(self._spool(file)))
                for file in files
                if file.extents and not self._has(file)
            ]
            yield tuple(spool for _, spool in spools)
            for file, spool in spools:
                spool.sync()
                if not self._has(file):
                    spool.spoil()
                    what = f"The {file.kind} of the image does not have the signed hash"
                    raise TrustError(Code.HASH_MISMATCH, what)

    def keep_only(self, hashes: Collection[str]) -> None:
        """Remove every boot file but those: what a run that failed has left here.

        Raises:
            StorageError: The persistent partition cannot be changed.
        """
        with _storage_errors(self._folder):
            for path in self._folder.glob("*"):
                if path.stem not in hashes:
                    path.unlink()

    def _has(self, file: BootFile) -> bool:
        """Whether it is here; one that was spooled whole is kept from now on."""
        path, spooled = self._folder / file.sha256, self._spool_of(file)
        with _storage_errors(path):
            if _is_intact(path, file):
                return True
            if not _is_intact(spooled, file):
                return False
            _sync(spooled)  # it may have come out of the memory of a process that was killed
            spooled.replace(path)
            return True

    @contextlib.contextmanager
    def _spool(self, file: BootFile) -> Iterator[Spool]:
        path = self._spool_of(file)
        with _storage_errors(path):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            fd = os.open(path, _SPOOL, 0o600)
        try:
            with _storage_errors(path):
                os.ftruncate(fd, file.size)
                os.posix_fallocate(fd, 0, file.size)  # a full disk shows before anything is fetched
            spool = Spool(fd, file.extents)
            try:
                yield spool
            finally:
                if spool.spoilt:
                    with contextlib.suppress(OSError):  # it is empty, and no boot file
                        path.unlink()
        finally:
            os.close(fd)

    def _spool_of(self, file: BootFile) -> Path:
        return self._folder / f"{file.sha256}.spool"

    def _fetch(
        self, path: Path, file: BootFile, source: Source, cancelled: Callable[[], bool]
    ) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        partial = path.with_suffix(".partial")
        # What an earlier fetch has left may be torn by a power cut: that is no fault of the server.
        for _ in range(1 + _is_left(partial, file)):
            if _complete(partial, file, source, cancelled):
                partial.replace(path)
                return
            partial.unlink()
        what = "The boot file's bytes do not have the signed hash"
        raise TrustError(Code.HASH_MISMATCH, what, on=file.path)


def _is_left(partial: Path, file: BootFile) -> bool:
    """Whether a fetch was cut off that can go on; what is no part of the file is removed."""
    if not partial.is_symlink() and partial.is_file() and partial.stat().st_size <= file.size:
        return partial.stat().st_size > 0
    partial.unlink(missing_ok=True)
    return False


def _complete(partial: Path, file: BootFile, source: Source, cancelled: Callable[[], bool]) -> bool:
    """Fetch what a partial boot file lacks, and say whether it has its signed hash then."""
    digest = hashlib.sha256()
    with os.fdopen(os.open(partial, _SPOOL, 0o600), "r+b") as out:
        while piece := out.read(_PIECE_BYTES):
            require_going_on(cancelled)
            digest.update(piece)
        begin = out.tell()
        try:
            for piece in source.read(begin, file.size - begin, cancelled):
                digest.update(piece)
                out.write(piece)
        except DownloadError as error:
            if error.code is Code.DOWNLOAD_MISMATCH:  # as of a server that gives no ranges
                partial.unlink()
            raise
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest() == file.sha256


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refused_write(error, "A boot file cannot be kept", on=str(path)) from error


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _is_intact(path: Path, file: BootFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as kept:
        while piece := kept.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest() == file.sha256

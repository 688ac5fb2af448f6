# SPDX-License-Identifier: Apache-2.0
"""A repository in a folder: what `puad-release export` wrote, on a stick or a share.

The folder is an open descriptor, and every name is looked up below it one component at a time, no
link followed: a prepared stick cannot make the agent read another file of the node.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import Final

from tuf.api import exceptions
from tuf.ngclient.fetcher import FetcherInterface

from puad.core.cancelling import require_going_on
from puad.core.errors import Code, DownloadError
from puad.download.patience import BrokenTransferError

_PIECE_BYTES: Final = 1 << 18
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a named pipe must not wait for its writer
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SCHEME: Final = "folder:"


class FolderOrigin:
    """An exported repository.

    Args:
        folder: Open descriptor of its directory; it stays the caller's.
    """

    base_url: Final = _SCHEME

    def __init__(self, folder: int) -> None:
        self._folder = folder

    def fetcher(self) -> FetcherInterface:
        """How TUF gets at small files."""
        return _FolderFetcher(self._folder)

    def source(self, path: str, file_size: int) -> FolderSource:
        """The bytes of a big file."""
        return FolderSource(self._folder, path, file_size)


class FolderSource:
    """One file below an open folder.

    Args:
        folder: Open descriptor of the folder.
        path: The file's name below it.
        file_size: Its signed size, in bytes.
    """

    def __init__(self, folder: int, path: str, file_size: int) -> None:
        self._folder = folder
        self._path = path
        self._file_size = file_size

    def read(self, offset: int, length: int, cancelled: Callable[[], bool]) -> Iterator[bytes]:
        """Give exactly `length` bytes from `offset` on (see `Source`)."""
        end = offset + length
        try:
            with _open_below(self._folder, self._path) as fd:
                self._require_size(os.fstat(fd).st_size)
                while offset < end:
                    require_going_on(cancelled)
                    piece = os.pread(fd, min(_PIECE_BYTES, end - offset), offset)
                    if not piece:
                        raise BrokenTransferError("The file became shorter", on=self._path)
                    offset += len(piece)
                    yield piece
        except FileNotFoundError as error:
            raise DownloadError(
                Code.DOWNLOAD_REFUSED, "The folder does not have this file", on=self._path
            ) from error
        except OSError as error:
            raise BrokenTransferError(
                f"The file cannot be read: {error.strerror}", on=self._path
            ) from error

    def _require_size(self, size: int) -> None:
        if size != self._file_size:
            raise DownloadError(
                Code.DOWNLOAD_MISMATCH,
                f"The file has {size} bytes in place of {self._file_size}",
                on=self._path,
            )


class _FolderFetcher(FetcherInterface):
    def __init__(self, folder: int) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = url.removeprefix(_SCHEME).lstrip("/")
        try:
            with _open_below(self._folder, path) as fd:
                while piece := os.read(fd, _PIECE_BYTES):
                    yield piece
        except FileNotFoundError as error:
            raise exceptions.DownloadHTTPError(f"{path} is not there", 404) from error
        except OSError as error:
            raise exceptions.DownloadError(f"{path}: {error.strerror}") from error


@contextlib.contextmanager
def _open_below(folder: int, path: str) -> Iterator[int]:
    *parents, name = path.split("/")
    with contextlib.ExitStack() as opened:
        for parent in parents:
            folder = _open_one(folder, parent, _FOLDER, opened)
        fd = _open_one(folder, name, _FILE, opened)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise FileNotFoundError(path)
        yield fd


def _open_one(folder: int, name: str, flags: int, opened: contextlib.ExitStack) -> int:
    if name in {"", ".", ".."} or "\0" in name:
        raise FileNotFoundError(name)
    try:
        fd = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:  # a link, or a file in place of a folder
            raise FileNotFoundError(name) from error
        raise
    opened.callback(os.close, fd)
    return fd

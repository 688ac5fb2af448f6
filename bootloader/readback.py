# SPDX-License-Identifier: Apache-2.0
"""Reading back past the page cache: what the medium holds, not what memory remembers of it."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
from typing import Final

from bootloader.durable import storage_errors

_BUFFER_BYTES: Final = 1 << 20


def hash_from_medium(fd: int, size: int, name: str) -> str:
    """SHA-256 of the first `size` bytes, hex; of fewer when the file ends before.

    It reads with O_DIRECT where the file system can, and otherwise drops the cached pages first.

    Args:
        fd: What to read; its file status flags change while it is read.
        size: How many bytes.
        name: What it is called in errors.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    with storage_errors(name):
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        try:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_DIRECT)
        except OSError:  # not on this file system: the pages are dropped, which is what is left
            return _hash(fd, size)
        try:
            return _hash(fd, size)
        finally:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)


def _hash(fd: int, size: int) -> str:
    digest = hashlib.sha256()
    done = 0
    with mmap.mmap(-1, _BUFFER_BYTES) as buffer, memoryview(buffer) as view:
        while done < size:
            count = os.preadv(fd, [buffer], done)
            if not count:
                break
            digest.update(view[: min(count, size - done)])
            done += count
    return digest.hexdigest()

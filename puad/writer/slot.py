# SPDX-License-Identifier: Apache-2.0
"""The slot under write: positioned reads and writes on boot control's descriptor.

1. Where the device can, bytes go past the page cache (O_DIRECT): an update must not push the
   node's own work out of memory, and reading back must ask the medium. That takes aligned buffers
   (`make_buffer`), offsets and lengths; an odd rest goes through the cache.
2. Where it cannot, `sync` drops what was written from the cache.
3. Zeros are not sent where device or file system can make them (`puad.writer.zero_range`).
4. Every failure of the medium is a `StorageError`, `SLOT_WRITE_FAILED`.
5. Several threads may use it at once.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from collections.abc import Callable, Iterator
from typing import Final

from puad.core.errors import Code, StorageError
from puad.writer.direct_mode import DirectMode
from puad.writer.zero_range import zero_range

_Transfer = Callable[[int, int, memoryview], None]
_ALIGNMENT: Final = 4096
_ZEROS_BYTES: Final = 1 << 20


class SlotFile:
    """A slot, writable.

    Args:
        fd: Descriptor for reading and writing; it stays the caller's.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._direct_works = True
        self._mode = DirectMode(fd)

    def write(self, offset: int, data: memoryview) -> None:
        """Write all of `data`, which lies in a buffer of `make_buffer`.

        Raises:
            StorageError: `SLOT_WRITE_FAILED`.
        """
        with _slot_errors("written"):
            done = self._past_cache(_write_all, offset, data)
            self._through_cache(_write_all, offset + done, data[done:])

    def zero(self, offset: int, length: int) -> None:
        """Make a range zero.

        Raises:
            StorageError: `SLOT_WRITE_FAILED`.
        """
        with _slot_errors("written"), self._zeroing(offset, length):
            if zero_range(self._fd, offset, length):
                return
        zeros = make_buffer(min(length, _ZEROS_BYTES))
        for start in range(0, length, _ZEROS_BYTES):
            self.write(offset + start, zeros[: length - start])

    def read(self, offset: int, into: memoryview) -> bool:
        """Fill `into` from the slot; False when the medium does not give the bytes."""
        try:
            done = self._past_cache(_read_all, offset, into)
            os.posix_fadvise(self._fd, offset, len(into), os.POSIX_FADV_DONTNEED)
            self._through_cache(_read_all, offset + done, into[done:])
        except OSError:
            return False
        return True

    def sync(self) -> None:
        """Return when everything written is on the medium.

        Raises:
            StorageError: `SLOT_WRITE_FAILED`.
        """
        with _slot_errors("synced"):
            os.fsync(self._fd)
            if not self._direct_works:
                os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        """Give the descriptor back as it came."""
        with contextlib.suppress(OSError), self._mode.held(direct=False):
            pass

    def _zeroing(self, offset: int, length: int) -> contextlib.AbstractContextManager[None]:
        """Where zeros share a page with a neighbour, that is not written through the cache now."""
        is_aligned = not (offset % _ALIGNMENT or length % _ALIGNMENT)
        return contextlib.nullcontext() if is_aligned else self._mode.alone()

    def _past_cache(self, transfer: _Transfer, offset: int, data: memoryview) -> int:
        """Transfer the aligned part and say how much that is."""
        if not self._direct_works or offset % _ALIGNMENT:
            return 0
        length = len(data) - len(data) % _ALIGNMENT
        try:
            with self._mode.held(direct=True):
                transfer(self._fd, offset, data[:length])
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._direct_works = False
            return 0
        return length

    def _through_cache(self, transfer: _Transfer, offset: int, data: memoryview) -> None:
        if data:
            with self._mode.held(direct=False):
                transfer(self._fd, offset, data)


def make_buffer(size_bytes: int) -> memoryview:
    """Memory that starts on a page, as O_DIRECT wants it."""
    return memoryview(mmap.mmap(-1, size_bytes))


def _write_all(fd: int, offset: int, data: memoryview) -> None:
    while data:
        count = os.pwrite(fd, data, offset)
        data, offset = data[count:], offset + count


def _read_all(fd: int, offset: int, into: memoryview) -> None:
    while into:
        count = os.preadv(fd, [into], offset)
        if not count:
            raise OSError(errno.EIO, "it ends too early")
        into, offset = into[count:], offset + count


@contextlib.contextmanager
def _slot_errors(done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            Code.SLOT_WRITE_FAILED, f"The slot cannot be {done}: {error.strerror}"
        ) from error

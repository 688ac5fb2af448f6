# SPDX-License-Identifier: Apache-2.0
"""A spool: a boot file that is put together out of a whole disk while that is streamed.

Its bytes lie in the disk in extents, anywhere and in any order, so they are written where they
belong. What a spool holds is vouched for only when its whole hash has been checked; that is done by
who gave the descriptor.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Final

from puad.core.errors import StorageError
from puad.core.extent import Extent
from puad.core.storage import refused_write

_ZEROS_BYTES: Final = 1 << 20


class Spool:
    """One boot file under way.

    Args:
        fd: Its file, for reading and writing; it stays the caller's.
        extents: Where it lies in the disk, in the order of its bytes.
    """

    def __init__(self, fd: int, extents: Sequence[Extent]) -> None:
        self.extents = tuple(extents)
        self._fd = fd
        self._is_unsynced = True  # what an earlier process has written may be in memory only
        self._spoilt = False

    @property
    def spoilt(self) -> bool:
        """Whether what it held was thrown away."""
        return self._spoilt

    def write(self, offset: int, data: memoryview) -> None:
        """Write all of `data` at that place of the boot file.

        Raises:
            StorageError: `DISK_FULL` or `STATE_UNWRITABLE`.
        """
        try:
            with _storage_errors():
                while data:
                    count = os.pwrite(self._fd, data, offset)
                    data, offset = data[count:], offset + count
        finally:
            self._is_unsynced = True

    def zero(self, offset: int, length: int) -> None:
        """Make a range of the boot file zero.

        Raises:
            StorageError: `DISK_FULL` or `STATE_UNWRITABLE`.
        """
        zeros = memoryview(bytes(min(length, _ZEROS_BYTES)))
        for start in range(0, length, _ZEROS_BYTES):
            self.write(offset + start, zeros[: length - start])

    def read(self, offset: int, into: memoryview) -> bool:
        """Fill `into` from there; False when it cannot be read or is shorter."""
        try:
            while into:
                count = os.preadv(self._fd, [into], offset)
                if not count:
                    return False
                into, offset = into[count:], offset + count
        except OSError:
            return False
        return True

    def sync(self) -> None:
        """Return when every write that has returned is on the medium.

        Raises:
            StorageError: `DISK_FULL` or `STATE_UNWRITABLE`.
        """
        if self._is_unsynced:
            self._is_unsynced = False  # first: a write that ends meanwhile is for the next time
            try:
                with _storage_errors():
                    os.fsync(self._fd)
            except StorageError:
                self._is_unsynced = True
                raise

    def spoil(self) -> None:
        """Throw away what it holds.

        Raises:
            StorageError: `STATE_UNWRITABLE`.
        """
        self._spoilt = True
        with _storage_errors():
            os.ftruncate(self._fd, 0)


@contextlib.contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refused_write(error, "A boot file cannot be kept") from error

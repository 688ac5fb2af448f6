# SPDX-License-Identifier: Apache-2.0
"""Direct mode: whether transfers of a descriptor go past the page cache (O_DIRECT).

It is a flag of the open file, so all threads that use the descriptor share it. Many may transfer at
once in the same mode; it changes only when nobody transfers.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator


class DirectMode:
    """The mode of one descriptor, which is not direct at first.

    Args:
        fd: The descriptor; it stays the caller's.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._is_direct = False
        self._users = 0
        self._changes = threading.Condition()

    @contextlib.contextmanager
    def held(self, *, direct: bool) -> Iterator[None]:
        """Keep the descriptor in a mode while the block lasts; it waits for those in the other.

        Raises:
            OSError: The file system has no direct mode (EINVAL).
        """
        with self._changes:
            self._changes.wait_for(lambda: self._is_direct == direct or not self._users)
            if self._is_direct != direct:
                flags = fcntl.fcntl(self._fd, fcntl.F_GETFL) & ~os.O_DIRECT
                fcntl.fcntl(self._fd, fcntl.F_SETFL, flags | (os.O_DIRECT if direct else 0))
                self._is_direct = direct
            self._users += 1
        try:
            yield
        finally:
            with self._changes:
                self._users -= 1
                self._changes.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody transfers, and let nobody begin while the block lasts."""
        with self._changes:
            self._changes.wait_for(lambda: not self._users)
            yield

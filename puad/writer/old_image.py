# SPDX-License-Identifier: Apache-2.0
"""The old image: what lies on the active slot, read as the material of a delta.

Nothing of it is trusted: what is made of it is checked by the new image's hashes. Reading goes
through the page cache, because windows of neighbouring chunks overlap; only the last few MiB are
left there, so that an update does not push the node's own work out of memory.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from puad.core.extent import Extent

_KEPT_BYTES: Final = 16 << 20


class OldImage:
    """The active slot, readable; several threads may read.

    Args:
        fd: Descriptor for reading; it stays the caller's.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self._kept: deque[Extent] = deque()
        self._kept_bytes = 0

    def read(self, windows: Sequence[Extent], into: memoryview) -> bool:
        """Fill `into` with the windows, one after the other.

        Args:
            windows: They have as many bytes together as there is room.
            into: The room.

        Returns:
            False when the medium does not give the bytes, all or some.
        """
        at = 0
        try:
            for window in windows:
                if not self._read(window.offset, into[at : at + window.length]):
                    return False
                at += window.length
                self._keep(window)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Leave nothing in the page cache."""
        with self._lock:
            self._drop(0)

    def _read(self, offset: int, into: memoryview) -> bool:
        while into:
            count = os.preadv(self._fd, [into], offset)
            if not count:
                return False
            into, offset = into[count:], offset + count
        return True

    def _keep(self, window: Extent) -> None:
        with self._lock:
            self._kept.append(window)
            self._kept_bytes += window.length
            self._drop(_KEPT_BYTES)

    def _drop(self, most_bytes: int) -> None:
        while self._kept and self._kept_bytes > most_bytes:
            oldest = self._kept.popleft()
            self._kept_bytes -= oldest.length
            os.posix_fadvise(self._fd, oldest.offset, oldest.length, os.POSIX_FADV_DONTNEED)

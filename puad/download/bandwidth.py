# SPDX-License-Identifier: Apache-2.0
"""The bandwidth of an install: what all its connections take of the network together.

Bytes of bodies are counted; what TCP, TLS and HTTP put around them comes on top. A connection that
has to wait does not read, so its peer fills the receive buffer and then waits as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from puad.core.token_bucket import TokenBucket
from puad.download.patience import rest

PIECE_BYTES: Final = 1 << 18
_BURST_S: Final = 0.25  # what a pause of the scheduler may cost without a loss


class Bandwidth:
    """Shared by the connections of one install.

    Args:
        limit_bytes_s: What they may take together; 0 for no limit.
        now_s: The monotonic clock.
        wait: Waits for so long, unless it is cancelled.

    Attributes:
        fetched_bytes: What has come over all of them.
        piece_bytes: The most that one of them takes at once, so that they take turns.
    """

    def __init__(
        self,
        limit_bytes_s: int = 0,
        *,
        now_s: Callable[[], float] = time.monotonic,
        wait: Callable[[float, Callable[[], bool]], None] = rest,
    ) -> None:
        self._now_s = now_s
        self._wait = wait
        self._lock = threading.Lock()
        self._bucket: TokenBucket | None = None
        self.fetched_bytes = 0
        self.piece_bytes = PIECE_BYTES
        if limit_bytes_s:
            burst = limit_bytes_s * _BURST_S
            self._bucket = TokenBucket(limit_bytes_s, burst, now_s())
            self.piece_bytes = max(1, min(PIECE_BYTES, int(burst)))

    def took(self, size_bytes: int) -> None:
        """Take note of bytes that have come."""
        with self._lock:
            self.fetched_bytes += size_bytes
            if self._bucket is not None:
                self._bucket.take(size_bytes, self._now_s())

    def wait(self, cancelled: Callable[[], bool]) -> None:
        """Return when the next bytes may come.

        Raises:
            OperatorError: `CANCELLED`.
        """
        while self._bucket is not None:
            with self._lock:
                wait_s = self._bucket.wait_s(self._now_s())
            if not wait_s:
                return
            self._wait(wait_s, cancelled)

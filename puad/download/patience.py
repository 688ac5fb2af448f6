# SPDX-License-Identifier: Apache-2.0
"""Patience: how often a broken transfer is tried again, and how slow a running one may be.

1. What may go better next time is a `BrokenTransferError`. So many of them in a row, and the last
   one stands. They are in a row as long as less arrives in between than the minimum rate makes of
   all the time since the first: a server that sends a little and then asks for an hour's patience,
   again and again, does not keep a transfer for ever.
2. Waits between tries grow, are spread at random, honour Retry-After within a bound, and end at
   once when the transfer is cancelled.
3. A sender below the minimum rate is cut for good: a new connection to it would be as slow. What
   an answer takes to begin, beyond a usual way there and back, counts as well.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from puad.client.backoff import Backoff
from puad.config import Limits
from puad.core.cancelling import require_going_on
from puad.core.errors import Code, DownloadError

_PROGRESS_BYTES: Final = 1 << 14
_GLANCE_S: Final = 0.1
_USUAL_LATENCY_S: Final = 3.0  # of a satellite link that has to be set up


class BrokenTransferError(DownloadError):
    """A transfer ended before its time; the next one may do better.

    Args:
        what: What happened.
        on: The URL or the file.
        retry_after_s: How long the server asked to wait; None when it did not.
    """

    def __init__(self, what: str, *, on: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(Code.DOWNLOAD_UNREACHABLE, what, on=on)
        self.retry_after_s = retry_after_s


class Patience:
    """The tries of one file, over every answer for it.

    Args:
        limits: How many tries, and how long the waits are.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._failures = 0
        self._gained_bytes = 0
        self._failing_since_s = 0.0

    def received(self, size_bytes: int) -> None:
        """Take note of bytes that arrived: enough of them, and earlier failures are forgotten."""
        if not self._failures:
            return
        self._gained_bytes += size_bytes
        failing_s = time.monotonic() - self._failing_since_s
        if self._gained_bytes >= max(_PROGRESS_BYTES, self._limits.min_rate_bytes_s * failing_s):
            self._failures = 0

    def wait_after(self, error: BrokenTransferError, cancelled: Callable[[], bool]) -> None:
        """Wait before the next try.

        Args:
            error: Why the last one failed.
            cancelled: Ends the wait.

        Raises:
            BrokenTransferError: `error` itself, when there have been tries enough.
            OperatorError: `CANCELLED`.
        """
        if not self._failures:
            self._failing_since_s, self._gained_bytes = time.monotonic(), 0
        self._failures += 1
        if self._failures >= self._limits.download_attempts:
            raise error
        backoff = Backoff(self._limits.backoff_first_s, self._limits.backoff_most_s)
        asked_s = min(error.retry_after_s or 0.0, self._limits.retry_after_most_s)
        rest(max(backoff.wait_s(self._failures, random.random), asked_s), cancelled)


class MinimumRate:
    """Counts what arrives in one window after another, over every answer for a file."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes = 0
        self._seconds = 0.0

    @property
    def window_s(self) -> float:
        """No piece may take longer to come: a window without one is too slow by itself."""
        return self._limits.min_rate_window_s

    def count_beginning(self, seconds: float) -> None:
        """Take note of how long an answer took to begin.

        Raises:
            DownloadError: `DOWNLOAD_UNREACHABLE`, when a whole window was too slow.
        """
        self.count(0, max(0.0, seconds - _USUAL_LATENCY_S))

    def count(self, size_bytes: int, seconds: float) -> None:
        """Take note of bytes and of the time that was spent waiting for them.

        Raises:
            DownloadError: `DOWNLOAD_UNREACHABLE`, when a whole window was too slow.
        """
        self._bytes += size_bytes
        self._seconds += seconds
        if self._seconds < self._limits.min_rate_window_s:
            return
        rate = self._bytes / self._seconds
        self._bytes, self._seconds = 0, 0.0
        if rate < self._limits.min_rate_bytes_s:
            raise DownloadError(
                Code.DOWNLOAD_UNREACHABLE,
                f"The release service sends only {rate:.0f} bytes a second",
            )


def rest(seconds: float, cancelled: Callable[[], bool]) -> None:
    """Wait, unless it is cancelled.

    Raises:
        OperatorError: `CANCELLED`.
    """
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        require_going_on(cancelled)
        time.sleep(min(left, _GLANCE_S))

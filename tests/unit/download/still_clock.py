# SPDX-License-Identifier: Apache-2.0
"""A clock that stands still until somebody waits: what is slow in the world is not so in a test."""

from __future__ import annotations

import threading
from collections.abc import Callable

from puad.core.cancelling import require_going_on


class StillClock:
    """Time and waits, in place of those of the machine.

    Attributes:
        waits: How long each wait was, in seconds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now_s = 1000.0
        self.waits: list[float] = []

    def now_s(self) -> float:
        """Seconds since the clock was made."""
        return self._now_s - 1000.0

    def wait(self, seconds: float, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Let time pass."""
        require_going_on(cancelled)
        with self._lock:
            self._now_s += seconds
            self.waits.append(seconds)

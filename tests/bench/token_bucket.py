# SPDX-License-Identifier: Apache-2.0
"""A token bucket: how long a link of a fixed rate makes each piece wait."""

from __future__ import annotations


class TokenBucket:
    """Bytes that a link lets through; it never gives more than its rate and one burst.

    Args:
        rate_bytes_s: What flows in.
        burst_bytes: What it can hold, and holds at first.
        now_s: The clock, monotonic.
    """

    def __init__(self, rate_bytes_s: float, burst_bytes: int, now_s: float) -> None:
        self._rate = rate_bytes_s
        self._burst = burst_bytes
        self._level = float(burst_bytes)
        self._at_s = now_s

    def take(self, size_bytes: int, now_s: float) -> float:
        """Take a piece out, and say how many seconds to wait before it may be sent."""
        gained = (now_s - self._at_s) * self._rate
        self._level = min(self._burst, self._level + gained) - size_bytes
        self._at_s = now_s
        return max(0.0, -self._level / self._rate)

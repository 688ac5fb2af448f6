# SPDX-License-Identifier: Apache-2.0
"""Speed: how fast something goes on, over the last ten seconds, and how long it takes at that.

Pure arithmetic; the times are the caller's.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

_SPAN_S: Final = 10.0
_LEAST_S: Final = 1.0  # a shorter time tells nothing yet
_EVERY_S: Final = 0.25
_MOST_LEFT_S: Final = 10**9


class Speed:
    """Of one thing that only grows; when it shrinks it is another one."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def reset(self) -> None:
        """Forget what was: it goes on after a pause."""
        self._seen.clear()

    def saw(self, done_bytes: int, now_s: float) -> None:
        """Take note of how far it is."""
        seen = self._seen
        if seen and done_bytes < seen[-1][1]:
            seen.clear()
        if len(seen) > 1 and now_s - seen[-2][0] < _EVERY_S:
            seen.pop()
        seen.append((now_s, done_bytes))
        while len(seen) > 1 and now_s - seen[1][0] >= _SPAN_S:
            seen.popleft()

    def bytes_s(self) -> int | None:
        """Bytes a second; None while it is too early to say."""
        if not self._seen:
            return None
        (begun_s, before), (now_s, done) = self._seen[0], self._seen[-1]
        span_s = now_s - begun_s
        return round((done - before) / span_s) if span_s >= _LEAST_S else None


def left_s(left_bytes: int, bytes_s: int | None) -> int | None:
    """How many seconds the rest takes; None when nobody knows."""
    if not bytes_s:
        return None
    return min(_MOST_LEFT_S, math.ceil(left_bytes / bytes_s))

# SPDX-License-Identifier: Apache-2.0
"""The pace of an install: held up between two chunks, so that the node's own work comes first.

A disk serves one queue: while somebody reads from it, image bytes are brought to the slot no faster
than `busy_write_bytes_s`, evenly, so that few reads meet a write. A disk that nobody reads from is
all the install's. Nothing is held up in the middle of a chunk, and a wait ends with the install.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from puad.config import PaceSettings
from puad.core.neighbours import Neighbours, Reading
from puad.core.token_bucket import TokenBucket
from puad.download.patience import rest
from puad.effects.pause import Pause

_LOOK_EVERY_S: Final = 0.25
_PAUSE_S: Final = 1.0
_BURST_S: Final = 0.1


class Pace:
    """The pace of one install.

    Args:
        settings: The bounds.
        read: Tells how busy the node is.
        now_s: The monotonic clock.
        wait: Waits for so long, unless it is cancelled.
    """

    def __init__(
        self,
        settings: PaceSettings,
        read: Callable[[], Reading],
        *,
        now_s: Callable[[], float] = time.monotonic,
        wait: Callable[[float, Callable[[], bool]], None] = rest,
    ) -> None:
        self._settings = settings
        self._read = read
        self._now_s = now_s
        self._wait = wait
        self._neighbours = Neighbours(read())
        self._look_at_s = -math.inf  # the first chunk is late enough to tell
        self._pause = Pause(settings)
        self._bucket: TokenBucket | None = None
        self._bucket_bytes_s = 0

    def hold(
        self, size_bytes: int, cancelled: Callable[[], bool], tell: Callable[[str], None]
    ) -> None:
        """Return when the install may go on.

        Args:
            size_bytes: Image bytes that it has brought to the slot since it asked last.
            cancelled: Ends the wait.
            tell: Told again and again why the install pauses, and "" when it goes on.

        Raises:
            OperatorError: `CANCELLED`.
        """
        self._look()
        self._spread(size_bytes, cancelled)
        paused = False
        while why := self._pause.why(self._neighbours, self._now_s()):
            paused = True
            tell(why)
            self._wait(_PAUSE_S, cancelled)
            self._look()
        if paused:
            tell("")

    def _look(self) -> None:
        if self._now_s() >= self._look_at_s:
            self._neighbours.saw(self._read())
            self._look_at_s = self._now_s() + _LOOK_EVERY_S

    def _spread(self, size_bytes: int, cancelled: Callable[[], bool]) -> None:
        now_s = self._now_s()
        bytes_s = self._bytes_s()
        if bytes_s != self._bucket_bytes_s:
            self._bucket_bytes_s = bytes_s
            self._bucket = TokenBucket(bytes_s, bytes_s * _BURST_S, now_s) if bytes_s else None
        if self._bucket is not None:
            self._bucket.take(size_bytes, now_s)
            self._wait(self._bucket.wait_s(now_s), cancelled)

    def _bytes_s(self) -> int:
        """The least of the bounds that hold now; 0 for none."""
        bounds = [self._settings.write_bytes_s]
        if self._neighbours.read_disks:
            bounds.append(self._settings.busy_write_bytes_s)
        return min((bound for bound in bounds if bound), default=0)

# SPDX-License-Identifier: Apache-2.0
"""The watch: how far the install under way is, whether it is to stop, and what holds the node up.

Workers write to it and ask it, the daemon shows it; it is made before both.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from puad.core.errors import PuadError, StorageError
from puad.core.speed import Speed, left_s
from puad.download.bandwidth import Bandwidth
from puad.effects.pace import Pace


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an install is.

    Attributes:
        phase: `fetch`, `seal` or empty.
        done_bytes: Image bytes that are where they belong.
        total_bytes: Image bytes in all.
        bytes_s: Image bytes a second of late; None while nobody knows.
        left_s: How many seconds the phase takes at that; None while nobody knows.
        fetched_bytes: What came over the network, of image, boot files and metadata.
        paused: Why it pauses; empty when it does not.
    """

    phase: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_s: int | None = None
    left_s: int | None = None
    fetched_bytes: int = 0
    paused: str = ""


class Watch:
    """Shared by the daemon and the threads that perform its actions.

    Attributes:
        progress: How far the install under way is.
        disk: Why the run cannot be persisted; None while it can.
        facts: Why the facts cannot be read; None while they can.
        listener: Told of progress, in the thread that makes it.

    Args:
        now_s: The monotonic clock.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self.progress = Progress()
        self.disk: StorageError | None = None
        self.facts: PuadError | None = None
        self.listener: Callable[[Progress], None] = lambda _: None
        self._here = threading.local()
        self._now_s = now_s
        self._speed = Speed()
        self._pace: Pace | None = None
        self._bandwidth = Bandwidth()

    @property
    def trouble(self) -> PuadError | None:
        """What keeps the node from going on; the server is told."""
        return self.disk or self.facts

    def begin(self, pace: Pace, bandwidth: Bandwidth) -> None:
        """An install begins, with a pace of its own and nothing fetched."""
        self._pace, self._bandwidth = pace, bandwidth

    def show(self, progress: Progress) -> None:
        """Take in how far the install is; returns when its pace lets it go on.

        Raises:
            OperatorError: `CANCELLED`, while it was held up.
        """
        before = self.progress
        self.tell(progress)
        if self._pace is not None and progress.phase:
            goes_on = progress.phase == before.phase
            step = progress.done_bytes - before.done_bytes if goes_on else 0
            self._pace.hold(max(0, step), self.cancelled, self._show_pause)

    def tell(self, progress: Progress) -> None:
        """Take in how far something is that is not ours to hold up: boot control's seal."""
        if progress.phase != self.progress.phase:
            self._speed.reset()
        self._speed.saw(progress.done_bytes, self._now_s())
        bytes_s = self._speed.bytes_s()
        self._tell(
            replace(
                progress,
                bytes_s=bytes_s,
                left_s=left_s(progress.total_bytes - progress.done_bytes, bytes_s),
                fetched_bytes=self._bandwidth.fetched_bytes if progress.phase else 0,
            )
        )

    def _show_pause(self, why: str) -> None:
        self._speed.reset()
        self._tell(replace(self.progress, bytes_s=None, left_s=None, paused=why))

    def _tell(self, progress: Progress) -> None:
        self.progress = progress
        self.listener(progress)

    def percent(self) -> int | None:
        """How far the install is, 0..100; None when there is none."""
        progress = self.progress
        if not progress.phase or not progress.total_bytes:
            return None
        return min(100, progress.done_bytes * 100 // progress.total_bytes)

    @contextmanager
    def performing(self, cancel: threading.Event) -> Iterator[None]:
        """What this thread does now is to stop when that event is set."""
        self._here.cancel = cancel
        try:
            yield
        finally:
            self._here.cancel = None

    def cancelled(self) -> bool:
        """Whether what this thread does is to stop."""
        cancel: threading.Event | None = getattr(self._here, "cancel", None)
        return cancel is not None and cancel.is_set()

# SPDX-License-Identifier: Apache-2.0
"""The watch: how far the install under way is, whether it is to stop, and what holds the node up.

Workers write to it and ask it, the daemon shows it; it is made before both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from puad.core.errors import PuadError, StorageError


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an install is; `phase` is `fetch`, `seal` or empty."""

    phase: str = ""
    done_bytes: int = 0
    total_bytes: int = 0


class Watch:
    """Shared by the daemon and the threads that perform its actions.

    Attributes:
        progress: How far the install under way is.
        disk: Why the run cannot be persisted; None while it can.
        facts: Why the facts cannot be read; None while they can.
        listener: Told of progress, in the thread that makes it.
    """

    def __init__(self) -> None:
        self.progress = Progress()
        self.disk: StorageError | None = None
        self.facts: PuadError | None = None
        self.listener: Callable[[Progress], None] = lambda _: None
        self._here = threading.local()

    @property
    def trouble(self) -> PuadError | None:
        """What keeps the node from going on; the server is told."""
        return self.disk or self.facts

    def show(self, progress: Progress) -> None:
        """Take in how far the install is."""
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

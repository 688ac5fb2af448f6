# SPDX-License-Identifier: Apache-2.0
"""Workers: threads that perform actions, so that the main loop never waits.

One for the orchestrator, one for reading facts, one for everything that changes a slot or the boot
loader: work on the slot is done in the order in which the core asked for it.

Work that comes again by itself is paced in its own thread: each hand-over between threads wakes
both of them, and a node at rest does little else than ask the orchestrator.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_LOG: Final = logging.getLogger(__name__)
_LEAST_REST_S: Final = 0.2  # a bug in a round's pace does not make a thread spin
Work = Callable[[], None]
Post = Callable[[Work], None]


@dataclass(frozen=True, slots=True)
class Round:
    """Work that comes again by itself.

    Attributes:
        rest_s: Seconds until it is due, asked after all that the worker does; None for never.
        work: What is then done; afterwards `rest_s` must have grown.
    """

    rest_s: Callable[[], float | None]
    work: Work


def _never() -> None:
    return None


class Worker:
    """One thread that does one thing after the other.

    Args:
        name: The thread's name in logs and debuggers.
        again: What it does by itself while nothing else is asked of it.
    """

    def __init__(self, name: str, again: Round | None = None) -> None:
        self._again = again or Round(_never, _never)
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def do(self, work: Work) -> None:
        """Do this after what was asked for before; the work handles its own errors."""
        self._queue.put(work)

    def stop(self, patience_s: float) -> bool:
        """Do nothing new; wait for what is being done. False when it did not end in time."""
        self._queue.put(None)
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except Exception:  # noqa: BLE001 - the thread outlives a bug
                _LOG.exception("a bug: the work is given up")

    def _next(self) -> Work | None:
        rest_s = self._again.rest_s()
        try:
            return self._queue.get(timeout=None if rest_s is None else max(rest_s, _LEAST_REST_S))
        except queue.Empty:
            return self._again.work

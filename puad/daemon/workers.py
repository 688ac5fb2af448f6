# SPDX-License-Identifier: Apache-2.0
"""Workers: threads that perform actions, so that the main loop never waits.

One for the orchestrator, one for reading facts, one for everything that changes a slot or the boot
loader: work on the slot is done in the order in which the core asked for it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Final

_LOG: Final = logging.getLogger(__name__)
Work = Callable[[], None]
Post = Callable[[Work], None]


class Worker:
    """One thread that does one thing after the other.

    Args:
        name: The thread's name in logs and debuggers.
    """

    def __init__(self, name: str) -> None:
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
        while (work := self._queue.get()) is not None:
            try:
                work()
            except Exception:  # noqa: BLE001 - the thread outlives a bug
                _LOG.exception("a bug: the work is given up")

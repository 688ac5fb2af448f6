# SPDX-License-Identifier: Apache-2.0
"""Workers: threads that perform actions, so that the main loop never waits.

One for the orchestrator, one for reading facts, one for everything that changes a slot or the boot
loader: work on the slot is done in the order in which the core asked for it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Job = Callable[[], None]
Post = Callable[[Job], None]


class Worker:
    """One thread that does one thing after the other.

    Args:
        name: The thread's name in logs and debuggers.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def do(self, job: Job) -> None:
        """Do this after what was asked for before; the job handles its own errors."""
        self._jobs.put(job)

    def stop(self, patience_s: float) -> bool:
        """Do nothing new; wait for what is being done. False when it did not end in time."""
        self._jobs.put(None)
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

# SPDX-License-Identifier: Apache-2.0
"""Where polls wait for a worker thread.

Rules:

1. First come, first served. Only some are answered at a time: more threads would wait for the
   interpreter and the database, and pages need some, too.
2. Those of one node are answered one after the other. So what a node said before a reboot is never
   written down after what it said of the boot that followed.
3. One that has waited and whose caller has gone is dropped. After an outage a whole fleet calls at
   once, and whoever did not wait for the answer calls again.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeVar

from orchestrator_stub.errors import Code, OrchestratorError

AT_ONCE: Final = 8
_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Node:
    """One node's polls: how many there are, and a lock that the one under way holds."""

    polls: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class PollQueue:
    """The queue of one event loop.

    Args:
        at_once: How many are answered at a time.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="poll")
        self._nodes: dict[str, _Node] = {}

    def has(self, name: str) -> bool:
        """Whether a node's poll waits or is under way."""
        return name in self._nodes

    async def pass_through(
        self, name: str, has_gone: Callable[[], Awaitable[bool]], work: Callable[[], _Result]
    ) -> _Result:
        """Do a node's work in a worker thread when its turn has come.

        Args:
            name: The node, as its token names it: nobody takes the place of another.
            has_gone: Whether the caller waits no more.
            work: What is to be done.

        Raises:
            OrchestratorError: `ABORTED`, when the node has given this poll up.
        """
        node = self._nodes.setdefault(name, _Node())
        node.polls += 1
        waits = node.lock.locked() or self._places.locked()
        try:
            async with node.lock, self._places:
                if waits and await has_gone():
                    raise OrchestratorError(Code.ABORTED, "the node has given this poll up")
                # the pages' thread pool asks for far more than a poll that is known costs
                context = contextvars.copy_context()
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, context.run, work)
        finally:
            node.polls -= 1
            if not node.polls:
                del self._nodes[name]

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False)

# SPDX-License-Identifier: Apache-2.0
"""A feed: one thread that makes items, and the caller that takes them, a bounded queue between.

1. The thread never outlives the `with` block: leaving it stops the producer and waits for it.
2. What the producer raises is raised in the caller, after the items that came before.
3. The caller looks up from waiting often enough to be cancelled.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from puad.core.cancelling import require_going_on

_Item = TypeVar("_Item")
_GLANCE_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None = None


class Feed(Generic[_Item]):
    """Items that a thread makes ahead of their use.

    Args:
        produce: Makes the items; it gets a function that says whether to stop.
        depth: How many items may wait.
    """

    def __init__(
        self, produce: Callable[[Callable[[], bool]], Generator[_Item]], depth: int
    ) -> None:
        self._produce = produce
        self._stop = threading.Event()
        self._queue: queue.Queue[_Item | _End] = queue.Queue(depth)
        self._thread = threading.Thread(target=self._run, name="puad-feed")

    def items(self, cancelled: Callable[[], bool]) -> Iterator[_Item]:
        """The items, in order.

        Raises:
            OperatorError: `CANCELLED`, when `cancelled` says so.
        """
        while True:
            require_going_on(cancelled)
            try:
                item = self._queue.get(timeout=_GLANCE_S)
            except queue.Empty:
                continue
            if not isinstance(item, _End):
                yield item
            elif item.error is None:
                return
            else:
                raise item.error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._queue.get(timeout=_GLANCE_S)
        self._thread.join()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            with contextlib.closing(self._produce(self._stop.is_set)) as items:
                for item in items:
                    self._queue.put(item)
                    if self._stop.is_set():
                        return
        except BaseException as raised:  # noqa: BLE001 -- it is raised again on the other side
            error = raised
        self._queue.put(_End(error))

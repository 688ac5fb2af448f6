# SPDX-License-Identifier: Apache-2.0
"""Work for threads whose results come in the order of the work, a few pieces at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def in_order(
    pool: ThreadPoolExecutor,
    perform: Callable[[Piece], Result],
    pieces: Iterable[Piece],
    most: int,
) -> Iterator[Result]:
    """The result of each piece, in order; at most `most` pieces are under way."""
    waiting: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            if len(waiting) == most:
                yield waiting.popleft().result()
            waiting.append(pool.submit(perform, piece))
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()

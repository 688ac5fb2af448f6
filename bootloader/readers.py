# SPDX-License-Identifier: Apache-2.0
"""Readers: threads that share out the pieces of one file, so that a disk is never left waiting.

While some of them hash, others have reads under way: a disk is at its speed only with more than one
read before it, and a processor hashes as fast as memory only with more than one core. Rules:

1. Each has one buffer, so memory depends on neither the size of the file nor that of its pieces.
2. The thread that asks is one of them: the work is also done where no other can be started.
3. The first error ends all of them, and none of them outlives `run`.
"""

from __future__ import annotations

import mmap
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

BUFFER_BYTES: Final = 1 << 20
THREAD_NAME: Final = "read-back"
_MOST_HASHING: Final = 4
_MORE_READING: Final = 2

_Piece = TypeVar("_Piece")


class _EndedError(Exception):
    """Another reader has failed; that one tells why."""


class Readers(ABC, Generic[_Piece]):
    """Readers of one file, for one run.

    Args:
        pieces: What is to be read, in order; asked for the next one by one thread at a time.
        count: How many pieces there are.
    """

    def __init__(self, pieces: Iterable[_Piece], count: int) -> None:
        self._pieces = enumerate(pieces)
        self._others = min(_most_readers(), count) - 1
        self._changed = threading.Condition()
        self._turn = 0
        self._is_over = False
        self._failure: Exception | None = None

    @abstractmethod
    def take(self, number: int, piece: _Piece, buffer: memoryview) -> None:
        """Read a piece into the buffer and do with it what is to be done, in any thread."""

    @contextmanager
    def turn(self, number: int) -> Iterator[None]:
        """A block that comes when all pieces before this one have had theirs, for one at a time."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._turn == number)
            if self._is_over:
                raise _EndedError
        yield
        with self._changed:
            self._turn += 1
            self._changed.notify_all()

    def run(self) -> None:
        """Take every piece; ends with the first error of any thread, raised here."""
        others: list[threading.Thread] = []
        try:
            for _ in range(self._others):
                other = threading.Thread(target=self._work, name=THREAD_NAME)
                try:
                    other.start()
                except RuntimeError:  # no thread is left: it takes longer
                    break
                others.append(other)
            self._work()
        except BaseException as error:
            self._end(error)
            raise
        finally:
            for other in others:
                other.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # it holds this frame, and with it the buffers

    def _work(self) -> None:
        try:
            buffer = memoryview(mmap.mmap(-1, BUFFER_BYTES))  # aligned to pages
            while (next_one := self._next()) is not None:
                self.take(*next_one, buffer)
        except Exception as error:  # noqa: BLE001 -- `run` raises it
            self._end(error)

    def _next(self) -> tuple[int, _Piece] | None:
        with self._changed:
            return None if self._is_over else next(self._pieces, None)

    def _end(self, error: BaseException) -> None:
        with self._changed:
            if not self._is_over and isinstance(error, Exception):
                self._failure = error
            self._is_over = True
            self._changed.notify_all()


def _most_readers() -> int:
    return min(len(os.sched_getaffinity(0)), _MOST_HASHING) + _MORE_READING

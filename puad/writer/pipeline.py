# SPDX-License-Identifier: Apache-2.0
"""The pipeline of a write: one thread fetches, some decode, some write, and the caller takes notes.

Trays go round: free ones to the thread that fetches, from there through one stage after another,
and as they come to the caller, who sets them free. Their number bounds what waits anywhere.

1. No thread outlives the `with` block: leaving it stops the fetching and waits for all of them.
2. The first error of any stage stops the fetching, and is raised in the caller. Before that the
   caller gets what had been fetched whole and comes through: bytes that came are not thrown away.
   To be cancelled is such an error, and what the caller says that it has met (`fail`).
3. The caller looks up from waiting often enough to be cancelled, and has something to do meanwhile.
4. No queue is ever full, so no thread waits to be heard: each ends when those before it have.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self

from puad.core.cancelling import cancellation
from puad.writer.tray import Tray

_GLANCE_S: Final = 0.1


class StoppedError(Exception):
    """The pipeline stops: unwinds the stage that fetches, and goes no further."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage between fetching and the caller.

    Attributes:
        name: What its threads are called.
        work: Works on a tray; False when the tray has nothing for those behind it.
        threads: How many trays are worked on at a time.
    """

    name: str
    work: Callable[[Tray], bool]
    threads: int


class Pipeline:
    """Stages between which trays go round.

    Args:
        fetch: Fills trays that it takes from the pipeline (`take`), and gives them on.
        stages: What becomes of them then, one after another.
        trays: All of them.
    """

    def __init__(
        self,
        fetch: Callable[[Pipeline], Generator[Tray]],
        stages: Sequence[Stage],
        trays: Sequence[Tray],
    ) -> None:
        self._fetch = fetch
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._free: SimpleQueue[Tray | None] = SimpleQueue()
        for tray in trays:
            self._free.put(tray)
        numbers = [1, *(stage.threads for stage in stages), 1]
        self._lines = [_Line(givers, takers) for givers, takers in pairwise(numbers)]
        # That which fetches may wait for what becomes of its trays, so it starts last.
        self._threads = [
            threading.Thread(target=self._run, args=(stage.work, come, go), name=stage.name)
            for stage, (come, go) in zip(stages, pairwise(self._lines), strict=True)
            for _ in range(stage.threads)
        ] + [threading.Thread(target=self._run_fetch, name="puad-fetch")]

    @property
    def stopping(self) -> bool:
        """Whether nothing more is to be fetched."""
        return self._stop.is_set()

    def take(self) -> Tray:
        """A free tray, for the stage that fetches.

        Raises:
            StoppedError: There will be none.
        """
        tray = self._free.get()
        if tray is None or self.stopping:
            raise StoppedError
        return tray

    def give_back(self, tray: Tray) -> None:
        """A tray that was taken and not filled."""
        self._free.put(tray)

    def items(self, cancelled: Callable[[], bool], meanwhile: Callable[[], bool]) -> Iterator[Tray]:
        """The trays that came through, as they come; each is free when the next one is asked for.

        Args:
            cancelled: Whether to stop.
            meanwhile: Does something short in place of waiting; False when there is nothing.

        Raises:
            BaseException: The first error of any stage; `CANCELLED`, when `cancelled` says so.
        """
        while True:
            if not self.stopping and cancelled():
                self.fail(cancellation())
            try:
                tray = self._next(meanwhile)
            except Empty:
                continue
            if tray is None:
                break
            yield tray
            self._free.put(tray)
        if self._error is not None:
            raise self._error

    def fail(self, error: BaseException) -> None:
        """Stop the fetching; `items` raises the first such error when all has come through."""
        with self._lock:
            self._error = self._error or error
        self._halt()

    def __enter__(self) -> Self:
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:
            for line in self._lines:  # a thread that was never started does not end it
                line.close()
            self._join()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._halt()
        self._join()

    def _join(self) -> None:
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _next(self, meanwhile: Callable[[], bool]) -> Tray | None:
        come = self._lines[-1].trays
        try:
            return come.get_nowait()
        except Empty:
            if not self.stopping and meanwhile():
                raise
        return come.get(timeout=_GLANCE_S)

    def _halt(self) -> None:
        self._stop.set()
        self._free.put(None)  # it wakes the stage that fetches

    def _run_fetch(self) -> None:
        go = self._lines[0]
        try:
            with contextlib.closing(self._fetch(self)) as filled:
                for tray in filled:
                    go.trays.put(tray)
        except StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001 -- it is raised again in the caller
            self.fail(error)
        finally:
            go.end()

    def _run(self, work: Callable[[Tray], bool], come: _Line, go: _Line) -> None:
        while (tray := come.trays.get()) is not None:
            done = False
            try:
                done = work(tray)
            except BaseException as error:  # noqa: BLE001 -- it is raised again in the caller
                self.fail(error)
            (go.trays if done else self._free).put(tray)
        go.end()


class _Line:
    """What goes from one stage to the next, and at the end a None for each who takes.

    Args:
        givers: How many threads put trays in.
        takers: How many take them out.
    """

    def __init__(self, givers: int, takers: int) -> None:
        self.trays: SimpleQueue[Tray | None] = SimpleQueue()
        self._givers = givers
        self._takers = takers
        self._lock = threading.Lock()

    def end(self) -> None:
        """A giver has ended; the last one ends the takers."""
        with self._lock:
            self._givers -= 1
            if self._givers == 0:
                self.close()

    def close(self) -> None:
        """End the takers."""
        for _ in range(self._takers):
            self.trays.put(None)

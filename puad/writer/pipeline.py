# SPDX-License-Identifier: Apache-2.0
"""The pipeline of a write: one thread fetches, some decode, and the caller writes.

Trays go round through three queues: free ones to the thread that fetches, filled ones to those that
decode, and decoded ones, as they come, to the caller. The number of trays bounds all three.

1. No thread outlives the `with` block: leaving it stops the fetching and waits for all of them.
2. The first error of any stage stops the fetching, and is raised in the caller. Before that the
   caller gets what had been fetched whole and can be decoded: bytes that came are not thrown away.
   To be cancelled is such an error.
3. The caller looks up from waiting often enough to be cancelled, and has something to do meanwhile.
4. No queue is ever full, so no thread waits to be heard: each ends when the one before it has.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self

from puad.core.cancelling import cancellation
from puad.writer.tray import Tray

_GLANCE_S: Final = 0.1


class StoppedError(Exception):
    """The pipeline stops: unwinds the stage that fetches, and goes no further."""


class Pipeline:
    """Stages between which trays go round.

    Args:
        fetch: Fills trays that it takes from the pipeline (`take`), and gives them on.
        decode: Makes a tray's bytes; False when the tray has nothing for the caller.
        trays: All of them.
        decoders: How many threads decode.
    """

    def __init__(
        self,
        fetch: Callable[[Pipeline], Generator[Tray]],
        decode: Callable[[Tray], bool],
        trays: Sequence[Tray],
        decoders: int,
    ) -> None:
        self._fetch = fetch
        self._decode = decode
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._free: SimpleQueue[Tray | None] = SimpleQueue()
        self._filled: SimpleQueue[Tray | None] = SimpleQueue()
        self._decoded: SimpleQueue[Tray | None] = SimpleQueue()
        for tray in trays:
            self._free.put(tray)
        self._decoding = [
            threading.Thread(target=self._run_decode, name="puad-decode") for _ in range(decoders)
        ]
        self._fetching = threading.Thread(target=self._run_fetch, name="puad-fetch")

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
        """The decoded trays, as they come; a tray is free again when the next one is asked for.

        Args:
            cancelled: Whether to stop.
            meanwhile: Does something short in place of waiting; False when there is nothing.

        Raises:
            BaseException: The first error of any stage; `CANCELLED`, when `cancelled` says so.
        """
        running = len(self._decoding)
        while running:
            if not self.stopping and cancelled():
                self._fail(cancellation())
            try:
                tray = self._next(meanwhile)
            except Empty:
                continue
            if tray is None:
                running -= 1
                continue
            yield tray
            self._free.put(tray)
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        try:
            for thread in (self._fetching, *self._decoding):
                thread.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._halt()
        for thread in (self._fetching, *self._decoding):
            if thread.ident is not None:
                thread.join()

    def _next(self, meanwhile: Callable[[], bool]) -> Tray | None:
        try:
            return self._decoded.get_nowait()
        except Empty:
            if not self.stopping and meanwhile():
                raise
        return self._decoded.get(timeout=_GLANCE_S)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._error = self._error or error
        self._halt()

    def _halt(self) -> None:
        self._stop.set()
        self._free.put(None)  # it wakes the stage that fetches

    def _run_fetch(self) -> None:
        try:
            with contextlib.closing(self._fetch(self)) as filled:
                for tray in filled:
                    self._filled.put(tray)
        except StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001 -- it is raised again in the caller
            self._fail(error)
        finally:
            for _ in self._decoding:
                self._filled.put(None)

    def _run_decode(self) -> None:
        while (tray := self._filled.get()) is not None:
            done = False
            try:
                done = self._decode(tray)
            except BaseException as error:  # noqa: BLE001 -- it is raised again in the caller
                self._fail(error)
            (self._decoded if done else self._free).put(tray)
        self._decoded.put(None)

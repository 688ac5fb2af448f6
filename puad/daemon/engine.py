# SPDX-License-Identifier: Apache-2.0
"""The engine: feeds events to the core, persists what it says, and has its actions performed.

Rules:

1. Everything here runs in the main loop, but for `_work`: that runs in a worker, reads the run,
   which is a value, and comes back through `GLib.idle_add`.
2. The new run is persisted before its actions are performed. When it cannot be, the event waits,
   nothing is performed, and the server is told why.
3. An install that is to stop, or hooks that are asked in vain, are told so at once; what follows on
   the slot waits for their end.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from puad.core.actions import (
    Action,
    Actions,
    Announce,
    Ask,
    Consult,
    Install,
    Look,
    Remember,
    StopInstall,
)
from puad.core.errors import StorageError
from puad.core.events import Answered, Event, Looked, Moment, NotAnswered, Ticked
from puad.core.machine import step
from puad.core.run import Run
from puad.daemon.announce import announce_change, announce_notice
from puad.daemon.memory import Memory
from puad.daemon.workers import Post, Round, Worker
from puad.effects.watch import Watch

_LOG: Final = logging.getLogger(__name__)
_SAID_AGAIN: Final = (Ask, Look)


class Performs(Protocol):
    """Whoever performs actions, in the workers."""

    def perform(self, action: Action, run: Run) -> Event | None:
        """Perform an action: the event that comes of it, None when there is none."""

    def ask_rest_s(self) -> float | None:
        """Seconds until `Ask` is to be performed again; None for not by itself."""


class Engine:
    """Drives the core: `feed` an event, and everything else follows.

    Args:
        run: What the node is doing.
        memory: Where it is persisted.
        watch: Told what holds the node up, and which work is to stop.
        performer: Performs an action and says what came of it.
        post: Has something done in the main loop.
        listener: Told of each change, before and after.
    """

    def __init__(
        self,
        run: Run,
        memory: Memory,
        watch: Watch,
        performer: Performs,
        post: Post,
        listener: Callable[[Run, Run, Event], None],
    ) -> None:
        self.run = run
        self._memory = memory
        self._watch = watch
        self._performer = performer
        self._post = post
        self._listener = listener
        self._backlog: deque[Event] = deque()
        self._stopping = False
        self._said: set[type] = set()
        self._cancels: list[threading.Event] = []
        asks = Round(performer.ask_rest_s, lambda: self._work(Ask(), threading.Event()))
        self._workers = {
            "server": Worker("server", asks),
            "facts": Worker("facts"),
            "slot": Worker("slot"),
        }

    def feed(self, event: Event) -> None:
        """Take an event in; events that wait for the disk keep their order."""
        if self._backlog and isinstance(event, Ticked | Looked):
            self._drain()  # these come again, so they need not wait
            return
        self._backlog.append(event)
        self._drain()

    def feed_now(self, event: Event) -> None:
        """Take an operator's event in at once, or not at all.

        Raises:
            PuadError: The store cannot be written, so nothing was begun.
        """
        self._drain()
        if self._watch.disk is None:
            self._backlog.append(event)
            self._drain()
        if self._watch.disk is not None:
            if self._backlog and self._backlog[-1] is event:
                self._backlog.pop()
            raise self._watch.disk

    def do(self, action: Action) -> None:
        """Perform an action of the daemon's own accord: `Ask` or `Look`."""
        self._submit(action)

    def stop(self, patience_s: float) -> bool:
        """Stop at any point; what was begun goes on after the next start."""
        self._stopping = True
        self._stop_cancellable()
        for name in ("server", "facts"):
            self._workers[name].stop(0)
        return self._workers["slot"].stop(patience_s)

    def _drain(self) -> None:
        while self._backlog:
            event = self._backlog[0]
            try:
                after, actions = step(self.run, event)
            except Exception:  # noqa: BLE001 - the main loop outlives a bug
                _LOG.exception("a bug: the event is dropped")
                self._backlog.popleft()
                continue
            try:
                self._memory.keep(after)
            except StorageError as error:
                self._hold_up(error)
                return
            self._watch.disk = None
            self._backlog.popleft()
            self._move_on(after, actions, event)

    def _hold_up(self, error: StorageError) -> None:
        if self._watch.disk is None:
            _LOG.error("%s. Nothing is done until it can be written. %s", error, error.hint)
            self._watch.disk = error
            self._submit(Ask())

    def _move_on(self, after: Run, actions: Actions, event: Event) -> None:
        before, self.run = self.run, after
        for action in actions:
            match action:
                case StopInstall():
                    self._stop_cancellable()
                case Announce(notice, text):
                    announce_notice(after, notice, text)
                case Remember(run):
                    self._remember(run, event.moment)
                case _:
                    self._submit(action)
        announce_change(before, after)
        self._listener(before, after, event)

    def _remember(self, run: Run, moment: Moment) -> None:
        try:
            self._memory.remember(run, moment.now)
        except StorageError as error:
            _LOG.warning("the history is not kept: %s", error)

    def _submit(self, action: Action) -> None:
        kind = type(action)
        if kind in self._said or self._stopping:
            return
        if kind in _SAID_AGAIN:
            self._said.add(kind)
        cancel = threading.Event()
        if isinstance(action, Install | Consult):
            self._cancels.append(cancel)
        worker = {Ask: "server", Look: "facts"}.get(kind, "slot")
        self._workers[worker].do(lambda: self._work(action, cancel))

    def _work(self, action: Action, cancel: threading.Event) -> None:
        if self._stopping:
            return
        self._said.discard(type(action))
        with self._watch.performing(cancel):
            event = self._performer.perform(action, self.run)
        self._post(lambda: self._came_back(event, cancel))

    def _came_back(self, event: Event | None, cancel: threading.Event) -> None:
        if cancel in self._cancels:
            self._cancels.remove(cancel)
        if self._stopping or event is None or cancel.is_set():
            return
        if self._backlog and isinstance(event, Answered | NotAnswered):
            self._listener(self.run, self.run, event)
            return
        self.feed(event)

    def _stop_cancellable(self) -> None:
        for cancel in self._cancels:
            cancel.set()

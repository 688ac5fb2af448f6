# SPDX-License-Identifier: Apache-2.0
"""The daemon: ties the engine to time, to the bus, and to the service manager.

It is the `Agent` behind `org.puad.Agent1`, feeds `Ticked`, decides when to ask the orchestrator,
and begins with the facts: while boot control is absent it waits, and says so to everybody.
"""

from __future__ import annotations

import json
import logging
import os
import random
import time
from collections.abc import Callable
from typing import Final

from puad.client.backoff import Backoff
from puad.config import Settings
from puad.core.actions import Action, Ask, Look
from puad.core.errors import BootControlError, PuadError, ServerError, StorageError
from puad.core.events import (
    Answered,
    CancelAsked,
    Event,
    Failed,
    InstallAsked,
    Looked,
    Moment,
    NotAnswered,
    OperatorEvent,
    RetryAsked,
    RollbackAsked,
    RunAsked,
    Started,
    Step,
    Ticked,
)
from puad.core.model import Offer
from puad.core.rules.operator import refusal
from puad.core.run import Run, State
from puad.daemon.engine import Engine
from puad.daemon.memory import Memory
from puad.daemon.parts import Parts, rules_of
from puad.daemon.view import status_view
from puad.daemon.workers import Post
from puad.effects.watch import Progress, Watch
from puad.journal import MessageId, lifecycle
from puad.render import HistoryView, StatusView, one_line, status_document
from puad.service import AgentObject, Reply
from puad.service_manager import notify

_LOG: Final = logging.getLogger(__name__)
_LOOK_EVERY_S: Final = 30.0
_KEEP_TIME_EVERY_S: Final = 600.0
_PROGRESS_EVERY_S: Final = 0.2
_VERBS: Final[dict[str, Callable[[Moment], OperatorEvent]]] = {
    "run": RunAsked,
    "cancel": CancelAsked,
    "retry": RetryAsked,
    "rollback": RollbackAsked,
}
_GIVES_RUN_ID: Final = frozenset({"run", "rollback"})


class Daemon:
    """The update agent of this node.

    Args:
        settings: The configuration.
        parts: What performs its actions.
        watch: Shared with the parts.
        post: Has something done in the main loop.
    """

    def __init__(self, settings: Settings, parts: Parts, watch: Watch, post: Post) -> None:
        self._settings = settings
        self._parts = parts
        self._post = post
        self._memory = Memory(parts.store)
        run, self._store_lost = self._memory.load()
        self._engine = Engine(run, self._memory, watch, self._perform, post, self._heard)
        self._object = AgentObject(self)
        self._waiting: list[Reply] = []
        self._started = False
        self._poll_at = 0.0
        self._look_at = 0.0
        self._keep_time_at = 0.0
        self._progress_told_at = 0.0
        self._watch = watch
        watch.listener = self._show_progress
        self._backoff = Backoff(
            settings.limits.backoff_first_s, max(settings.server.poll_interval_s, 60)
        )

    @property
    def bus_object(self) -> AgentObject:
        """The object to put on the bus."""
        return self._object

    def tick(self) -> bool:
        """What is due now; called again and again by the main loop."""
        if not self._started:
            self._start()
        now = time.monotonic()
        if self._started:
            self._keep_time(now)
            self._engine.feed(Ticked(self._parts.clock.moment()))
            if now >= self._look_at:
                self._look_at = now + _LOOK_EVERY_S
                self._engine.do(Look())
        if now >= self._poll_at and self._settings.server.url:
            self._poll_at = now + self._settings.server.timeout_s + 1.0
            self._engine.do(Ask())
        notify(watchdog=True, status=one_line(self.status_view()))
        return True

    def stop(self, patience_s: float) -> bool:
        """Stop at any point; the next start goes on from there."""
        return self._engine.stop(patience_s)

    def _show_progress(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._progress_told_at >= _PROGRESS_EVERY_S or not progress.phase:
            self._progress_told_at = now
            self._post(lambda: self._object.progressed(progress))

    def status_view(self) -> StatusView:
        """Everything that `puadctl status` shows."""
        return status_view(
            self._engine.run,
            self._parts.clock.moment(),
            guid=self._parts.guid(),
            url=self._settings.server.url,
            contact=self._parts.desk.contact,
            progress=self._watch.progress,
            trouble=self._watch.trouble,
        )

    def history_view(self) -> HistoryView:
        """Past update runs, newest first."""
        return self._memory.history()

    def check(self, reply: Reply) -> None:
        """Ask the orchestrator now, and answer when it has."""
        self._waiting.append(reply)
        self._engine.do(Ask())

    def operate(self, verb: str, reply: Reply, offer: Offer | None = None) -> None:
        """Follow an operator's word, or say why not."""
        moment = self._parts.clock.moment()
        event = InstallAsked(moment, offer) if offer else _VERBS[verb](moment)
        try:
            self._require_started()
            refused = refusal(self._engine.run, event)
            if refused is not None:
                raise refused
            self._engine.feed_now(event)
        except PuadError as error:
            reply.failed(error)
            return
        goal = self._engine.run.goal
        if offer is not None or verb in _GIVES_RUN_ID:
            reply.done(goal.run_id if goal else "")
        else:
            reply.done(True)  # noqa: FBT003 - the out argument `changed`

    def install(self, folder: int, reply: Reply) -> None:
        """Install from an exported repository."""
        self._parts.inspect(folder, lambda result: self._inspected(folder, result, reply))

    def _inspected(self, folder: int, result: Offer | PuadError, reply: Reply) -> None:
        if isinstance(result, PuadError):
            os.close(folder)
            reply.failed(result)
            return
        self._parts.supplier.keep_folder(folder)
        self.operate("install", reply, result)

    def _perform(self, action: Action, run: Run) -> Event | None:
        event = self._parts.effects.perform(action, run)
        if isinstance(event, Answered) and not self._started:
            return NotAnswered(event.moment)  # without the facts no plan can be judged
        return event

    def _start(self) -> None:
        try:
            facts = self._parts.read_facts()
        except BootControlError as error:
            self._lose_boot_control(error)
            return
        self._watch.boot_control = None
        self._started = True
        event = Started(
            self._parts.clock.moment(), facts, rules_of(self._settings), self._store_lost
        )
        self._engine.feed(event)
        run = self._engine.run
        text = f"puad runs image {facts.image_id} from slot {facts.booted_slot}; {run.state}"
        lifecycle(MessageId.DAEMON_STARTED, text, slot=facts.booted_slot, image_id=facts.image_id)

    def _lose_boot_control(self, error: BootControlError) -> None:
        if self._watch.boot_control is None:
            _LOG.error("%s. puad waits for it. %s", error, error.hint)
            self._watch.boot_control = error
            self._engine.do(Ask())

    def _require_started(self) -> None:
        if self._watch.boot_control is not None:
            raise self._watch.boot_control

    def _keep_time(self, now: float) -> None:
        moment = self._parts.clock.moment()
        if now < self._keep_time_at or not moment.clock_trusted:
            return
        self._keep_time_at = now + _KEEP_TIME_EVERY_S
        try:
            self._parts.clock.raise_floor(moment.now)
        except StorageError as error:
            _LOG.warning("the clock floor is not kept: %s", error)

    def _heard(self, before: Run, after: Run, event: Event) -> None:
        if isinstance(event, Answered | NotAnswered):
            self._answered()
        elif isinstance(event, Looked):
            self._watch.boot_control = None
        elif isinstance(event, Failed) and event.step is Step.LOOK:
            self._lose_boot_control(BootControlError(event.code, event.text))
        if after.state is State.DONE and before.state is not State.DONE:
            self._parts.installer.forget()
        if before.state is not after.state:
            run_id = (after.goal or before.goal).run_id if after.goal or before.goal else ""  # type: ignore[union-attr]  # one of them is there
            self._object.state_changed(run_id, before.state.value, after.state.value)
            if after.state is not State.DOWNLOADING:
                self._watch.progress = Progress()

    def _answered(self) -> None:
        contact = self._parts.desk.contact
        pause: float = self._settings.server.poll_interval_s
        if not contact.reachable:
            error = contact.error
            retry_after = error.retry_after_s if isinstance(error, ServerError) else None
            wait = self._backoff.wait_s(contact.failures, random.random, retry_after)
            pause = max(pause, wait)
        self._poll_at = time.monotonic() + pause
        replies, self._waiting = self._waiting, []
        for reply in replies:
            if contact.error is not None:
                reply.failed(contact.error)
            else:
                reply.done(json.dumps(status_document(self.status_view())))

# SPDX-License-Identifier: Apache-2.0
"""The daemon: ties the engine to time, to the bus, and to the service manager.

It is the `Agent` behind `org.puad.Agent1`, feeds `Ticked`, decides when to ask the orchestrator,
and begins with the facts: while boot control is absent it waits, and says so to everybody.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from typing import Final

from puad.client.token_file import TokenFile
from puad.config import Settings
from puad.core.actions import Ask, Look
from puad.core.errors import PuadError, StorageError
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
from puad.core.machine import begins
from puad.core.model import Facts, Offer
from puad.core.rest import rest
from puad.core.rules.operator import refusal
from puad.core.run import Run, State
from puad.daemon.engine import Engine
from puad.daemon.lookout import Lookout
from puad.daemon.looks import Looks
from puad.daemon.memory import Memory
from puad.daemon.parts import Parts
from puad.daemon.performer import Performer
from puad.daemon.poller import Poller
from puad.daemon.pulse import Pulse
from puad.daemon.view import status_view
from puad.daemon.workers import Post
from puad.effects.watch import Progress, Watch
from puad.journal import MessageId, lifecycle
from puad.render import HistoryView, StatusView, one_line, status_document
from puad.service import AgentObject, Reply
from puad.service_manager import notify

_LOG: Final = logging.getLogger(__name__)
_KEEP_TIME_EVERY_S: Final = 600.0
_PROGRESS_EVERY_S: Final = 0.2
_VERBS: Final[dict[str, Callable[[Moment], OperatorEvent]]] = {
    "run": RunAsked,
    "cancel": CancelAsked,
    "retry": RetryAsked,
    "rollback": RollbackAsked,
}
_GIVES_RUN_ID: Final = frozenset({"run", "rollback"})
_ON_ITS_WAY: Final = frozenset({State.DOWNLOADING, State.STAGED, State.ARMED, State.ASSESSING})
_UNKNOWN: Final = Offer(url="", image_id="", file_hash="", profile_name="")


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
        self._poller = Poller(settings)
        self._token = TokenFile(settings.server.token_file)
        self._lookout = Lookout()
        self._looks = Looks()
        run, store_lost = self._memory.load()
        self._performer = Performer(
            settings, parts, self._poller, self._looks, store_lost=store_lost
        )
        self._engine = Engine(run, self._memory, watch, self._performer, post, self._heard)
        self._object = AgentObject(self)
        self._keep_time_at = 0.0
        self._progress_told_at = 0.0
        self._watch = watch
        watch.listener = self._show_progress
        self.pulse = Pulse(self.tick, self._rest_s)

    @property
    def bus_object(self) -> AgentObject:
        """The object to put on the bus."""
        return self._object

    def start(self) -> None:
        """Ask boot control, and begin to beat; the orchestrator is asked when that has answered."""
        self.tick()
        self.pulse.reset()

    def tick(self) -> None:
        """What is due now; called by the pulse, which it never ends."""
        try:
            self._tick()
        except Exception:  # noqa: BLE001 - the main loop outlives a bug
            _LOG.exception("a bug: this second is skipped")
        notify(watchdog=True, status=one_line(self.status_view()))

    @property
    def _busy(self) -> bool:
        return self._engine.run.state in _ON_ITS_WAY

    def _rest_s(self) -> float:
        due = [self._looks.rest_s(time.monotonic())]
        resting = (
            rest(self._engine.run, self._parts.clock.moment()) if self._performer.started else None
        )
        if resting is not None:
            due.append(resting.total_seconds())
        return min(due)

    def _tick(self) -> None:
        if self._looks.due(busy=self._busy):
            self._engine.do(Look())
        if self._performer.started:
            moment = self._parts.clock.moment()
            self._keep_time(moment)
            self._lookout.time(self._engine.run, moment)
            self._engine.feed(Ticked(moment))

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
            token_expires_at=self._token.expires_at(),
        )

    def history_view(self) -> HistoryView:
        """Past update runs, newest first."""
        return self._memory.history()

    def check(self, reply: Reply) -> None:
        """Ask the orchestrator now, and boot control as well; answer when the former has."""
        self._poller.wait(reply)
        self._engine.do(Ask())
        self._engine.do(Look())

    def operate(self, verb: str, reply: Reply) -> None:
        """Follow an operator's word, or say why not."""
        if self._follow(_VERBS[verb](self._parts.clock.moment()), reply):
            goal = self._engine.run.goal
            gives_run_id = verb in _GIVES_RUN_ID
            reply.done((goal.run_id if goal else "") if gives_run_id else True)

    def install(self, folder: int, reply: Reply) -> None:
        """Install from an exported repository; it is only looked at while no run is on its way."""
        if self._busy:
            os.close(folder)
            self._refuse(InstallAsked(self._parts.clock.moment(), _UNKNOWN), reply)
        else:
            self._parts.inspect(folder, lambda result: self._inspected(folder, result, reply))

    def _inspected(self, folder: int, result: Offer | PuadError, reply: Reply) -> None:
        if isinstance(result, PuadError):
            os.close(folder)
            reply.failed(result)
            return
        event = InstallAsked(self._parts.clock.moment(), result)
        if self._refuse(event, reply):
            os.close(folder)
            return
        self._parts.supplier.keep_folder(folder)
        if self._follow(event, reply):
            goal = self._engine.run.goal
            reply.done(goal.run_id if goal else "")

    def _follow(self, event: OperatorEvent, reply: Reply) -> bool:
        if self._refuse(event, reply):
            return False
        try:
            self._engine.feed_now(event)
        except PuadError as error:
            reply.failed(error)
            return False
        return True

    def _refuse(self, event: OperatorEvent, reply: Reply) -> bool:
        error = self._watch.facts or refusal(self._engine.run, event)
        if error is not None:
            reply.failed(error)
        return error is not None

    def _heard(self, before: Run, after: Run, event: Event) -> None:
        self._hear(after, event)
        if after.state is not before.state or begins(before, after):
            self._tell_change(before, after)
        match event:
            case Ticked():
                pass
            case Answered() | NotAnswered():
                self.pulse.soon()
            case _:
                self.pulse.reset()

    def _hear(self, after: Run, event: Event) -> None:
        match event:
            case Answered() | NotAnswered():
                contact = self._parts.desk.contact
                self._lookout.server(contact)
                self._poller.answer(contact, self._status_text)
            case Looked():
                self._find_facts()
            case Started(facts=facts):
                self._find_facts()
                self._begin(after, facts)
            case Failed(step=Step.LOOK, code=code, text=text):
                self._looks.failed(busy=self._busy)
                self._lose_facts(PuadError(code, text))

    def _tell_change(self, before: Run, after: Run) -> None:
        goal = after.goal or before.goal
        run_id = goal.run_id if goal else ""
        self._object.state_changed(run_id, before.state.value, after.state.value)
        self._looks.hasten()
        if after.state is not State.DOWNLOADING:
            self._watch.progress = Progress()

    def _begin(self, run: Run, facts: Facts) -> None:
        self._performer.started = True
        text = f"puad runs image {facts.image_id} from slot {facts.booted_slot}; {run.state}"
        lifecycle(MessageId.DAEMON_STARTED, text, slot=facts.booted_slot, image_id=facts.image_id)
        self._engine.do(Ask())

    def _find_facts(self) -> None:
        self._looks.answered()
        self._watch.facts = None

    def _lose_facts(self, error: PuadError) -> None:
        if self._watch.facts is None:
            _LOG.error("%s. Until the facts can be read nothing is begun. %s", error, error.hint)
            self._watch.facts = error
            self._engine.do(Ask())

    def _keep_time(self, moment: Moment) -> None:
        now = time.monotonic()
        if now < self._keep_time_at or not moment.clock_trusted:
            return
        self._keep_time_at = now + _KEEP_TIME_EVERY_S
        try:
            self._parts.clock.keep(moment.now)
        except StorageError as error:
            _LOG.warning("the clock floor is not kept: %s", error)

    def _status_text(self) -> str:
        return json.dumps(status_document(self.status_view()))

# SPDX-License-Identifier: Apache-2.0
"""Following an update run until nothing more happens to it that is worth waiting for.

The daemon's signals tell of states and progress; the status is read again every second, so that a
lost signal or a daemon that starts anew delays nothing. How fast the progress is, and whether it
pauses, only the status tells. Ending the follower leaves the run alone.

ARMED is where a run is when boot control is asked to arm the slot and to reboot. Either may be
refused, so an armed run is followed until the daemon goes away with the rest of the node.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, Final

from gi.repository import Gio, GLib

from puad.cli.agent import BUS_NAME, OBJECT_PATH, Agent
from puad.cli.narrator import Began, Changed, Ended, Narrator, News, Noted, Progressed
from puad.core.errors import Code, OperatorError, PuadError
from puad.render import IDLE, CauseView, ProgressView, StatusView, one_line

_ARMED: Final = "ARMED"
# What a run does not leave any more while this boot lasts.
_ENDS: Final = frozenset({IDLE, "ASSESSING", "DONE", "ROLLED_BACK", "FAILED"})
_FAILURES: Final = frozenset({"ROLLED_BACK", "FAILED"})
_LOOK_MS: Final = 1000
# A run on an operator's word is armed as soon as it is staged; a held one is not waited for.
_STAGED_S: Final = 120.0
# A node goes down within seconds; one that is held up is not waited for.
_ARMED_S: Final = 120.0
_ABSENT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How following a run ended.

    Attributes:
        state: The state that the run had reached.
        text: The same in one line.
        problem: Why the run failed; None when it did not.
        interrupted: Whether the operator did not want to wait any longer.
    """

    state: str
    text: str = ""
    problem: PuadError | None = None
    interrupted: bool = False


class Follower:
    """Follows one run; make it before the run begins, so that no signal is missed.

    Args:
        agent: The daemon.
        narrators: Who is told.
        armed_s: How long an armed node may take to go down.
    """

    def __init__(self, agent: Agent, *narrators: Narrator, armed_s: float = _ARMED_S) -> None:
        self._agent = agent
        self._narrators = narrators
        self._armed_s = armed_s
        self._run_id = ""
        self._state = IDLE
        self._progress = ProgressView()
        self._interrupted = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the daemon's signals while the block lasts."""
        connection = self._agent.connection
        subscriptions = [
            connection.signal_subscribe(
                BUS_NAME, interface, name, OBJECT_PATH, None, Gio.DBusSignalFlags.NONE, handler
            )
            for interface, name, handler in (
                (BUS_NAME, "StateChanged", self._on_state),
                ("org.freedesktop.DBus.Properties", "PropertiesChanged", self._on_properties),
            )
        ]
        try:
            yield
        finally:
            for subscription in subscriptions:
                connection.signal_unsubscribe(subscription)

    def follow(self, run_id: str) -> RunEnd:
        """Wait until the run has ended for this boot, and tell of it meanwhile.

        Raises:
            OperatorError: `AGENT_ABSENT`, when the daemon stays away.
        """
        self._run_id = run_id
        self._tell(Began(run_id))
        state, since, text = self._state, time.monotonic(), ""
        with self._interruptible():
            while not self._interrupted:
                view = self._look()
                if state != self._state:
                    state, since, text = self._state, time.monotonic(), ""
                if view is None and state == _ARMED and not self._interrupted:
                    return self._end(text or "ARMED: the node reboots")
                if view is not None and _state_of(view, run_id) == state:
                    text = one_line(view)
                    if self._is_over(view, time.monotonic() - since):
                        return self._end(text, view.run.cause if view.run else None)
                    self._turn(_LOOK_MS)
        return RunEnd(self._state, interrupted=True)

    def _look(self) -> StatusView | None:
        """The status; what it says of the run counts unless a signal has just said otherwise."""
        view = self._ask()
        before = self._state
        self._turn(0)
        if view is not None and self._state == before:
            self._saw(_state_of(view, self._run_id))
            if view.progress.phase and view.progress != self._progress:
                self._progress = view.progress
                self._tell(Progressed(self._run_id, view.progress))
        return view

    def _ask(self) -> StatusView | None:
        """The status; None when an armed node has gone down, or at an interrupt."""
        absent_since = time.monotonic()
        while not self._interrupted:
            try:
                return self._agent.status()
            except OperatorError as error:
                if error.code is not Code.AGENT_ABSENT:
                    raise
                self._turn(0)
                if self._state == _ARMED:
                    return None
                if time.monotonic() - absent_since > _ABSENT_S:
                    raise
                self._tell(Noted("puad is away; waiting for it to come back"))
                self._turn(_LOOK_MS)
        return None

    def _is_over(self, view: StatusView, for_s: float) -> bool:
        if self._state == "STAGED":
            held = view.run is not None and not view.run.operator
            return held or for_s > _STAGED_S
        if self._state == _ARMED:
            if late := for_s > self._armed_s:
                self._tell(Noted("the node has not gone down yet; `puadctl status` tells more"))
            return late
        return self._state in _ENDS

    def _end(self, text: str, cause: CauseView | None = None) -> RunEnd:
        problem = None
        if self._state in _FAILURES:
            problem = _problem(cause)
        elif self._state == IDLE:
            problem = OperatorError(Code.CANCELLED, "The run was stopped", on=self._run_id)
        self._tell(Ended(self._run_id, self._state, problem))
        return RunEnd(self._state, text, problem)

    def _saw(self, state: str) -> None:
        if state != self._state:
            self._tell(Changed(self._run_id, self._state, state))
            self._state = state

    def _turn(self, wait_ms: int) -> None:
        """Let signals in, for that long or until a state has changed."""
        context = GLib.MainContext.default()
        state = self._state
        passed: list[bool] = []
        timer = GLib.timeout_add(wait_ms, lambda: passed.append(True)) if wait_ms else 0
        while context.pending() or (
            wait_ms and not (passed or self._interrupted) and state == self._state
        ):
            context.iteration(True)  # noqa: FBT003 -- GLib's signature: wait for something
        if timer and not passed:
            GLib.source_remove(timer)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Note an interrupt instead of raising: inside a callback of GLib it would be lost."""

        def note(_signal: int, _frame: FrameType | None) -> None:
            self._interrupted = True

        before = signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _on_state(self, *arguments: Any) -> None:  # noqa: ANN401 -- Gio's closure
        run_id, _before, state = arguments[5].unpack()
        if run_id == self._run_id:
            self._saw(state)

    def _on_properties(self, *arguments: Any) -> None:  # noqa: ANN401 -- Gio's closure
        interface, changed, _ = arguments[5].unpack()
        if interface == BUS_NAME and "Progress" in changed and self._run_id:
            done_bytes, total_bytes, phase = changed["Progress"]
            known = self._progress if phase == self._progress.phase else ProgressView()
            self._progress = replace(
                known, phase=phase, done_bytes=done_bytes, total_bytes=total_bytes
            )
            self._tell(Progressed(self._run_id, self._progress))

    def _tell(self, news: News) -> None:
        for narrator in self._narrators:
            narrator.tell(news)


def _state_of(view: StatusView, run_id: str) -> str:
    return view.run.state if view.run is not None and view.run.id == run_id else IDLE


def _problem(cause: CauseView | None) -> PuadError:
    if cause is None:
        return OperatorError(Code.INTERNAL, "The run failed, and puad does not say why")
    code = Code(cause.code) if cause.code in set(Code) else Code.INTERNAL
    return OperatorError(code, cause.text)

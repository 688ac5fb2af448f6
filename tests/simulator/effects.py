# SPDX-License-Identifier: Apache-2.0
"""Fake effects: `perform(action) -> event` for a simulated node, in place of `puad.effects`.

The seam is the real one: the same actions come in and the same events go out, and what goes wrong
comes back as an event. The talk with the orchestrator is real; the image, the slots, the boot
loader and the time that things take are simulated.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Final

from puad.core.actions import (
    Action,
    Arm,
    Ask,
    Consult,
    Disarm,
    Forget,
    Install,
    Look,
    MarkBad,
    MarkGood,
    Reboot,
)
from puad.core.errors import Code, DownloadError, PuadError, ServerError
from puad.core.events import (
    Answered,
    Armed,
    Consulted,
    Event,
    Failed,
    Looked,
    Moment,
    NotAnswered,
    Sealed,
    Step,
)
from puad.core.model import Plan
from puad.core.report import status_report
from puad.core.run import Goal, Run
from tests.simulator.machine import Machine
from tests.simulator.node_clock import NodeClock
from tests.simulator.pace import Pace, drawn
from tests.simulator.talk import Talk

_PARTS: Final = 10
_STEPS: Final[dict[type, Step]] = {
    Install: Step.INSTALL,
    Disarm: Step.DISARM,
    Arm: Step.ARM,
    MarkBad: Step.MARK,
    MarkGood: Step.MARK,
}


@dataclass(slots=True)
class Contact:
    """How calls to the orchestrator went.

    Attributes:
        answers: How many were answered.
        failures: How many in a row were not, up to now.
        errors: What was wrong with those that were not, newest last, at most a few.
        retry_after_s: How long the orchestrator asked to be left alone, the last time.
    """

    answers: int = 0
    failures: int = 0
    errors: list[str] = field(default_factory=list)
    retry_after_s: float = 0.0

    def answered(self) -> None:
        """A call was answered."""
        self.answers += 1
        self.failures, self.retry_after_s = 0, 0.0

    def failed(self, error: PuadError) -> None:
        """A call was not."""
        self.failures += 1
        self.errors = [*self.errors[-4:], str(error)]
        asked_s = error.retry_after_s if isinstance(error, ServerError) else None
        self.retry_after_s = asked_s or 0.0


@dataclass(slots=True)
class Effects:
    """Performs the actions of one simulated node.

    Attributes:
        machine: What it runs on.
        contact: How its calls went.
        is_going_down: Whether the node reboots now, or its power is cut.
        percent: How far the download under way is; None when there is none.
    """

    machine: Machine
    talk: Talk
    clock: NodeClock
    pace: Pace
    chance: random.Random
    contact: Contact = field(default_factory=Contact)
    is_going_down: bool = False
    percent: int | None = None
    _step: str = ""
    _up_since_s: float = 0.0

    def boots(self) -> None:
        """Another boot has begun."""
        self.is_going_down = False
        self._forget_progress()
        self._up_since_s = time.monotonic()

    def moment(self) -> Moment:
        """What the node's clock says."""
        return self.clock.moment(time.time(), time.monotonic() - self._up_since_s, self.chance)

    def look(self, run: Run) -> Looked:
        """Read the facts, which takes no time here."""
        return Looked(self.moment(), self.machine.facts(run))

    async def perform(self, action: Action, run: Run) -> Event | None:
        """Perform an action: what came of it, None when nobody waits for that."""
        try:
            return await self._perform(action, run)
        except PuadError as error:
            return self._failure(action, error)

    async def _perform(self, action: Action, run: Run) -> Event | None:
        match action:
            case Ask():
                return await self._ask(run)
            case Install(goal):
                return await self._install(goal)
            case Reboot():
                await asyncio.sleep(drawn(self.pace.shutdown_s, self.chance))
                self.is_going_down = True
                return None
        return self._at_once(action, run)

    def _at_once(self, action: Action, run: Run) -> Event | None:
        match action:
            case Look():
                return self.look(run)
            case Consult(goal):
                return Consulted(self.moment(), goal.run_id)
            case Forget():
                return None
        return self._tell_boot_control(action)

    def _tell_boot_control(self, action: Action) -> Event | None:
        match action:
            case Disarm(slot=slot):
                self.machine.disarm(slot)
            case Arm(run_id, slot, tries):
                self.machine.arm(slot, tries)
                return Armed(self.moment(), run_id)
            case MarkBad(run_id, slot):
                self.machine.mark(slot, good=False)
                return Armed(self.moment(), run_id)
            case MarkGood(slot=slot):
                self.machine.mark(slot, good=True)
            case _:
                raise RuntimeError(f"{type(action).__name__} is for the driver, not for effects")
        return None

    async def _ask(self, run: Run) -> Event:
        status = status_report(run, progress_percent=self.percent, step=self._step)
        now = self.moment().now
        answer = await self.talk.report(status, now)
        self.contact.answered()
        return Answered(
            self.moment(),
            plan=Plan(answer.offer, answer.schedules, now),
            taken=status.status_type,
            taken_run=run.goal.run_id if run.goal else "",
            clear_quarantine=answer.clear_quarantine,
        )

    async def _install(self, goal: Goal) -> Event | None:
        self.machine.write(goal.slot)
        whole_s, trouble = drawn(self.pace.download_s, self.chance), self.chance.random()
        mishaps = self.pace.mishaps
        self._step = "fetch"
        try:
            for part in range(_PARTS):
                self.percent = part * 100 // _PARTS
                await asyncio.sleep(whole_s / _PARTS)
                if part == _PARTS // 2 and trouble < mishaps.lost:
                    raise DownloadError(Code.DOWNLOAD_UNREACHABLE, "The connection was reset")
                if part == _PARTS // 2 and trouble > 1 - mishaps.power_cuts:
                    self.is_going_down = True
                    return None
            self._step, self.percent = "seal", 100
            await asyncio.sleep(drawn(self.pace.seal_s, self.chance))
            self.machine.seal(goal.slot, goal.offer)
        finally:
            self._forget_progress()
        return Sealed(self.moment(), goal.run_id)

    def _forget_progress(self) -> None:
        self._step, self.percent = "", None

    def _failure(self, action: Action, error: PuadError) -> Event | None:
        moment = self.moment()
        if isinstance(action, Ask):
            self.contact.failed(error)
            return NotAnswered(moment)
        step = _STEPS.get(type(action))
        if step is None:
            return None
        goal = action.goal if isinstance(action, Install) else None
        run_id: str = goal.run_id if goal else getattr(action, "run_id", "")
        return Failed(moment, run_id, step, error.code, str(error), transient=error.transient)

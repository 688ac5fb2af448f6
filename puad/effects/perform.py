# SPDX-License-Identifier: Apache-2.0
"""`Effects.perform(action) -> event`: the only place where an action becomes I/O.

What goes wrong comes back as an event, never as an exception: `Failed`, or what an answer that
did not come means to the run (`NotAnswered`, `Consulted`). A bug too is reported, as `INTERNAL`,
so that a run ends with a cause and not with a dead daemon.
"""

from __future__ import annotations

import logging
from typing import Final

from puad.bootcontrol import BootControl
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
from puad.core.errors import EXPLANATIONS, Code, PuadError
from puad.core.events import (
    Answered,
    Armed,
    Consulted,
    Event,
    Failed,
    Looked,
    NotAnswered,
    Sealed,
    Step,
)
from puad.core.model import Facts
from puad.core.run import Goal, Run
from puad.effects.clock import Clock
from puad.effects.facts import FactReader
from puad.effects.install import Installer
from puad.effects.maintenance import MaintenanceDesk
from puad.effects.pre_reboot import PreReboot
from puad.effects.supply import Supplier

_LOG: Final = logging.getLogger(__name__)


class Effects:
    """Performs actions on the real machine.

    Args:
        boot_control: The boot-control service.
        clock: Time for the events.
        facts: Reads the facts.
        installer: Installs images.
        supplier: Opens the repository that an image comes from.
        desk: Talks with the maintenance manager.
        pre_reboot: Asks whoever may defer a reboot.
    """

    def __init__(  # noqa: PLR0913 - one argument for each thing that is reached
        self,
        boot_control: BootControl,
        clock: Clock,
        facts: FactReader,
        *,
        installer: Installer,
        supplier: Supplier,
        desk: MaintenanceDesk,
        pre_reboot: PreReboot,
    ) -> None:
        self._boot_control = boot_control
        self._clock = clock
        self._facts = facts
        self._installer = installer
        self._supplier = supplier
        self._desk = desk
        self._pre_reboot = pre_reboot

    def perform(self, action: Action, run: Run) -> Event | None:
        """Perform an action that reaches out of this process.

        Args:
            action: What to do; again, if it was done before.
            run: The persisted run that it belongs to.

        Returns:
            What came of it; None when nobody waits for that.
        """
        try:
            return self._perform(action, run)
        except PuadError as error:
            _LOG.warning("%s: %s", type(action).__name__.lower(), error)
            return self._failure(action, error.code, str(error))
        except Exception as error:  # noqa: BLE001 - a bug ends the run, not the daemon
            _LOG.exception("%s: a bug", type(action).__name__.lower())
            return self._failure(action, Code.INTERNAL, f"{type(error).__name__}: {error}")

    def _perform(self, action: Action, run: Run) -> Event | None:
        match action:
            case Ask():
                return self._ask(run)
            case Look():
                return Looked(self._clock.moment(), self._facts.read(run))
            case Install(goal):
                return self._install(goal, _facts_of(run), run.floor)
            case Consult(goal):
                held_by = self._pre_reboot.ask(action)
                return Consulted(self._clock.moment(), goal.run_id, held_by)
            case Forget():
                self._installer.forget()
                return None
        return self._tell_boot_control(action)

    def _tell_boot_control(self, action: Action) -> Event | None:
        match action:
            case Disarm(slot=slot):
                self._boot_control.disarm(slot)
            case Arm(run_id, slot, tries):
                self._boot_control.arm(slot, tries)
                return Armed(self._clock.moment(), run_id)
            case MarkBad(run_id, slot):
                self._boot_control.mark_bad(slot)
                return Armed(self._clock.moment(), run_id)
            case MarkGood(slot=slot):
                self._boot_control.mark_good(slot)
            case Reboot(reason=reason):
                self._boot_control.request_reboot(reason)
            case _:
                raise RuntimeError(f"{type(action).__name__} is not performed outside the daemon")
        return None

    def _ask(self, run: Run) -> Event:
        moment = self._clock.moment()
        status, answer = self._desk.report(run, moment.now)
        return Answered(
            self._clock.moment(),
            plan=answer.plan,
            taken=status,
            taken_run=run.goal.run_id if run.goal else "",
            clear_quarantine=answer.clear_quarantine,
        )

    def _install(self, goal: Goal, facts: Facts, floor: str | None) -> Event:
        with self._supplier.open(goal) as repository:
            manifest = self._installer.install(goal, repository, facts, floor)
        self._clock.vouch(since=manifest.built_at)
        return Sealed(self._clock.moment(), goal.run_id, manifest.min_version)

    def _failure(self, action: Action, code: Code, text: str) -> Event | None:
        moment = self._clock.moment()
        if isinstance(action, Ask):
            return NotAnswered(moment)
        if isinstance(action, Consult):  # who cannot be asked holds nothing up
            return Consulted(moment, action.goal.run_id)
        step = _STEPS.get(type(action))
        if step is None:
            return None
        goal = action.goal if isinstance(action, Install) else None
        run_id: str = goal.run_id if goal else getattr(action, "run_id", "")
        transient = EXPLANATIONS[code].transient
        return Failed(moment, run_id, step, code, text, transient=transient)


_STEPS: Final[dict[type, Step]] = {
    Look: Step.LOOK,
    Install: Step.INSTALL,
    Disarm: Step.DISARM,
    Arm: Step.ARM,
    MarkBad: Step.MARK,
    MarkGood: Step.MARK,
    Reboot: Step.REBOOT,
}


def _facts_of(run: Run) -> Facts:
    if run.facts is None:
        raise RuntimeError("an install was asked for before the facts were known")
    return run.facts

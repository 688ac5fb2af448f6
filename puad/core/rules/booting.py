# SPDX-License-Identifier: Apache-2.0
"""ARMED: the boot target is set and the reboot is asked for.

The next thing that matters is a start in another boot, see `puad.core.rules.starting`.
"""

from __future__ import annotations

from dataclasses import replace

from puad.core.actions import Action, Actions, Arm, Ask, Disarm, MarkBad, MarkGood, Reboot
from puad.core.errors import Code
from puad.core.events import (
    Answered,
    Armed,
    Failed,
    Looked,
    NotAnswered,
    Sealed,
    Step,
    Ticked,
)
from puad.core.model import Facts
from puad.core.rules.outcomes import failed, goal_of, passed
from puad.core.rules.waiting import hear
from puad.core.run import Cause, Run, State
from puad.core.table import on, stay

_NO_ANSWER = {Code.BOOT_CONTROL_ABSENT, Code.BOOT_CONTROL_TIMEOUT}


@on(State.ARMED, Armed)
def armed(run: Run, event: Armed) -> tuple[Run, Actions]:
    """The boot loader knows the target; the server hears STARTED while the node goes down."""
    goal = goal_of(run)
    if event.run_id != goal.run_id or goal.reboot_at is not None:
        return run, ()
    reason = f"puad: {'rolling back to' if goal.undo else 'updating to'} slot {goal.slot}"
    return run.with_goal(reboot_at=event.moment.now), (Ask(), Reboot(goal.run_id, reason))


@on(State.ARMED, Failed, to={State.FAILED, State.DOWNLOADING})
def could_not_reboot(run: Run, event: Failed) -> tuple[Run, Actions]:
    """Neither armed nor rebooted: the slot is disarmed again.

    A reboot call that got no answer is no failure yet: boot control may have gone down with the
    rest of the node. When it has not, `still_up` ends the run. A slot that could not be armed for
    a reason that may pass, such as a lost seal, is brought and sealed again.
    """
    goal = goal_of(run)
    if event.run_id != goal.run_id or event.step not in {Step.ARM, Step.MARK, Step.REBOOT}:
        return run, ()
    if event.step is Step.REBOOT and event.code in _NO_ANSWER:
        return run, ()
    cause = Cause(event.code, event.text, event.moment.now)
    if event.step is Step.ARM and event.transient and goal.attempts < run.rules.attempts:
        pause = event.moment.now + run.rules.pause_after(goal.attempts)
        again = replace(run, state=State.DOWNLOADING)
        return again.with_goal(retry_at=pause, setback=cause), ()
    return failed(run, cause, *_undone(run))


@on(State.ARMED, Ticked, to={State.FAILED})
def still_up(run: Run, event: Ticked) -> tuple[Run, Actions]:
    """A reboot that does not come leaves no armed slot behind for some later power cut."""
    goal = goal_of(run)
    if not passed(goal.reboot_at, event.moment.now, run.rules.reboot_limit):
        return run, ()
    text = f"The node was still up {run.rules.reboot_limit.total_seconds():.0f} s after the reboot"
    return failed(run, Cause(Code.REBOOT_FAILED, text, event.moment.now), *_undone(run))


@on((State.ARMED, State.ASSESSING), Answered)
def answered(run: Run, event: Answered) -> tuple[Run, Actions]:
    """After ARMED a run goes to its end; the plan is kept for afterwards."""
    return hear(run, event)


@on(State.ARMED, Looked)
def looked(run: Run, event: Looked) -> tuple[Run, Actions]:
    """The facts are kept for the next decision."""
    return replace(run, facts=event.facts), ()


def arm_again(run: Run, facts: Facts) -> tuple[Run, Actions]:
    """The daemon was restarted between arming and the reboot, in the same boot."""
    goal = goal_of(run)
    arming = (
        MarkBad(goal.run_id, facts.booted_slot)
        if goal.undo
        else Arm(goal.run_id, goal.slot, run.rules.tries)
    )
    return run.with_goal(reboot_at=None), (arming,)


def _undone(run: Run) -> tuple[Action, ...]:
    goal = goal_of(run)
    if goal.undo and run.facts is not None:
        return (MarkGood(goal.run_id, run.facts.booted_slot),)
    return (Disarm(goal.run_id, goal.slot),)


on((State.ARMED, State.ASSESSING), NotAnswered)(stay)
on((State.ARMED, State.ASSESSING), Sealed)(stay)

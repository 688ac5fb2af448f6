# SPDX-License-Identifier: Apache-2.0
"""The operator's word: run, install, cancel, retry, rollback.

`refusal` says beforehand whether a request can be followed; the rules below it rely on that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from puad.core.actions import Actions, Announce, Ask, Consult, MarkBad, Notice
from puad.core.decision import Decision
from puad.core.errors import Code, OperatorError
from puad.core.events import (
    CancelAsked,
    InstallAsked,
    OperatorEvent,
    RetryAsked,
    RollbackAsked,
    RunAsked,
)
from puad.core.model import Assessment, Offer
from puad.core.rules.holding import reset
from puad.core.rules.installing import arm_when_allowed
from puad.core.rules.outcomes import dropped, goal_of
from puad.core.rules.waiting import WAITING, begin, judge
from puad.core.run import Goal, Run, State
from puad.core.table import on, stay

_BEFORE_ARMED = (State.DOWNLOADING, State.STAGED)
_TO_ITS_END = (State.ARMED, State.ASSESSING)

_DECLINED: Final = {
    Decision.NONE: (Code.NOTHING_TO_DO, "The server offers no image to this node"),
    Decision.ALREADY_BOOTED: (Code.NOTHING_TO_DO, "The offered image is running already"),
    Decision.QUARANTINED: (Code.QUARANTINED, "The offered image was rolled back here"),
    Decision.WRONG_PROFILE: (Code.WRONG_PROFILE, "The offered image has another profile"),
    Decision.BELOW_FLOOR: (Code.BELOW_FLOOR, "The offered image is older than the version floor"),
}


def refusal(run: Run, event: OperatorEvent) -> OperatorError | None:
    """Why the request cannot be followed now; None when it can."""
    if run.state in _TO_ITS_END:
        return _busy(run)
    if run.state in _BEFORE_ARMED:
        return _busy(run) if isinstance(event, InstallAsked | RollbackAsked) else None
    return _refuse_waiting(run, event)


@on(WAITING, RunAsked, to={State.DOWNLOADING})
def run_asked(run: Run, event: RunAsked) -> tuple[Run, Actions]:
    """Begin with the offered image now."""
    offer = run.plan.offer
    return (run, ()) if offer is None else begin(run, offer, event.moment, by_operator=True)


@on(State.DOWNLOADING, RunAsked)
def run_asked_in_downloading(run: Run, event: RunAsked) -> tuple[Run, Actions]:
    """The run needs no window any more, and no pause before its next download."""
    retry_at = event.moment.now if goal_of(run).retry_at is not None else None
    return run.with_goal(by_operator=True, retry_at=retry_at), ()


@on(State.STAGED, RunAsked)
def run_asked_in_staged(run: Run, event: RunAsked) -> tuple[Run, Actions]:
    """The run needs no window any more, and who defers its reboot is asked once more."""
    return arm_when_allowed(reset(run.with_goal(by_operator=True)), event.moment)


@on(WAITING, InstallAsked, to={State.DOWNLOADING})
def install_asked(run: Run, event: InstallAsked) -> tuple[Run, Actions]:
    """Begin with the image of an exported repository now."""
    return begin(run, event.offer, event.moment, by_operator=True, from_folder=True)


@on(_BEFORE_ARMED, CancelAsked, to={State.IDLE})
def cancel_asked(run: Run, event: CancelAsked) -> tuple[Run, Actions]:
    """Stop and disarm; the image is held until another is offered or an operator says so."""
    return dropped(run, event.moment, "Cancelled: by an operator at the node", held=True)


@on((State.IDLE, State.DONE), RetryAsked)
def retry_asked(run: Run, _event: RetryAsked) -> tuple[Run, Actions]:
    """Release what was quarantined or held; the next window may try it again."""
    text = "An operator cleared the quarantine at the node"
    released = replace(run, quarantine=(), held="", retry_at=None)
    return released, (Announce(Notice.QUARANTINE_CLEARED, text), Ask())


@on((State.FAILED, State.ROLLED_BACK), RetryAsked, to={State.IDLE})
def retry_asked_after_a_failure(run: Run, event: RetryAsked) -> tuple[Run, Actions]:
    """The failure is dealt with: it is not reported any longer."""
    released, actions = retry_asked(run, event)
    return replace(released, state=State.IDLE, goal=None, cause=None, told=True), actions


@on(_BEFORE_ARMED, RetryAsked)
def retry_asked_on_the_way(run: Run, event: RetryAsked) -> tuple[Run, Actions]:
    """Do not wait any longer before the next download."""
    goal = goal_of(run)
    return run.with_goal(retry_at=None if goal.retry_at is None else event.moment.now), ()


@on(WAITING, RollbackAsked, to={State.ARMED})
def rollback_asked(run: Run, event: RollbackAsked) -> tuple[Run, Actions]:
    """Mark the booted slot bad, so that the boot loader takes the other one, and reboot."""
    facts = run.facts
    if facts is None or facts.inactive is None:
        return run, ()
    known = run.installed if run.installed and run.installed.image_id == facts.image_id else None
    offer = known or Offer("", facts.image_id, "", facts.profile)
    goal = Goal(
        run_id=f"{event.moment.now:%Y%m%dT%H%M%SZ}-rollback",
        offer=offer,
        slot=facts.inactive.name,
        started_at=event.moment.now,
        by_operator=True,
        undo=True,
        armed_in=facts.boot_id,
    )
    after = replace(run, state=State.ARMED, goal=goal, cause=None, download_at=None)
    return after, (Consult(goal, binding=False), MarkBad(goal.run_id, facts.booted_slot))


def _refuse_waiting(run: Run, event: OperatorEvent) -> OperatorError | None:
    match event:
        case RunAsked():
            return _refuse_image(run, run.plan.offer)
        case InstallAsked(offer=offer):
            return _refuse_image(run, offer)
        case CancelAsked():
            return _nothing("No update run is on its way")
        case RollbackAsked():
            return _refuse_rollback(run)
    if run.quarantine or run.held or run.state is State.FAILED:
        return None
    return _nothing("No image is quarantined or held back")


def _refuse_image(run: Run, offer: Offer | None) -> OperatorError | None:
    decision = judge(run, offer)
    if decision is not Decision.INSTALL:
        code, what = _DECLINED[decision]
        return OperatorError(code, what, on=offer.image_id if offer else "")
    if not run.booted_is_good:
        what = "The booted slot is not confirmed good yet, so its fallback is not touched"
        return OperatorError(Code.BUSY, what)
    return None


def _refuse_rollback(run: Run) -> OperatorError | None:
    inactive = run.facts.inactive if run.facts else None
    if inactive is None or inactive.assessment is not Assessment.GOOD:
        what = "The other slot holds no good image to go back to"
        return OperatorError(Code.NO_FALLBACK, what, on=inactive.name if inactive else "")
    return None


def _busy(run: Run) -> OperatorError:
    run_id = run.goal.run_id if run.goal else ""
    code = Code.RUN_ARMED if run.state in _TO_ITS_END else Code.BUSY
    return OperatorError(code, f"An update run is in state {run.state}", on=run_id)


def _nothing(what: str) -> OperatorError:
    return OperatorError(Code.NOTHING_TO_DO, what)


on((State.ARMED, State.ASSESSING), RunAsked)(stay)
on((*_BEFORE_ARMED, *_TO_ITS_END), InstallAsked)(stay)
on((*WAITING, *_TO_ITS_END), CancelAsked)(stay)
on(_TO_ITS_END, RetryAsked)(stay)
on((*_BEFORE_ARMED, *_TO_ITS_END), RollbackAsked)(stay)

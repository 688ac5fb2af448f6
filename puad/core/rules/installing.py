# SPDX-License-Identifier: Apache-2.0
"""DOWNLOADING and STAGED: the image comes to its slot, and waits there for the window.

What must hold to arm is asked in this order: a window (or an operator's word), a fresh plan, and
nobody who defers the reboot; the plan once more when asking for the last took long.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from puad.core.actions import Actions, Announce, Arm, Ask, Disarm, Install, Notice
from puad.core.decision import Decision
from puad.core.events import (
    Answered,
    Armed,
    Consulted,
    Failed,
    Looked,
    Moment,
    NotAnswered,
    Sealed,
    Step,
    Ticked,
)
from puad.core.model import Window
from puad.core.rules.holding import ASK_AGAIN, consult, overridden, released, reset, settle
from puad.core.rules.outcomes import dropped, failed, goal_of, passed
from puad.core.rules.waiting import consider, hear, judge
from puad.core.run import Cause, Run, State
from puad.core.table import on, stay
from puad.core.windows import next_window, open_window, time_left

FRESH = timedelta(seconds=60)
"""How old the plan may be when a slot is armed (invariant 8)."""

_BEFORE_ARMED = (State.DOWNLOADING, State.STAGED)
_ASK_AGAIN = timedelta(minutes=2)
_OPENING_GRACE = timedelta(seconds=90)


@on(State.DOWNLOADING, Sealed, to={State.STAGED})
def sealed(run: Run, event: Sealed) -> tuple[Run, Actions]:
    """The image is on its slot; the server hears so, and its answer may let it be armed."""
    goal = goal_of(run)
    if event.run_id != goal.run_id:
        return run, ()
    staged = replace(run, state=State.STAGED).with_goal(
        min_version=event.min_version, retry_at=None, setback=None, asked_at=event.moment.now
    )
    return reset(staged), (Ask(),)


@on(State.DOWNLOADING, Failed, to={State.FAILED})
def install_failed(run: Run, event: Failed) -> tuple[Run, Actions]:
    """What may pass by itself is tried again after a pause, a bounded number of times."""
    goal = goal_of(run)
    if event.run_id != goal.run_id or event.step is not Step.INSTALL:
        return run, ()
    cause = Cause(event.code, event.text, event.moment.now)
    if event.transient and goal.attempts < run.rules.attempts:
        pause = run.rules.pause_after(goal.attempts)
        return run.with_goal(retry_at=event.moment.now + pause, setback=cause), ()
    return failed(run, cause, Disarm(goal.run_id, goal.slot))


@on(State.DOWNLOADING, Ticked)
def retry_when_due(run: Run, event: Ticked) -> tuple[Run, Actions]:
    """The pause after a failed download is over."""
    goal = goal_of(run)
    if goal.retry_at is None or event.moment.now < goal.retry_at:
        return run, ()
    again = run.with_goal(retry_at=None, setback=None, attempts=goal.attempts + 1)
    return again, (Install(goal_of(again)),)


@on(State.STAGED, Ticked, to={State.ARMED})
def window_may_be_open(run: Run, event: Ticked) -> tuple[Run, Actions]:
    """The window may have opened."""
    return arm_when_allowed(run, event.moment)


@on(State.DOWNLOADING, Answered, to={State.IDLE})
def answered_in_downloading(run: Run, event: Answered) -> tuple[Run, Actions]:
    """The plan may still want the image."""
    heard, notices = hear(run, event)
    return (heard, notices) if _still_wanted(heard) else _taken_back(heard, event.moment, notices)


@on(State.STAGED, Answered, to={State.IDLE, State.DOWNLOADING, State.ARMED})
def answered_in_staged(run: Run, event: Answered) -> tuple[Run, Actions]:
    """The plan is fresh now: if it still wants the image, it may be armed."""
    heard, notices = hear(run, event)
    if not _still_wanted(heard):
        return _taken_back(heard, event.moment, notices)
    after, actions = arm_when_allowed(heard, event.moment)
    return after, (*notices, *actions)


def _still_wanted(run: Run) -> bool:
    goal, offer = goal_of(run), run.plan.offer
    unchanged = offer is not None and offer.file_hash == goal.offer.file_hash
    return goal.from_folder or (unchanged and judge(run, offer) is Decision.INSTALL)


def _taken_back(heard: Run, moment: Moment, notices: Actions) -> tuple[Run, Actions]:
    """A policy or an image that is taken back before ARMED ends the run, and that is no failure."""
    offer = heard.plan.offer
    why = "another image is wanted now" if offer else "the policy or the image was withdrawn"
    heard, stopping = dropped(heard, moment, f"Cancelled: {why}", held=False)
    after, beginning = consider(heard, moment)
    return after, (*notices, *stopping, *beginning)


@on(State.STAGED, NotAnswered, to={State.ARMED})
def no_answer_before_arming(run: Run, event: NotAnswered) -> tuple[Run, Actions]:
    """The server does not answer: the stored policy and window hold (invariant 8)."""
    if goal_of(run).asked_at is None or not _allowed(run, event.moment):
        return run, ()
    return arm(run) if released(run, event.moment) else consult(run, event.moment)


@on(State.STAGED, Consulted, to={State.ARMED})
def consulted(run: Run, event: Consulted) -> tuple[Run, Actions]:
    """Nobody defers the reboot, or an operator's word overrides who does: go on."""
    goal = goal_of(run)
    if event.run_id != goal.run_id:
        return run, ()
    settled, notices = settle(run, event)
    if event.held_by and not goal.by_operator:
        return settled, notices
    stale = not goal.from_folder and passed(run.plan.answered_at, event.moment.now, FRESH)
    if stale and _allowed(run, event.moment):
        # asking took long: the plan is asked for once more, and holds when no answer comes
        return settled.with_goal(asked_at=event.moment.now), (*notices, Ask())
    after, actions = arm_when_allowed(settled, event.moment)
    return after, (*notices, *actions)


@on(State.ARMED, Consulted)
def consulted_on_the_way_back(run: Run, event: Consulted) -> tuple[Run, Actions]:
    """An operator's rollback waits for nobody, but those who would defer it have been asked."""
    goal = goal_of(run)
    if event.run_id != goal.run_id or not (goal.undo and event.held_by):
        return run, ()
    return overridden(run, event)


@on(State.STAGED, Looked, to={State.DOWNLOADING})
def seal_may_be_broken(run: Run, event: Looked) -> tuple[Run, Actions]:
    """A seal does not outlive the boot-control service: the image is brought and sealed again."""
    goal = goal_of(run)
    run = replace(run, facts=event.facts)
    slot = event.facts.slot(goal.slot)
    before_the_seal = goal.asked_at is not None and event.moment.now < goal.asked_at
    if before_the_seal or (slot is not None and slot.sealed):
        return run, ()
    again = replace(run, state=State.DOWNLOADING)
    return again, (Install(goal),)


@on(State.DOWNLOADING, Looked)
def looked(run: Run, event: Looked) -> tuple[Run, Actions]:
    """The facts are kept for the next decision."""
    return replace(run, facts=event.facts), ()


def arm_when_allowed(run: Run, moment: Moment) -> tuple[Run, Actions]:
    """Arm in an open window with enough left, or on an operator's word, when nobody defers it."""
    if not _allowed(run, moment):
        return _report_short_window(run, moment)
    goal = goal_of(run)
    if goal.from_folder or not passed(run.plan.answered_at, moment.now, FRESH):
        if not released(run, moment):
            return consult(run, moment)
        noticed, notices = _report_short_window(run, moment)
        after, actions = arm(noticed)
        return after, (*notices, *actions)
    if goal.asked_at is None or passed(goal.asked_at, moment.now, _ASK_AGAIN):
        return run.with_goal(asked_at=moment.now), (Ask(),)
    return run, ()


def arm(run: Run) -> tuple[Run, Actions]:
    """From here on the run goes to its end."""
    goal = goal_of(run)
    boot_id = run.facts.boot_id if run.facts else ""
    after = replace(run, state=State.ARMED).with_goal(armed_in=boot_id, reboot_at=None)
    return after, (Arm(goal.run_id, goal.slot, run.rules.tries),)


def window_allows(run: Run, moment: Moment) -> bool:
    """Whether a window is open, on a trusted clock, with enough of it left (invariant 8)."""
    if not moment.clock_trusted:
        return False
    window = open_window(run.plan.schedules, moment.now)
    return window is not None and (_long_enough(run, window, moment) or _whole(window, moment))


def _allowed(run: Run, moment: Moment) -> bool:
    return run.booted_is_good and (goal_of(run).by_operator or window_allows(run, moment))


def asked_again_at(run: Run, moment: Moment) -> datetime | None:
    """When who defers the reboot is asked again; None when no window is known for that."""
    if _allowed(run, moment):
        return (goal_of(run).consulted_at or moment.now) + ASK_AGAIN
    window = next_window(run.plan.schedules, moment.now)
    if window is not None and window.start <= moment.now:  # too little of it is left
        window = next_window(run.plan.schedules, window.end) if window.end else None
    return window.start if window else None


def _needed(run: Run) -> timedelta:
    boot = timedelta(seconds=run.facts.boot_duration_s if run.facts else 0.0)
    return run.rules.window_needed(boot)


def _long_enough(run: Run, window: Window, moment: Moment) -> bool:
    left = time_left(window, moment.now)
    return left is None or left >= _needed(run)


def _whole(window: Window, moment: Moment) -> bool:
    return moment.now - window.start < _OPENING_GRACE


def _report_short_window(run: Run, moment: Moment) -> tuple[Run, Actions]:
    window = open_window(run.plan.schedules, moment.now)
    if not moment.clock_trusted or window is None or run.short_window == window.start:
        return run, ()
    if goal_of(run).by_operator or _long_enough(run, window, moment):
        return run, ()
    what = "is used, because all of it is left" if _whole(window, moment) else "is not used"
    text = (
        f"The window that opened at {window.start:%Y-%m-%d %H:%M} UTC {what}: less than "
        f"{_needed(run).total_seconds():.0f} s of it are left"
    )
    return replace(run, short_window=window.start), (Announce(Notice.WINDOW_TOO_SHORT, text),)


on(State.DOWNLOADING, NotAnswered)(stay)
on(_BEFORE_ARMED, Armed)(stay)
on(State.STAGED, Sealed)(stay)
on(State.STAGED, Failed)(stay)
on(State.DOWNLOADING, Consulted)(stay)

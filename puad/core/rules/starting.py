# SPDX-License-Identifier: Apache-2.0
"""Started: the first event after each start. Facts over memory (invariant 4).

What was stored says what the node wanted; the booted slot, the boot loader's counters and the
verdict file say what became of it.
"""

from __future__ import annotations

from dataclasses import replace

from puad.core.actions import Actions, Announce, Disarm, Install, Notice
from puad.core.errors import Code
from puad.core.events import Moment, Started
from puad.core.model import Assessment, Facts, Offer, Slot
from puad.core.rules.assessing import assess
from puad.core.rules.booting import arm_again
from puad.core.rules.causes import cause_of, verdict_on
from puad.core.rules.holding import reset
from puad.core.rules.installing import window_allows
from puad.core.rules.outcomes import failed, goal_of, rolled_back
from puad.core.rules.waiting import left_armed
from puad.core.run import Cause, Goal, Run, State
from puad.core.table import on


@on(State.IDLE, Started, to={State.ASSESSING, State.ROLLED_BACK, State.FAILED})
def started_in_idle(run: Run, event: Started) -> tuple[Run, Actions]:
    """Nothing was on its way, or the store that knew of it is lost."""
    run = _with_facts(run, event)
    if event.store_lost:
        return rebuild(run, event)
    left = _left_behind(run, event.facts)
    if left is None or run.installed is None:
        return run, ()
    goal = replace(_lost_goal(left, event.facts, event.moment), offer=run.installed)
    text = f"Slot {left.name} was good once, but the boot loader went back from it"
    cause = Cause(Code.NEVER_HEALTHY, text, event.moment.now)
    return rolled_back(replace(run, goal=goal), cause)


@on(State.ROLLED_BACK, Started)
def started_in_rolled_back(run: Run, event: Started) -> tuple[Run, Actions]:
    """The rollback stands until the next run begins."""
    return _with_facts(run, event), ()


@on(State.FAILED, Started, to={State.ASSESSING, State.DONE})
def started_in_failed(run: Run, event: Started) -> tuple[Run, Actions]:
    """The failure stands, unless the slot that could not be disarmed was booted all the same."""
    run = _with_facts(run, event)
    goal = goal_of(run)
    if goal.armed_in and not goal.undo and event.facts.booted_slot == goal.slot:
        return _in_new_slot(replace(run, cause=None, held=""), event.facts, event.moment)
    return run, left_armed(run, event.facts)


@on(State.DONE, Started, to={State.ROLLED_BACK})
def started_in_done(run: Run, event: Started) -> tuple[Run, Actions]:
    """A slot that was done and is left again by the boot loader was rolled back after all."""
    run = _with_facts(run, event)
    goal = goal_of(run)
    if event.facts.booted_slot != goal.slot:
        text = f"Slot {goal.slot} was good once, but the boot loader went back from it"
        return rolled_back(run, Cause(Code.NEVER_HEALTHY, text, event.moment.now))
    return run, ()


@on(State.DOWNLOADING, Started, to={State.ASSESSING, State.DONE, State.FAILED})
def started_in_downloading(run: Run, event: Started) -> tuple[Run, Actions]:
    """Go on where it was: chunks that lie on the slot already are not fetched again."""
    run = _with_facts(run, event)
    goal = goal_of(run)
    if event.facts.booted_slot == goal.slot:
        return _in_new_slot(run, event.facts, event.moment)
    again = run.with_goal(retry_at=None, setback=None)
    return again, (Install(goal_of(again)),)


@on(
    State.STAGED,
    Started,
    to={State.DOWNLOADING, State.ASSESSING, State.DONE, State.FAILED},
)
def started_in_staged(run: Run, event: Started) -> tuple[Run, Actions]:
    """A seal does not outlive the boot-control service; without one the slot is sealed again."""
    run = reset(_with_facts(run, event).with_goal(asked_at=None))
    goal = goal_of(run)
    if event.facts.booted_slot == goal.slot:
        return _in_new_slot(run, event.facts, event.moment)
    slot = event.facts.slot(goal.slot)
    if slot is not None and slot.sealed:
        return run, ()
    return replace(run, state=State.DOWNLOADING), (Install(goal),)


@on(
    State.ARMED,
    Started,
    to={State.DOWNLOADING, State.ASSESSING, State.DONE, State.ROLLED_BACK, State.FAILED},
)
def started_in_armed(run: Run, event: Started) -> tuple[Run, Actions]:
    """The boot after arming, or a restart of the daemon before it."""
    run = _with_facts(run, event)
    goal, facts = goal_of(run), event.facts
    if facts.booted_slot == goal.slot:
        if goal.undo:
            text = f"An operator went back from image {goal.offer.image_id} to slot {goal.slot}"
            return rolled_back(run, Cause(Code.ROLLED_BACK_BY_OPERATOR, text, event.moment.now))
        return _in_new_slot(run, facts, event.moment)
    if facts.boot_id == goal.armed_in:
        return _restarted_before_the_reboot(run, event)
    return _in_old_slot(run, facts, event.moment)


@on(State.ASSESSING, Started, to={State.DONE, State.ROLLED_BACK, State.FAILED})
def started_in_assessing(run: Run, event: Started) -> tuple[Run, Actions]:
    """Another boot of the new slot, a restart of the daemon in it, or the fallback."""
    run = _with_facts(run, event)
    goal = goal_of(run)
    if event.facts.booted_slot == goal.slot:
        return assess(run, event.facts, event.moment)
    return rolled_back(run, cause_of(run, event.facts, event.moment.now))


def rebuild(run: Run, event: Started) -> tuple[Run, Actions]:
    """The store is lost: the boot loader and the verdict file say what was on its way.

    The image's file hash is not known then; quarantine holds its image id instead.
    """
    facts = event.facts
    notice = Announce(
        Notice.STATE_REBUILT, "The stored state is lost; rebuilt from the boot loader"
    )
    booted, inactive = facts.booted, facts.inactive
    if booted is not None and booted.assessment is not Assessment.GOOD:
        run = replace(run, state=State.ASSESSING, goal=_lost_goal(booted, facts, event.moment))
        after, actions = assess(run, facts, event.moment)
        return after, (notice, *actions)
    if inactive is not None and (_was_tried(inactive) or inactive.assessment is Assessment.BAD):
        goal = _lost_goal(inactive, facts, event.moment)
        run = replace(run, state=State.ROLLED_BACK, goal=goal)
        after, actions = rolled_back(run, cause_of(run, facts, event.moment.now))
        return after, (notice, *actions)
    return run, ()


def _left_behind(run: Run, facts: Facts) -> Slot | None:
    """The slot of the image that was installed last, when the boot loader has left it."""
    slot, installed = facts.inactive, run.installed
    if slot is None or installed is None or installed.image_id != slot.image_id:
        return None
    left = slot.assessment is Assessment.BAD or _was_tried(slot)
    return slot if left and facts.image_id != slot.image_id else None


def _with_facts(run: Run, event: Started) -> Run:
    return replace(run, facts=event.facts, rules=event.rules)


def _in_new_slot(run: Run, facts: Facts, moment: Moment) -> tuple[Run, Actions]:
    return assess(replace(run, state=State.ASSESSING), facts, moment)


def _in_old_slot(run: Run, facts: Facts, moment: Moment) -> tuple[Run, Actions]:
    goal = goal_of(run)
    slot = facts.slot(goal.slot)
    tried = slot is not None and (_was_tried(slot) or slot.assessment is Assessment.BAD)
    if not goal.undo and (tried or verdict_on(goal, facts) is not None):
        return rolled_back(run, cause_of(run, facts, moment.now))
    if goal.undo or facts.primary_slot == goal.slot:
        text = f"The boot loader did not try slot {goal.slot}, although it was the boot target"
        cause = Cause(Code.NOT_TRIED, text, moment.now)
        return failed(run, cause, *(() if goal.undo else (Disarm(goal.run_id, goal.slot),)))
    # The power was cut before the boot target was set: nothing was tried, so go on.
    again = replace(run, state=State.DOWNLOADING)
    return again, (Install(goal),)


def _restarted_before_the_reboot(run: Run, event: Started) -> tuple[Run, Actions]:
    goal = goal_of(run)
    if goal.undo or goal.by_operator or window_allows(run, event.moment):
        return arm_again(run, event.facts)
    again = replace(run, state=State.DOWNLOADING)
    return again, (Disarm(goal.run_id, goal.slot), Install(goal))


def _lost_goal(slot: Slot, facts: Facts, moment: Moment) -> Goal:
    image_id = facts.image_id if slot.name == facts.booted_slot else slot.image_id
    return Goal(
        run_id=f"{moment.now:%Y%m%dT%H%M%SZ}-rebuilt",
        offer=Offer(url="", image_id=image_id, file_hash="", profile_name=facts.profile),
        slot=slot.name,
        started_at=moment.now,
    )


def _was_tried(slot: Slot) -> bool:
    return bool(slot.tries_done) and slot.assessment is not Assessment.GOOD

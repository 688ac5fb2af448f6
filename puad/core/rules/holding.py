# SPDX-License-Identifier: Apache-2.0
"""Holding: whoever at the node may defer the reboot is asked before a slot is armed.

Rules:

1. Hooks and block inhibitors are asked when everything else allows the slot to be armed.
2. Who defers is asked again every 30 s while the window has enough left, and in the next window.
3. An operator's word asks them once and overrides what they say; the journal and the history tell.
4. That they let go stands for a while, so that a slow answer of the server asks nobody twice.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from puad.core.actions import Actions, Announce, Consult, Notice
from puad.core.events import Consulted, Moment
from puad.core.rules.outcomes import goal_of, passed
from puad.core.run import Hold, Run

ASK_AGAIN = timedelta(seconds=30)
_RELEASED_FOR = timedelta(minutes=15)


def consult(run: Run, moment: Moment) -> tuple[Run, Actions]:
    """Ask them, unless that is being done or was done a moment ago."""
    goal = goal_of(run)
    at = goal.consulted_at
    if goal.consulting or (at is not None and timedelta(0) <= moment.now - at < ASK_AGAIN):
        return run, ()
    asking = run.with_goal(consulting=True)
    return asking, (Consult(goal_of(asking), binding=not goal.by_operator),)


def released(run: Run, moment: Moment) -> bool:
    """Whether they have let go of this reboot."""
    at = goal_of(run).released_at
    return at is not None and not passed(at, moment.now, _RELEASED_FOR)


def reset(run: Run) -> Run:
    """What was asked for another seal or in another process does not count."""
    return run.with_goal(consulting=False, consulted_at=None, released_at=None)


def settle(run: Run, event: Consulted) -> tuple[Run, Actions]:
    """Take in what they said."""
    goal, now = goal_of(run), event.moment.now
    run = run.with_goal(consulting=False, consulted_at=now)
    if event.held_by and goal.by_operator:
        return overridden(run.with_goal(released_at=now), event)
    lasting = goal.hold if goal.hold is not None and goal.hold.until is None else None
    if event.held_by:
        hold = replace(lasting or Hold("", now), by=event.held_by)
        text = f"The reboot is held up by {event.held_by}"
        known = lasting is not None and lasting.by == event.held_by
        notices = () if known else (Announce(Notice.REBOOT_HELD, text),)
        return run.with_goal(hold=hold, released_at=None), notices
    hold_now = goal.hold if lasting is None else replace(lasting, until=now)
    return run.with_goal(hold=hold_now, released_at=now), ()


def overridden(run: Run, event: Consulted) -> tuple[Run, Actions]:
    """An operator's word counts for more than theirs."""
    hold = goal_of(run).hold or Hold("", event.moment.now)
    ended = replace(hold, by=event.held_by, until=event.moment.now)
    text = f"An operator reboots the node, although it is held up by {event.held_by}"
    return run.with_goal(hold=ended), (Announce(Notice.HOLD_OVERRIDDEN, text),)

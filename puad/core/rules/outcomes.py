# SPDX-License-Identifier: Apache-2.0
"""How a run ends: done, rolled back, failed, or dropped before it was armed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from puad.core.actions import (
    Action,
    Actions,
    Announce,
    Disarm,
    Forget,
    Notice,
    Remember,
    StopInstall,
)
from puad.core.errors import EXPLANATIONS, Code
from puad.core.events import Moment
from puad.core.run import Cause, Goal, Quarantined, Run, State
from puad.core.version import compare_versions

MOST_QUARANTINED = 64
"""How many images a node keeps in quarantine; the oldest goes first."""


def goal_of(run: Run) -> Goal:
    """The goal of a run that is in a state which always has one."""
    if run.goal is None:
        raise RuntimeError(f"a run in {run.state} has no goal")
    return run.goal


def done(run: Run) -> tuple[Run, Actions]:
    """The new slot is booted, its verdict is good, and "good" was read back (invariant 6)."""
    goal = goal_of(run)
    after = replace(
        run,
        state=State.DONE,
        cause=None,
        floor=_higher(run.floor, goal.min_version),
        installed=goal.offer,
        held="",
        retry_at=None,
        told=False,
    )
    return after, (Remember(after), Forget())


def rolled_back(run: Run, cause: Cause) -> tuple[Run, Actions]:
    """The node is on the old slot again; the image is quarantined (invariant 7)."""
    goal = goal_of(run)
    entry = Quarantined(goal.offer.file_hash, goal.offer.image_id, cause)
    others = tuple(known for known in run.quarantine if not known.covers(goal.offer))
    after = replace(
        run,
        state=State.ROLLED_BACK,
        cause=cause,
        quarantine=(*others, entry)[-MOST_QUARANTINED:],
        installed=None if run.installed == goal.offer else run.installed,
        download_at=None,
        retry_at=None,
        told=False,
    )
    return after, (Remember(after),)


def failed(run: Run, cause: Cause, *also: Action) -> tuple[Run, Actions]:
    """The goal could not be reached; what the fallback needs has not been touched.

    A cause that may pass by itself is tried again after a pause; any other one holds the image
    back until another is offered or an operator says `retry`.
    """
    goal = goal_of(run)
    transient = EXPLANATIONS[cause.code].transient
    after = replace(
        run,
        state=State.FAILED,
        cause=cause,
        held="" if transient else goal.offer.file_hash,
        retry_at=cause.at + run.rules.retry_most if transient else None,
        download_at=None,
        told=False,
    )
    return after, (*also, Remember(after))


def dropped(run: Run, moment: Moment, why: str, *, held: bool) -> tuple[Run, Actions]:
    """A plan that is cancelled or withdrawn before it was armed: disarmed, and up to date again."""
    goal = goal_of(run)
    cause = Cause(Code.CANCELLED, why, moment.now)
    ended = replace(run, cause=cause)
    after = replace(
        run,
        state=State.IDLE,
        goal=None,
        cause=None,
        held=goal.offer.file_hash if held else run.held,
        download_at=None,
        retry_at=None,
    )
    return after, (
        StopInstall(),
        Disarm(goal.run_id, goal.slot),
        Remember(ended),
        Announce(Notice.CANCELLED, why),
    )


def passed(since: datetime | None, now: datetime, limit: timedelta) -> bool:
    """Whether that much time has passed since then; never when it has not begun."""
    return since is not None and now - since >= limit


def _higher(floor: str | None, candidate: str | None) -> str | None:
    if floor is None or candidate is None:
        return floor or candidate
    return candidate if compare_versions(candidate, floor) > 0 else floor

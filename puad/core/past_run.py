# SPDX-License-Identifier: Apache-2.0
"""Past runs: what is kept of an update run that has ended.

The stored form is this module's alone, so that what `puadctl` prints may change without it. Rules:

1. A key keeps its meaning for ever; new keys are added, and readers ignore those that they do not
   know: slots of different releases share the history.
2. An entry that cannot be read is left out. The history only tells, nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from puad.core.model import Offer
from puad.core.run import Cause, Goal, Hold, Run, State
from puad.core.stored_values import (
    dump_cause,
    dump_hold,
    dump_offer,
    dump_time,
    load_cause,
    load_hold,
    load_offer,
    load_time,
    text_in,
)

_ENDS: Final = frozenset({State.DONE, State.ROLLED_BACK, State.FAILED})


@dataclass(frozen=True, slots=True)
class PastRun:
    """An update run that has ended.

    Attributes:
        run_id: Its name.
        state: How it ended: DONE, ROLLED_BACK, FAILED or IDLE (dropped before it was armed). A
            newer puad may have ended it in a state that this one does not know.
        slot: The slot that was to be booted.
        image: What it installed; None for an operator's rollback.
        from_image_id: The image that it was to replace; empty when that is not known.
        started_at: When it started, UTC.
        finished_at: When it ended, UTC.
        cause: Why it did not reach its goal; None when it did.
        by_operator: Whether an operator asked for it.
        hold: Who deferred its reboot, and from when until when.
    """

    run_id: str
    state: str
    slot: str = ""
    image: Offer | None = None
    from_image_id: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cause: Cause | None = None
    by_operator: bool = False
    hold: Hold | None = None


def past_run(run: Run, now: datetime) -> PastRun | None:
    """What is kept of a run that ends now; None when there was none."""
    goal = run.goal
    if goal is None:
        return None
    return PastRun(
        run_id=goal.run_id,
        state=(run.state if run.state in _ENDS else State.IDLE).value,
        slot=goal.slot,
        image=None if goal.undo else goal.offer,
        from_image_id=_image_before(run, goal),
        started_at=goal.started_at,
        finished_at=now,
        cause=run.cause,
        by_operator=goal.by_operator,
        hold=goal.hold,
    )


def _image_before(run: Run, goal: Goal) -> str:
    if goal.undo:
        return goal.offer.image_id
    facts = run.facts
    if facts is None:
        return ""
    if facts.booted_slot != goal.slot:
        return facts.image_id
    return next((slot.image_id for slot in facts.slots if slot.name != goal.slot), "")


def dump_past_run(past: PastRun) -> dict[str, Any]:
    """The entry of the stored history."""
    return {
        "run_id": past.run_id,
        "state": past.state,
        "slot": past.slot,
        "image": dump_offer(past.image) if past.image else None,
        "from_image_id": past.from_image_id,
        "started_at": dump_time(past.started_at),
        "finished_at": dump_time(past.finished_at),
        "cause": dump_cause(past.cause),
        "by_operator": past.by_operator,
        "hold": dump_hold(past.hold),
    }


def load_past_run(entry: Mapping[str, Any]) -> PastRun | None:
    """The past run that an entry describes; None when it names none."""
    run_id, state = text_in(entry.get("run_id")), text_in(entry.get("state"))
    if not run_id or not state:
        return None
    return PastRun(
        run_id=run_id,
        state=state,
        slot=text_in(entry.get("slot")),
        image=load_offer(entry.get("image")),
        from_image_id=text_in(entry.get("from_image_id")),
        started_at=load_time(entry.get("started_at")),
        finished_at=load_time(entry.get("finished_at")),
        cause=load_cause(entry.get("cause")),
        by_operator=entry.get("by_operator") is True,
        hold=load_hold(entry.get("hold")),
    )

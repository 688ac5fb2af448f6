# SPDX-License-Identifier: Apache-2.0
"""ASSESSING: the new slot is booted, and puad waits for the verdict and for "good" read back.

puad runs no probe itself. The health process writes the verdict and asks for the reboot when it
is bad; a unit of its own marks the slot good. All of that is read here as facts.
"""

from __future__ import annotations

from dataclasses import replace

from puad.core.actions import Actions, Look
from puad.core.errors import Code
from puad.core.events import Armed, Consulted, Failed, Looked, Moment, Ticked
from puad.core.model import Assessment, Facts
from puad.core.rules.causes import cause_of, other_image, verdict_on
from puad.core.rules.outcomes import done, failed, goal_of
from puad.core.run import Cause, Run, State
from puad.core.table import on, stay


@on(State.ASSESSING, Ticked)
def ticked(run: Run, _event: Ticked) -> tuple[Run, Actions]:
    """Is there a verdict by now?"""
    return run, (Look(),)


@on(State.ASSESSING, Looked, to={State.DONE, State.FAILED})
def looked(run: Run, event: Looked) -> tuple[Run, Actions]:
    """The facts may say how the assessment ended."""
    return assess(replace(run, facts=event.facts), event.facts, event.moment)


def assess(run: Run, facts: Facts, moment: Moment) -> tuple[Run, Actions]:
    """Judge the booted new slot by the facts (invariant 6)."""
    goal = goal_of(run)
    booted = facts.booted
    verdict = verdict_on(goal, facts)
    if booted is not None and booted.assessment is Assessment.GOOD:
        other = other_image(goal, facts.image_id, facts.profile)
        if other:
            return failed(run, Cause(Code.WRONG_IMAGE_BOOTED, other, moment.now))
        if verdict is None:
            # the verdict is written before anybody marks good, so none will come any more
            text = f"Slot {goal.slot} was marked good, but there is no verdict on it"
            return failed(run, Cause(Code.NO_VERDICT, text, moment.now))
        return done(run) if verdict.good else failed(run, cause_of(run, facts, moment.now))
    if verdict is not None and not verdict.good and not _has_fallback(facts):
        return failed(run, cause_of(run, facts, moment.now))
    return run, ()


def _has_fallback(facts: Facts) -> bool:
    return any(
        slot.assessment is Assessment.GOOD for slot in facts.slots if slot.name != facts.booted_slot
    )


on(State.ASSESSING, Consulted)(stay)
on(State.ASSESSING, Armed)(stay)
on(State.ASSESSING, Failed)(stay)

# SPDX-License-Identifier: Apache-2.0
"""ASSESSING: the new slot is booted, and puad waits for the verdict and for "good" read back.

puad runs no probe itself. The health process writes the verdict and asks for the reboot when it
is bad; a unit of its own marks the slot good. All of that is read here as facts.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from puad.core.actions import Actions, Look
from puad.core.errors import Code
from puad.core.events import Armed, Consulted, Failed, Looked, Moment, Ticked
from puad.core.model import Assessment, Facts, Slot, Verdict
from puad.core.rules.outcomes import done, failed, goal_of
from puad.core.run import Cause, Goal, Run, State
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
        if facts.image_id != goal.offer.image_id:
            text = f"Slot {goal.slot} runs image {facts.image_id}, not {goal.offer.image_id}"
            return failed(run, Cause(Code.WRONG_IMAGE_BOOTED, text, moment.now))
        if verdict is None:
            # the verdict is written before anybody marks good, so none will come any more
            text = f"Slot {goal.slot} was marked good, but there is no verdict on it"
            return failed(run, Cause(Code.NO_VERDICT, text, moment.now))
        return done(run) if verdict.good else failed(run, cause_of(goal, facts, moment.now))
    if verdict is not None and not verdict.good and not _has_fallback(facts):
        return failed(run, cause_of(goal, facts, moment.now))
    return run, ()


def verdict_on(goal: Goal, facts: Facts) -> Verdict | None:
    """The verdict on the goal's slot, when the one on disk is about this run.

    Not its time but its boot tells: a node without a clock of its own writes it long ago.
    """
    verdict = facts.verdict
    if verdict is None or verdict.slot != goal.slot or verdict.boot_id == goal.verdict_before:
        return None
    return verdict


def cause_of(goal: Goal, facts: Facts, at: datetime) -> Cause:
    """Why the new slot is not healthy, from the verdict or, without one, from the boot loader."""
    verdict = verdict_on(goal, facts)
    if verdict is not None and not verdict.good:
        return Cause(Code.PROBE_FAILED, _probes_text(verdict), at)
    slot = facts.slot(goal.slot)
    return Cause(Code.NEVER_HEALTHY, _tries_text(goal.slot, slot), at)


def _has_fallback(facts: Facts) -> bool:
    return any(
        slot.assessment is Assessment.GOOD for slot in facts.slots if slot.name != facts.booted_slot
    )


def _probes_text(verdict: Verdict) -> str:
    probes = verdict.failed_required
    if not probes:
        return "The verdict was bad, but names no required probe"
    return "Required " + "; ".join(f"probe {p.name} failed: {p.reason}" for p in probes)


def _tries_text(name: str, slot: Slot | None) -> str:
    tries = f" in {slot.tries_done} tries" if slot is not None and slot.tries_done else ""
    return f"Slot {name} never became healthy{tries} and left no verdict"


on(State.ASSESSING, Consulted)(stay)
on(State.ASSESSING, Armed)(stay)
on(State.ASSESSING, Failed)(stay)

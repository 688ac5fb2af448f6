# SPDX-License-Identifier: Apache-2.0
"""Causes: why the new slot did not become healthy, from the first of these that is known.

| what is known | code | told the server |
|---|---|---|
| a bad verdict: another image had booted | WRONG_IMAGE_BOOTED | oscommit |
| a bad verdict: required probes failed | PROBE_FAILED | criticalservices |
| the last boot was given up: emergency or rescue mode | EMERGENCY_MODE | criticalservices |
| the last boot was given up: its deadline passed | BOOT_DEADLINE | criticalservices |
| pstore kept a panic | KERNEL_PANIC | bootloader |
| an earlier boot was given up | as above | as above |
| boots that end in the middle, or a journal that cannot be read | NEVER_HEALTHY | bootloader |
| a journal that knows of no boot of the slot | NEVER_STARTED | bootloader |

The last two are inferred from the boot loader's counters, and their text says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from puad.core.codes import Code
from puad.core.model import Assessment, BootRecord, Facts, Trail, Verdict
from puad.core.rules.outcomes import goal_of
from puad.core.run import Cause, Goal, Run, State

MOST_LINES: Final = 20
MOST_LOG_CHARS: Final = 2400
_MOST_TEXT: Final = 1000
_MOST_PROBE_LINES: Final = 8
_AWAITED: Final = frozenset({State.ARMED, State.ASSESSING})
_TELLING: Final = re.compile(
    r"Failed to (mount|start) |Dependency failed for |Timed out waiting for ", re.IGNORECASE
)
_PANIC: Final = "Kernel panic"


def wants_trail(run: Run, facts: Facts) -> tuple[str, str] | None:
    """The slot and the boot that armed it, when only the journal can tell why it was left.

    The boot is empty when the stored run is lost.
    """
    goal = run.goal
    if goal is not None:
        fell_back = facts.booted_slot != goal.slot and facts.boot_id != goal.armed_in
        awaited = run.state in _AWAITED and not goal.undo and bool(goal.armed_in)
        return (goal.slot, goal.armed_in) if awaited and fell_back else None
    slot = facts.inactive
    if slot is None or not slot.tries_done or slot.assessment is Assessment.GOOD:
        return None
    return slot.name, ""


def verdict_on(goal: Goal, facts: Facts) -> Verdict | None:
    """The verdict on the goal's slot, when the one on disk is about this run.

    Not its time but its boot tells: a node without a clock of its own writes it long ago.
    """
    verdict = facts.verdict
    if verdict is None or verdict.slot != goal.slot or verdict.boot_id == goal.verdict_before:
        return None
    return verdict


def other_image(goal: Goal, image_id: str, profile: str) -> str:
    """What runs on the goal's slot in place of the promised image; empty when that one runs.

    Args:
        goal: What was promised.
        image_id: IMAGE_VERSION of the booted root.
        profile: IMAGE_ID of the booted root; empty when it is not known.
    """
    if image_id != goal.offer.image_id:
        return f"Slot {goal.slot} runs image {image_id}, not {goal.offer.image_id}"
    if profile and goal.offer.profile_name not in {"", profile}:
        return f"Slot {goal.slot} runs profile {profile}, not {goal.offer.profile_name}"
    return ""


def cause_of(run: Run, facts: Facts, at: datetime) -> Cause:
    """Why the new slot is not healthy; see the table above."""
    goal = goal_of(run)
    verdict = verdict_on(goal, facts)
    if verdict is not None and not verdict.good:
        return _of_verdict(goal, verdict, facts.trail or Trail(), at)
    trail, tries = facts.trail, _tries(run, facts)
    if trail is None:
        text = f"Inferred: slot {goal.slot} never became healthy{tries}, and left no verdict"
        return Cause(Code.NEVER_HEALTHY, text, at)
    given_up = [boot for boot in trail.boots if boot.reason]
    if given_up and (given_up[-1] is trail.boots[-1] or not trail.panic):
        return _of_boot(goal.slot, given_up[-1], tries, at)
    if trail.panic:
        line = next((line for line in trail.panic if _PANIC in line), trail.panic[-1])
        text = f"The kernel of slot {goal.slot} panicked{tries}: {line}"
        return Cause(Code.KERNEL_PANIC, text[:_MOST_TEXT], at, _log(trail.panic))
    if trail.boots:
        text = (
            f"Inferred: slot {goal.slot} hung or was reset{tries}; the journal of its last boot "
            "ends without a verdict and without a word on why"
        )
        return Cause(Code.NEVER_HEALTHY, text, at, _log(trail.boots[-1].lines))
    text = (
        f"Inferred: slot {goal.slot} never got as far as a journal{tries}, so its kernel, its "
        "initramfs or the way to its root failed"
    )
    return Cause(Code.NEVER_STARTED, text, at)


def _of_verdict(goal: Goal, verdict: Verdict, trail: Trail, at: datetime) -> Cause:
    probes = verdict.failed_required
    printed = [
        f"{probe.name}: {line}"
        for probe in probes
        for line in probe.log_tail.splitlines()[-_MOST_PROBE_LINES:]
    ]
    log = _log((*trail.lines_of(verdict.boot_id), *printed))
    other = verdict.image_id and other_image(goal, verdict.image_id, verdict.profile)
    if other and any(probe.name == "image" for probe in probes):
        return Cause(Code.WRONG_IMAGE_BOOTED, other, at, log)
    if not probes:
        text = "The verdict was bad, but names no required probe"
    else:
        text = "Required " + "; ".join(f"probe {p.name} failed: {p.reason}" for p in probes)
    return Cause(Code.PROBE_FAILED, text[:_MOST_TEXT], at, log)


def _of_boot(slot: str, boot: BootRecord, tries: str, at: datetime) -> Cause:
    telling = next((line for line in boot.lines if _TELLING.search(line)), "")
    about = f": {telling}" if telling else ""
    if boot.reason == "deadline":
        text = f"Slot {slot} was not up in time{tries}, and was given up{about}"
        return Cause(Code.BOOT_DEADLINE, text[:_MOST_TEXT], at, _log(boot.lines))
    mode = boot.reason if boot.reason in {"emergency", "rescue"} else "emergency"
    text = f"Slot {slot} went to {mode} mode{tries}{about}"
    return Cause(Code.EMERGENCY_MODE, text[:_MOST_TEXT], at, _log(boot.lines))


def _tries(run: Run, facts: Facts) -> str:
    """How many tries are used, as far as the boot loader counts them."""
    slot = facts.slot(goal_of(run).slot)
    if slot is None or (slot.tries_done is None and slot.tries_left is None):
        return ""
    left = slot.tries_left or 0
    used = run.rules.tries - left if slot.tries_done is None else slot.tries_done
    return f" ({used} of {used + left} tries used)"


def _log(lines: Iterable[str]) -> str:
    return "\n".join(tuple(lines)[-MOST_LINES:])[-MOST_LOG_CHARS:]

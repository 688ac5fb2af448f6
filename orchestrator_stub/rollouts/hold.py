# SPDX-License-Identifier: Apache-2.0
"""The hold: why a rollout keeps an image from an instance whose policy wants it, for a person.

| the instance in the rollout | held because |
|---|---|
| failed, and not released | it has failed there |
| whatever else, while it is paused or stopped | who or what has paused or stopped it |
| not in it yet | the next sweep takes it in |
| in a wave that has not begun | an earlier one goes on, or the pause after it |
| waiting in a wave that has begun | only so many hosts update at a time: it waits for its turn |

A turn comes when the maintenance window is near (`offering`), so until then it is the window that
one waits for. What a node is told is not decided here, but at the `gate`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, lazyload

from orchestrator_stub.records import Instance, OSResource, Rollout, RolloutMember
from orchestrator_stub.rollouts import reason
from orchestrator_stub.rollouts.rules import RolloutRules
from orchestrator_stub.vocabulary import MemberState, RolloutState


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a rollout keeps an image from an instance.

    Attributes:
        text: For a person, without times.
        at_s: When what it waits for begins, Unix seconds; None when nobody can tell.
        has_failed: Whether the image has failed there, and no operator has released it.
        is_turn: Whether it only waits for its turn.
    """

    text: str
    at_s: int | None = None
    has_failed: bool = False
    is_turn: bool = False


def hold(session: Session, instance: Instance, wanted: OSResource) -> Hold | None:
    """What keeps an instance from the image that its policy wants; None when no rollout does."""
    policy = instance.policy
    if policy is None or not policy.rollout:
        return None
    mine = and_(RolloutMember.rollout_id == Rollout.id, RolloutMember.instance_id == instance.id)
    row = session.execute(
        select(Rollout, RolloutMember)
        .outerjoin(RolloutMember, mine)
        .where(Rollout.policy_id == policy.id, Rollout.os_id == wanted.id)
        .options(lazyload("*"))
    ).first()
    if row is None:
        return Hold(f"The rollout of {wanted.name} is about to begin")
    return _in_rollout(*row, instance, wanted)


def _in_rollout(
    rollout: Rollout, member: RolloutMember | None, instance: Instance, wanted: OSResource
) -> Hold | None:
    state = member.state if member else None
    if state is MemberState.FAILED:
        if wanted.file_hash not in instance.released:
            return Hold(f"{wanted.name} failed here", has_failed=True)
        state = MemberState.WAITING  # the gate lets it take its turn again
    if rollout.state in {RolloutState.PAUSED, RolloutState.STOPPED}:
        word, why = reason.told(rollout)
        return Hold(f"The rollout of {wanted.name} is {word.lower()}{why}")
    if member is None:
        return Hold(f"The rollout of {wanted.name} is about to take it in")
    if state is not MemberState.WAITING or instance.policy is None:
        return None
    rules = RolloutRules.load(instance.policy.rollout)
    return _waiting(rollout, member.wave, rules, wanted.name)


def _waiting(rollout: Rollout, wave: int, rules: RolloutRules, name: str) -> Hold | None:
    if wave <= rollout.wave:
        if rules.max_at_once is None:
            return None  # the next sweep offers it
        hosts = "one host" if rules.max_at_once == 1 else f"{rules.max_at_once:,} hosts"
        return Hold(f"It waits for its turn: at most {hosts} at a time", is_turn=True)
    where = f"It is in wave {wave + 1} of the rollout of {name}"
    if wave == rollout.wave + 1 and rollout.wave_done_s:
        return Hold(where, at_s=rollout.wave_done_s + rules.pause_seconds)
    if rollout.wave_done_s:
        return Hold(f"{where}; wave {rollout.wave + 2} comes next")
    return Hold(f"{where}; wave {rollout.wave + 1} goes on")

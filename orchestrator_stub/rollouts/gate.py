# SPDX-License-Identifier: Apache-2.0
"""The gate: whether a rollout lets an instance have the image of its policy now.

| the instance in the rollout | RUNNING, DONE | PAUSED | STOPPED |
|---|---|---|---|
| offered, and its run has STARTED | open | open | open |
| offered or updated | open | held | closed |
| waiting, failed, or not in it yet | closed | closed | closed |

The maintenance manager asks in a session that only reads, and asks again in one that writes when
the answer has added or changed a record. It then remembers the answer while the project's revision
and the instance stay as they are, so whatever opens or shuts the gate raises the revision or the
instance's version. Rollouts are made and moved on by the sweep, and when hosts
are linked, never by a poll.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, lazyload

from orchestrator_stub.records import Instance, OSResource, Rollout, RolloutMember
from orchestrator_stub.vocabulary import Indication, MemberState, RolloutState


class Gate(StrEnum):
    """What an instance is told of the image: all, no window, or nothing."""

    OPEN = "open"
    HELD = "held"
    CLOSED = "closed"


_OF_STATE: Final = {
    RolloutState.RUNNING: Gate.OPEN,
    RolloutState.DONE: Gate.OPEN,
    RolloutState.PAUSED: Gate.HELD,
    RolloutState.STOPPED: Gate.CLOSED,
}


def gate(session: Session, instance: Instance, wanted: OSResource, now_s: int) -> Gate:
    """How far an instance may go with the image that its policy wants."""
    if instance.policy is None or not instance.policy.rollout:
        return Gate.OPEN
    mine = and_(RolloutMember.rollout_id == Rollout.id, RolloutMember.instance_id == instance.id)
    row = session.execute(
        select(Rollout.state, RolloutMember)
        .join(RolloutMember, mine)
        .where(Rollout.policy_id == instance.policy_id, Rollout.os_id == wanted.id)
    ).first()
    if row is None:
        return Gate.CLOSED
    rollout_state, member = row
    if member.state is MemberState.FAILED and wanted.file_hash in instance.released:
        # the node is told to forget that it failed, and takes its turn again
        member.state, member.state_s, member.accepted = MemberState.WAITING, now_s, False
    if member.state in {MemberState.WAITING, MemberState.FAILED}:
        return Gate.CLOSED
    has_started = instance.update_status_indicator is Indication.IN_PROGRESS
    if has_started and member.state is MemberState.OFFERED:
        return Gate.OPEN
    return _OF_STATE[rollout_state]


def note(
    session: Session, instance: Instance, image_id: str, outcome: MemberState, now_s: int
) -> None:
    """Take in how a run of an instance has ended; a later word on the same image corrects it."""
    members = session.scalars(
        select(RolloutMember)
        .join(Rollout, Rollout.id == RolloutMember.rollout_id)
        .join(OSResource, OSResource.id == Rollout.os_id)
        .where(
            RolloutMember.instance_id == instance.id,
            OSResource.image_id == image_id,
            OSResource.profile_name == instance.profile_name,
        )
        .options(lazyload("*"))
    )
    for member in members:
        if member.state is not outcome:
            member.state, member.state_s, member.accepted = outcome, now_s, False

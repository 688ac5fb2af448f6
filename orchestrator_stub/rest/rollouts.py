# SPDX-License-Identifier: Apache-2.0
"""Rollouts over REST, ours: how they get on, and an operator's word. Policies start them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.records import Rollout
from orchestrator_stub.rest import documents, fields
from orchestrator_stub.rest.bodies import LINE
from orchestrator_stub.rest.context import Caller
from orchestrator_stub.rest.documents import RolloutResource
from orchestrator_stub.rest.lists import ListDocument, WantedPart, part
from orchestrator_stub.rest.routing import PROJECT, RecordId, Router
from orchestrator_stub.rollouts import control
from orchestrator_stub.rollouts.progress import progress
from orchestrator_stub.rollouts.reason import MAX_REASON_CHARS

router = Router(prefix=f"{PROJECT}/compute/rollouts", tags=["rollouts"])

Reason = Annotated[str, Query(max_length=MAX_REASON_CHARS, pattern=LINE)]


class RolloutList(ListDocument):
    """A part of the rollouts."""

    rollouts: list[RolloutResource]


@router.get("")
def list_rollouts(caller: Caller, wanted: WantedPart) -> RolloutList:
    """List the rollouts, newest first unless told otherwise."""
    rows = select(Rollout).where(Rollout.project_uuid == caller.project_uuid)
    newest_first = (Rollout.created_s.desc(), Rollout.id)
    with caller.reading() as session:
        found = part(session, wanted, rows, fields.ROLLOUTS, newest_first)
        waves = progress(session, [row.id for row in found.items])
        return RolloutList(
            rollouts=[documents.rollout(row, waves[row.id]) for row in found.items],
            total_elements=found.total,
            has_next=found.has_next,
        )


@router.get("/{rollout_id:id}")
def get_rollout(caller: Caller, rollout_id: RecordId) -> RolloutResource:
    """Read one rollout."""
    with caller.reading() as session:
        return _document(session, caller.mine(session, Rollout, rollout_id))


@router.post("/{rollout_id:id}:pause")
def pause_rollout(caller: Caller, rollout_id: RecordId, reason: Reason = "") -> RolloutResource:
    """Open no further window until it is resumed."""
    return _tell(
        caller, rollout_id, lambda session, row: control.pause(session, row, caller.who, reason)
    )


@router.post("/{rollout_id:id}:resume")
def resume_rollout(caller: Caller, rollout_id: RecordId) -> RolloutResource:
    """Go on with a rollout that is paused or stopped; what failed so far counts no more."""
    return _tell(caller, rollout_id, control.resume)


@router.post("/{rollout_id:id}:stop")
def stop_rollout(caller: Caller, rollout_id: RecordId, reason: Reason = "") -> RolloutResource:
    """Offer the image to nobody any more."""
    now_s = caller.now_s()
    return _tell(
        caller,
        rollout_id,
        lambda session, row: control.stop(session, row, caller.who, reason, now_s),
    )


def _tell(
    caller: Caller, rollout_id: str, word: Callable[[Session, Rollout], None]
) -> RolloutResource:
    def change(session: Session) -> RolloutResource:
        row = caller.mine(session, Rollout, rollout_id)
        word(session, row)
        return _document(session, row)

    return caller.write(change)


def _document(session: Session, row: Rollout) -> RolloutResource:
    return documents.rollout(row, progress(session, [row.id])[row.id])

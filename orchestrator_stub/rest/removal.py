# SPDX-License-Identifier: Apache-2.0
"""Deletion over REST: what keeps a record, and what goes with it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import QueryableAttribute, Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import (
    Host,
    Instance,
    Policy,
    Region,
    RepeatedSchedule,
    RolloutMember,
    SingleSchedule,
    Site,
    UpdateRun,
)


def refuse_used(
    session: Session, row: Policy | Region | Site, key: QueryableAttribute[Any], user: str
) -> None:
    """Let a record be deleted only when nothing refers to it.

    Raises:
        OrchestratorError: `FAILED_PRECONDITION`.
    """
    if session.scalar(select(func.count()).where(key == row.id)):
        raise OrchestratorError(
            Code.FAILED_PRECONDITION, f"{row.id} cannot be deleted: {user} refers to it"
        )


def delete_instance(session: Session, row: Instance) -> None:
    """Delete an instance with its history and its place in rollouts."""
    session.execute(delete(UpdateRun).where(UpdateRun.instance_id == row.id))
    session.execute(delete(RolloutMember).where(RolloutMember.instance_id == row.id))
    session.delete(row)
    session.flush()


def delete_host(session: Session, row: Host) -> None:
    """Delete a host with its instance and the schedules that are for it alone."""
    if row.instance is not None:
        delete_instance(session, row.instance)
        session.expire(row, ["instance"])
    for table in (SingleSchedule, RepeatedSchedule):
        for schedule in session.scalars(select(table).where(table.host_id == row.id)):
            session.delete(schedule)
    session.flush()
    session.delete(row)
    session.flush()

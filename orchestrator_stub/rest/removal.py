# SPDX-License-Identifier: Apache-2.0
"""What goes with a host or an instance when it is deleted."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from orchestrator_stub.records import (
    Host,
    Instance,
    RepeatedSchedule,
    RolloutMember,
    SingleSchedule,
    UpdateRun,
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

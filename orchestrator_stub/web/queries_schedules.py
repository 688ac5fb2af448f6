# SPDX-License-Identifier: Apache-2.0
"""Schedules of a project, and what they can be for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Host, Region, RepeatedSchedule, SingleSchedule, Site
from orchestrator_stub.records.base import of_project
from orchestrator_stub.web.upcoming import AnySchedule

MAX_SHOWN: Final = 500
MAX_TARGETS: Final = 1000

_Row = TypeVar("_Row", SingleSchedule, RepeatedSchedule)


def every(session: Session, project_uuid: str) -> list[AnySchedule]:
    """The schedules of a project, those that were made last when there are too many."""
    return [
        *_newest(session, SingleSchedule, project_uuid),
        *_newest(session, RepeatedSchedule, project_uuid),
    ]


def _newest(session: Session, table: type[_Row], project_uuid: str) -> Iterable[_Row]:
    return session.scalars(
        select(table)
        .where(table.project_uuid == project_uuid)
        .order_by(table.created_s.desc(), table.id)
        .limit(MAX_SHOWN)
    ).unique()


def find(session: Session, project_uuid: str, schedule_id: str) -> AnySchedule:
    """A schedule of a project.

    Raises:
        OrchestratorError: `NOT_FOUND`, also when it belongs to another project.
    """
    is_single = schedule_id.startswith("singlesche-")
    table: type[AnySchedule] = SingleSchedule if is_single else RepeatedSchedule
    row = of_project(session, table, schedule_id, project_uuid)
    if row is None:
        raise OrchestratorError(Code.NOT_FOUND, "There is no such schedule.")
    return row


def host_by_name(session: Session, project_uuid: str, name: str) -> Host:
    """The host that somebody means by its name, GUID or id.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`, when there is none.
    """
    host = session.scalars(
        select(Host).where(
            Host.project_uuid == project_uuid,
            or_(Host.name == name, Host.uuid == name.lower(), Host.id == name),
        )
    ).first()
    if not name or host is None:
        raise OrchestratorError(Code.INVALID_ARGUMENT, f"Host: there is none named “{name}”")
    return host


def targets(session: Session, project_uuid: str) -> dict[str, Any]:
    """The sites and regions that a schedule can be for."""
    found = {}
    for name, table in (("sites", Site), ("regions", Region)):
        found[name] = session.execute(
            select(table.id, table.name)
            .where(table.project_uuid == project_uuid)
            .order_by(table.name)
            .limit(MAX_TARGETS)
        ).all()
    return found

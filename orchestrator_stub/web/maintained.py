# SPDX-License-Identifier: Apache-2.0
"""Which hosts are in maintenance now (protocol.md §3c): for a whole list, at the price of one look.

What was found is kept for the minute, and as long as nobody changes a schedule, a site or a region.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.maintenance.status import in_maintenance
from orchestrator_stub.records import Project, RepeatedSchedule, SingleSchedule
from orchestrator_stub.schedules.inheritance import Windows
from orchestrator_stub.schedules.places import Places, places_of

_MINUTE_S: Final = 60
_MAX_KEPT: Final = 64
_kept: dict[tuple[str, int, int], Places] = {}


def now(session: Session, project_uuid: str, now_s: int) -> Places:
    """The hosts of a project that are in maintenance."""
    revision = session.scalar(select(Project.revision).where(Project.uuid == project_uuid)) or 0
    key = (project_uuid, revision, now_s // _MINUTE_S)
    found = _kept.get(key)
    if found is None:
        if len(_kept) >= _MAX_KEPT:
            _kept.clear()
        found = _kept[key] = _look(session, project_uuid, now_s)
    return found


def _look(session: Session, project_uuid: str, now_s: int) -> Places:
    open_rows: list[SingleSchedule | RepeatedSchedule] = [
        row
        for row in session.scalars(
            select(SingleSchedule).where(SingleSchedule.project_uuid == project_uuid)
        )
        if in_maintenance(Windows(single=(row,)), now_s)
    ]
    open_rows += [
        row
        for row in session.scalars(
            select(RepeatedSchedule).where(RepeatedSchedule.project_uuid == project_uuid)
        )
        if in_maintenance(Windows(repeated=(row,)), now_s)
    ]
    return places_of(session, project_uuid, open_rows)

# SPDX-License-Identifier: Apache-2.0
"""Repeated schedules over REST: maintenance windows by cron fields, in UTC (protocol.md §3b)."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body
from pydantic import Field
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.rest import documents
from orchestrator_stub.rest.context import Caller, WantedPage, listing
from orchestrator_stub.rest.schedules import (
    HostFilter,
    ScheduleBody,
    merged,
    target_host,
    wanted,
)
from orchestrator_stub.tables import RepeatedSchedule
from puad.core.cron import FIELDS

MAX_DURATION_S: Final = 86_400
_MAX_CRON_CHARS: Final = 512
router = APIRouter(tags=["schedules"])


class RepeatedScheduleBody(ScheduleBody):
    """A repeated schedule to make, or to replace one."""

    duration_s: Annotated[int, Field(alias="durationSeconds", ge=1, le=MAX_DURATION_S, strict=True)]
    cron_minutes: Annotated[str, Field(alias="cronMinutes", max_length=_MAX_CRON_CHARS)] = ""
    cron_hours: Annotated[str, Field(alias="cronHours", max_length=_MAX_CRON_CHARS)] = ""
    cron_day_month: Annotated[str, Field(alias="cronDayMonth", max_length=_MAX_CRON_CHARS)] = ""
    cron_month: Annotated[str, Field(alias="cronMonth", max_length=_MAX_CRON_CHARS)] = ""
    cron_day_week: Annotated[str, Field(alias="cronDayWeek", max_length=_MAX_CRON_CHARS)] = ""

    def write(self, caller: Caller, session: Session, row: RepeatedSchedule) -> dict[str, Any]:
        """Check the rules, and write the schedule into its record."""
        cron = {name: str(getattr(self, name)) for name in FIELDS}
        if not all(cron.values()):
            raise OrchestratorError(Code.INVALID_ARGUMENT, "cron fields must all be set")
        for name, value in cron.items():
            if not FIELDS[name].fullmatch(value):
                alias = str(type(self).model_fields[name].alias)
                raise OrchestratorError(
                    Code.INVALID_ARGUMENT,
                    f"{alias}: it is neither * nor a comma list of numbers in range",
                )
            setattr(row, name, value)
        row.host = target_host(caller, session, self)
        row.name = self.name
        row.schedule_status = self.schedule_status
        row.duration_s = self.duration_s
        session.add(row)
        session.flush()
        return documents.repeated_schedule(row)


@router.get("/repeated")
def list_repeated_schedules(
    caller: Caller, page: WantedPage, host_id: HostFilter = ""
) -> dict[str, Any]:
    """List the repeated schedules, of one host with `hostId`."""
    with caller.reading() as session:
        rows = wanted(RepeatedSchedule, caller, host_id)
        return listing(session, page, "repeatedSchedules", rows, documents.repeated_schedule)


@router.post("/repeated")
def create_repeated_schedule(caller: Caller, body: RepeatedScheduleBody) -> dict[str, Any]:
    """Make a repeated schedule."""
    with caller.writing() as session:
        return body.write(caller, session, RepeatedSchedule(project_uuid=caller.project_uuid))


@router.get("/repeated/{schedule_id}")
def get_repeated_schedule(caller: Caller, schedule_id: str) -> dict[str, Any]:
    """Read one repeated schedule."""
    with caller.reading() as session:
        return documents.repeated_schedule(caller.mine(session, RepeatedSchedule, schedule_id))


@router.put("/repeated/{schedule_id}")
def replace_repeated_schedule(
    caller: Caller, schedule_id: str, body: RepeatedScheduleBody
) -> dict[str, Any]:
    """Replace a repeated schedule."""
    with caller.writing() as session:
        return body.write(caller, session, caller.mine(session, RepeatedSchedule, schedule_id))


@router.patch("/repeated/{schedule_id}")
def change_repeated_schedule(
    caller: Caller, schedule_id: str, change: Annotated[dict[str, Any], Body()]
) -> dict[str, Any]:
    """Change some fields of a repeated schedule."""
    with caller.writing() as session:
        row = caller.mine(session, RepeatedSchedule, schedule_id)
        fields = {
            "scheduleStatus": row.schedule_status,
            "name": row.name,
            "targetHostId": row.host_id,
            "durationSeconds": row.duration_s,
            "cronMinutes": row.cron_minutes,
            "cronHours": row.cron_hours,
            "cronDayMonth": row.cron_day_month,
            "cronMonth": row.cron_month,
            "cronDayWeek": row.cron_day_week,
        }
        return merged(RepeatedScheduleBody, fields, change).write(caller, session, row)


@router.delete("/repeated/{schedule_id}")
def delete_repeated_schedule(caller: Caller, schedule_id: str) -> dict[str, Any]:
    """Delete a repeated schedule."""
    with caller.writing() as session:
        session.delete(caller.mine(session, RepeatedSchedule, schedule_id))
    return {}

# SPDX-License-Identifier: Apache-2.0
"""Repeated schedules over REST: maintenance windows by cron fields, in UTC (protocol.md §3b)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body as JsonBody
from pydantic import Field
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import RepeatedSchedule
from orchestrator_stub.rest import documents, fields
from orchestrator_stub.rest.bodies import FieldMask, change_of
from orchestrator_stub.rest.context import Caller
from orchestrator_stub.rest.documents import RepeatedScheduleResource
from orchestrator_stub.rest.documents.base import Nothing
from orchestrator_stub.rest.filtering import Fields
from orchestrator_stub.rest.lists import (
    ListDocument,
    Part,
    Wanted,
    WantedPart,
    everything,
    part,
    sliced,
)
from orchestrator_stub.rest.routing import RecordId, Router
from orchestrator_stub.rest.schedules import (
    ScheduleBody,
    WantedWhere,
    Where,
    merged,
    rows,
    shared_fields,
)
from orchestrator_stub.schedules.windows import holds
from puad.core.cron import FIELDS
from puad.core.wire import MAX_CRON_CHARS, MAX_DURATION_S

router = Router(tags=["schedules"])

_Cron = Annotated[str, Field(max_length=MAX_CRON_CHARS)]


class RepeatedScheduleList(ListDocument):
    """A part of the repeated schedules."""

    repeated_schedules: list[RepeatedScheduleResource]


class RepeatedScheduleBody(ScheduleBody):
    """A repeated schedule to make, or to replace one."""

    answer = RepeatedScheduleResource

    duration_seconds: Annotated[int, Field(ge=1, le=MAX_DURATION_S, strict=True)]
    cron_minutes: _Cron = ""
    cron_hours: _Cron = ""
    cron_day_month: _Cron = ""
    cron_month: _Cron = ""
    cron_day_week: _Cron = ""

    def write(
        self, caller: Caller, session: Session, row: RepeatedSchedule
    ) -> RepeatedScheduleResource:
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
        self.write_shared(caller, session, row)
        row.duration_s = self.duration_seconds
        session.add(row)
        session.flush()
        return documents.repeated_schedule(row)


def found_repeated(
    caller: Caller, session: Session, wanted: Wanted, where: Where, known: Fields
) -> Part:
    """The repeated schedules that are wanted, in the order they were made."""
    found = rows(caller, session, RepeatedSchedule, where)
    order = (RepeatedSchedule.created_s, RepeatedSchedule.id)
    if where.at_s is None:
        return part(session, wanted, found, known, order)
    every = everything(session, wanted, found, known, order)
    return sliced([row for row in every if holds(row, where.at_s)], wanted)


@router.get("/repeated")
def list_repeated_schedules(
    caller: Caller, wanted: WantedPart, where: WantedWhere
) -> RepeatedScheduleList:
    """List the repeated schedules, in the order they were made unless told otherwise."""
    with caller.reading() as session:
        found = found_repeated(caller, session, wanted, where, fields.REPEATED_SCHEDULES)
        return RepeatedScheduleList(
            repeated_schedules=[documents.repeated_schedule(row) for row in found.items],
            total_elements=found.total,
            has_next=found.has_next,
        )


@router.post("/repeated")
def create_repeated_schedule(
    caller: Caller, body: RepeatedScheduleBody
) -> RepeatedScheduleResource:
    """Make a repeated schedule."""

    def change(session: Session) -> RepeatedScheduleResource:
        return body.write(caller, session, RepeatedSchedule(project_uuid=caller.project_uuid))

    return caller.write(change)


@router.get("/repeated/{schedule_id:id}")
def get_repeated_schedule(caller: Caller, schedule_id: RecordId) -> RepeatedScheduleResource:
    """Read one repeated schedule."""
    with caller.reading() as session:
        return documents.repeated_schedule(caller.mine(session, RepeatedSchedule, schedule_id))


@router.put("/repeated/{schedule_id:id}")
def replace_repeated_schedule(
    caller: Caller, schedule_id: RecordId, body: RepeatedScheduleBody
) -> RepeatedScheduleResource:
    """Replace a repeated schedule."""

    def change(session: Session) -> RepeatedScheduleResource:
        return body.write(caller, session, caller.mine(session, RepeatedSchedule, schedule_id))

    return caller.write(change)


@router.patch("/repeated/{schedule_id:id}", openapi_extra=change_of(RepeatedScheduleBody))
def change_repeated_schedule(
    caller: Caller,
    schedule_id: RecordId,
    fields_sent: Annotated[dict[str, Any], JsonBody()],
    field_mask: FieldMask = "",
) -> RepeatedScheduleResource:
    """Change some fields of a repeated schedule."""

    def change(session: Session) -> RepeatedScheduleResource:
        row = caller.mine(session, RepeatedSchedule, schedule_id)
        current = {
            **shared_fields(row),
            "durationSeconds": row.duration_s,
            "cronMinutes": row.cron_minutes,
            "cronHours": row.cron_hours,
            "cronDayMonth": row.cron_day_month,
            "cronMonth": row.cron_month,
            "cronDayWeek": row.cron_day_week,
        }
        form = merged(RepeatedScheduleBody, current, fields_sent, field_mask)
        return form.write(caller, session, row)

    return caller.write(change)


@router.delete("/repeated/{schedule_id:id}")
def delete_repeated_schedule(caller: Caller, schedule_id: RecordId) -> Nothing:
    """Delete a repeated schedule."""

    def change(session: Session) -> Nothing:
        session.delete(caller.mine(session, RepeatedSchedule, schedule_id))
        return Nothing()

    return caller.write(change)

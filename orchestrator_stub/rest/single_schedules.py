# SPDX-License-Identifier: Apache-2.0
"""Single schedules over REST: one maintenance window each (protocol.md §3b)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body as JsonBody
from pydantic import Field
from sqlalchemy import or_
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import SingleSchedule
from orchestrator_stub.rest import documents, fields
from orchestrator_stub.rest.bodies import FieldMask, change_of
from orchestrator_stub.rest.context import Caller
from orchestrator_stub.rest.documents import SingleScheduleResource
from orchestrator_stub.rest.documents.base import Nothing
from orchestrator_stub.rest.filtering import Fields
from orchestrator_stub.rest.lists import ListDocument, Part, Wanted, WantedPart, part
from orchestrator_stub.rest.routing import RecordId, Router
from orchestrator_stub.rest.schedules import (
    MAX_TIME_S,
    ScheduleBody,
    WantedWhere,
    Where,
    merged,
    rows,
    shared_fields,
)

router = Router(tags=["schedules"])


class SingleScheduleList(ListDocument):
    """A part of the single schedules."""

    single_schedules: list[SingleScheduleResource]


class SingleScheduleBody(ScheduleBody):
    """A single schedule to make, or to replace one; without `endSeconds` it is open-ended."""

    answer = SingleScheduleResource

    start_seconds: Annotated[int, Field(ge=1, le=MAX_TIME_S, strict=True)]
    end_seconds: Annotated[int | None, Field(ge=1, le=MAX_TIME_S, strict=True)] = None

    def write(
        self, caller: Caller, session: Session, row: SingleSchedule
    ) -> SingleScheduleResource:
        """Check the rules, and write the schedule into its record."""
        if self.end_seconds is not None and self.end_seconds <= self.start_seconds:
            raise OrchestratorError(Code.INVALID_ARGUMENT, "end cannot be <= than start seconds")
        # An edit that leaves the start alone may come while the window is open.
        if self.start_seconds != row.start_s and self.start_seconds <= caller.now_s():
            raise OrchestratorError(
                Code.INVALID_ARGUMENT, "Scheduled start time cannot be in the past"
            )
        self.write_shared(caller, session, row)
        row.start_s = self.start_seconds
        row.end_s = self.end_seconds or 0
        session.add(row)
        session.flush()
        return documents.single_schedule(row)


def found_single(
    caller: Caller, session: Session, wanted: Wanted, where: Where, known: Fields
) -> Part:
    """The single schedules that are wanted, in the order they were made."""
    found = rows(caller, session, SingleSchedule, where)
    if where.at_s is not None:
        found = found.where(
            SingleSchedule.start_s <= where.at_s,
            or_(SingleSchedule.end_s == 0, SingleSchedule.end_s >= where.at_s),
        )
    return part(session, wanted, found, known, (SingleSchedule.created_s, SingleSchedule.id))


@router.get("/single")
def list_single_schedules(
    caller: Caller, wanted: WantedPart, where: WantedWhere
) -> SingleScheduleList:
    """List the single schedules, in the order they were made unless told otherwise."""
    with caller.reading() as session:
        found = found_single(caller, session, wanted, where, fields.SINGLE_SCHEDULES)
        return SingleScheduleList(
            single_schedules=[documents.single_schedule(row) for row in found.items],
            total_elements=found.total,
            has_next=found.has_next,
        )


@router.post("/single")
def create_single_schedule(caller: Caller, body: SingleScheduleBody) -> SingleScheduleResource:
    """Make a single schedule."""

    def change(session: Session) -> SingleScheduleResource:
        return body.write(caller, session, SingleSchedule(project_uuid=caller.project_uuid))

    return caller.write(change)


@router.get("/single/{schedule_id:id}")
def get_single_schedule(caller: Caller, schedule_id: RecordId) -> SingleScheduleResource:
    """Read one single schedule."""
    with caller.reading() as session:
        return documents.single_schedule(caller.mine(session, SingleSchedule, schedule_id))


@router.put("/single/{schedule_id:id}")
def replace_single_schedule(
    caller: Caller, schedule_id: RecordId, body: SingleScheduleBody
) -> SingleScheduleResource:
    """Replace a single schedule."""

    def change(session: Session) -> SingleScheduleResource:
        return body.write(caller, session, caller.mine(session, SingleSchedule, schedule_id))

    return caller.write(change)


@router.patch("/single/{schedule_id:id}", openapi_extra=change_of(SingleScheduleBody))
def change_single_schedule(
    caller: Caller,
    schedule_id: RecordId,
    fields_sent: Annotated[dict[str, Any], JsonBody()],
    field_mask: FieldMask = "",
) -> SingleScheduleResource:
    """Change some fields of a single schedule."""

    def change(session: Session) -> SingleScheduleResource:
        row = caller.mine(session, SingleSchedule, schedule_id)
        current = {
            **shared_fields(row),
            "startSeconds": row.start_s,
            "endSeconds": row.end_s or None,
        }
        form = merged(SingleScheduleBody, current, fields_sent, field_mask)
        return form.write(caller, session, row)

    return caller.write(change)


@router.delete("/single/{schedule_id:id}")
def delete_single_schedule(caller: Caller, schedule_id: RecordId) -> Nothing:
    """Delete a single schedule."""

    def change(session: Session) -> Nothing:
        session.delete(caller.mine(session, SingleSchedule, schedule_id))
        return Nothing()

    return caller.write(change)

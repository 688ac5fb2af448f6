# SPDX-License-Identifier: Apache-2.0
"""Single schedules over REST: one maintenance window each (protocol.md §3b)."""

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
from orchestrator_stub.tables import SingleSchedule

MAX_TIME_S: Final = (1 << 32) - 1
router = APIRouter(tags=["schedules"])


class SingleScheduleBody(ScheduleBody):
    """A single schedule to make, or to replace one; without `endSeconds` it is open-ended."""

    start_s: Annotated[int, Field(alias="startSeconds", ge=1, le=MAX_TIME_S, strict=True)]
    end_s: Annotated[int | None, Field(alias="endSeconds", ge=1, le=MAX_TIME_S, strict=True)] = None

    def write(self, caller: Caller, session: Session, row: SingleSchedule) -> dict[str, Any]:
        """Check the rules, and write the schedule into its record."""
        if self.end_s is not None and self.end_s <= self.start_s:
            raise OrchestratorError(Code.INVALID_ARGUMENT, "end cannot be <= than start seconds")
        # An edit that leaves the start alone may come while the window is open.
        if self.start_s != row.start_s and self.start_s <= caller.now_s():
            raise OrchestratorError(
                Code.INVALID_ARGUMENT, "Scheduled start time cannot be in the past"
            )
        row.host = target_host(caller, session, self)
        row.name = self.name
        row.schedule_status = self.schedule_status
        row.start_s = self.start_s
        row.end_s = self.end_s or 0
        session.add(row)
        session.flush()
        return documents.single_schedule(row)


@router.get("/single")
def list_single_schedules(
    caller: Caller, page: WantedPage, host_id: HostFilter = ""
) -> dict[str, Any]:
    """List the single schedules, of one host with `hostId`."""
    with caller.reading() as session:
        rows = wanted(SingleSchedule, caller, host_id)
        return listing(session, page, "singleSchedules", rows, documents.single_schedule)


@router.post("/single")
def create_single_schedule(caller: Caller, body: SingleScheduleBody) -> dict[str, Any]:
    """Make a single schedule."""
    with caller.writing() as session:
        return body.write(caller, session, SingleSchedule(project_uuid=caller.project_uuid))


@router.get("/single/{schedule_id}")
def get_single_schedule(caller: Caller, schedule_id: str) -> dict[str, Any]:
    """Read one single schedule."""
    with caller.reading() as session:
        return documents.single_schedule(caller.mine(session, SingleSchedule, schedule_id))


@router.put("/single/{schedule_id}")
def replace_single_schedule(
    caller: Caller, schedule_id: str, body: SingleScheduleBody
) -> dict[str, Any]:
    """Replace a single schedule."""
    with caller.writing() as session:
        return body.write(caller, session, caller.mine(session, SingleSchedule, schedule_id))


@router.patch("/single/{schedule_id}")
def change_single_schedule(
    caller: Caller, schedule_id: str, change: Annotated[dict[str, Any], Body()]
) -> dict[str, Any]:
    """Change some fields of a single schedule."""
    with caller.writing() as session:
        row = caller.mine(session, SingleSchedule, schedule_id)
        fields = {
            "scheduleStatus": row.schedule_status,
            "name": row.name,
            "targetHostId": row.host_id,
            "startSeconds": row.start_s,
            "endSeconds": row.end_s or None,
        }
        return merged(SingleScheduleBody, fields, change).write(caller, session, row)


@router.delete("/single/{schedule_id}")
def delete_single_schedule(caller: Caller, schedule_id: str) -> dict[str, Any]:
    """Delete a single schedule."""
    with caller.writing() as session:
        session.delete(caller.mine(session, SingleSchedule, schedule_id))
    return {}

# SPDX-License-Identifier: Apache-2.0
"""What single and repeated schedules share over REST: fields, target, both paths, the common list.

A schedule's target is a host; sites and regions are not there yet and are refused by name.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.rest import documents
from orchestrator_stub.rest.context import Caller, WantedPage, listing
from orchestrator_stub.tables import Host, RepeatedSchedule, SingleSchedule
from orchestrator_stub.vocabulary import ScheduleStatus

router = APIRouter(tags=["schedules"])

Row = TypeVar("Row", SingleSchedule, RepeatedSchedule)
Body = TypeVar("Body", bound="ScheduleBody")
HostFilter = Annotated[str, Query(alias="hostId", max_length=64)]


def _specified(status: ScheduleStatus) -> ScheduleStatus:
    if status is ScheduleStatus.UNSPECIFIED:
        raise ValueError("it cannot be unspecified")
    return status


class ScheduleBody(BaseModel):
    """The fields of either kind of schedule."""

    model_config = ConfigDict(extra="forbid")

    schedule_status: Annotated[
        ScheduleStatus, Field(alias="scheduleStatus"), AfterValidator(_specified)
    ]
    name: Annotated[str, Field(max_length=50, pattern=r"^[a-zA-Z\-_0-9./: ]*$")] = ""
    target_host_id: Annotated[str, Field(alias="targetHostId", max_length=64)] = ""
    target_site_id: Annotated[str, Field(alias="targetSiteId", max_length=64)] = ""
    target_region_id: Annotated[str, Field(alias="targetRegionId", max_length=64)] = ""


def target_host(caller: Caller, session: Session, body: ScheduleBody) -> Host:
    """The host that a schedule is for.

    Raises:
        OrchestratorError: When the schedule has not exactly one target, or it is not a host.
    """
    targets = [body.target_host_id, body.target_site_id, body.target_region_id]
    if sum(map(bool, targets)) > 1:
        raise OrchestratorError(Code.INVALID_ARGUMENT, "the schedule has more than one target")
    if body.target_site_id or body.target_region_id:
        raise OrchestratorError(
            Code.UNIMPLEMENTED, "schedules of sites and regions are not there yet; name a host"
        )
    if not body.target_host_id:
        raise OrchestratorError(Code.INVALID_ARGUMENT, "targetHostId must be set")
    return caller.mine(session, Host, body.target_host_id)


def merged(form: type[Body], fields: dict[str, Any], change: dict[str, Any]) -> Body:
    """The whole schedule that a PATCH makes of the one that is there.

    Raises:
        RequestValidationError: When that is no valid schedule.
    """
    if change.keys() & {"targetHostId", "targetSiteId", "targetRegionId"}:
        fields = {**fields, "targetHostId": ""}
    try:
        return form.model_validate({**fields, **change})
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


@router.get("")
def list_schedules(caller: Caller, page: WantedPage, host_id: HostFilter = "") -> dict[str, Any]:
    """List single and repeated schedules, each by the same page; `totalElements` counts both."""
    with caller.reading() as session:
        single = listing(
            session,
            page,
            "singleSchedules",
            wanted(SingleSchedule, caller, host_id),
            documents.single_schedule,
        )
        repeated = listing(
            session,
            page,
            "repeatedSchedules",
            wanted(RepeatedSchedule, caller, host_id),
            documents.repeated_schedule,
        )
    return {
        "singleSchedules": single["singleSchedules"],
        "repeatedSchedules": repeated["repeatedSchedules"],
        "totalElements": single["totalElements"] + repeated["totalElements"],
        "hasNext": single["hasNext"] or repeated["hasNext"],
    }


def wanted(table: type[Row], caller: Caller, host_id: str) -> Select[Row]:
    """The schedules of a project, or of one host of it, in the order they were made."""
    rows = select(table).where(table.project_uuid == caller.project_uuid)
    if host_id:
        rows = rows.where(table.host_id == host_id)
    return rows.order_by(table.created_s, table.id)


def under_both_paths(*inner: APIRouter) -> list[APIRouter]:
    """The schedule routers under `compute/schedules` and under `schedules`."""
    outer = []
    for path in ("compute/schedules", "schedules"):
        both = APIRouter()
        for part in inner:
            both.include_router(part, prefix=f"/v1/projects/{{project}}/{path}")
        outer.append(both)
    return outer

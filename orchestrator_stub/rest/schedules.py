# SPDX-License-Identifier: Apache-2.0
"""What single and repeated schedules share over REST: fields, target, lists, both paths.

A schedule's target is one host, site or region; hosts inherit from their site and its regions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, Field
from sqlalchemy import ColumnElement, Select, false, or_, select
from sqlalchemy.orm import Session

from orchestrator_stub import names
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.locations import around
from orchestrator_stub.records import Host, Region, RepeatedSchedule, SingleSchedule, Site
from orchestrator_stub.rest.bodies import NAME, Body, Id, changed
from orchestrator_stub.rest.context import Caller
from orchestrator_stub.rest.lists import IdFilter
from orchestrator_stub.rest.routing import PROJECT
from orchestrator_stub.vocabulary import ScheduleStatus

MAX_TIME_S: Final = (1 << 32) - 1
PATHS: Final = ("compute/schedules", "schedules")
_TARGETS: Final = ("targetHostId", "targetSiteId", "targetRegionId")

Row = TypeVar("Row", SingleSchedule, RepeatedSchedule)
_Form = TypeVar("_Form", bound="ScheduleBody")


def _specified(status: ScheduleStatus) -> ScheduleStatus:
    if status is ScheduleStatus.UNSPECIFIED:
        raise ValueError("it cannot be unspecified")
    return status


class ScheduleBody(Body):
    """The fields of either kind of schedule."""

    schedule_status: Annotated[ScheduleStatus, AfterValidator(_specified)]
    name: Annotated[str, Field(max_length=names.MAX_CHARS, pattern=NAME)] = ""
    target_host_id: Id = ""
    target_site_id: Id = ""
    target_region_id: Id = ""

    def write_shared(
        self, caller: Caller, session: Session, row: SingleSchedule | RepeatedSchedule
    ) -> None:
        """Write name, status and target into a schedule's record.

        Raises:
            OrchestratorError: When it has not exactly one target.
        """
        targets = (self.target_host_id, self.target_site_id, self.target_region_id)
        if sum(map(bool, targets)) > 1:
            raise OrchestratorError(Code.INVALID_ARGUMENT, "the schedule has more than one target")
        if not any(targets):
            raise OrchestratorError(
                Code.INVALID_ARGUMENT, f"one of {', '.join(_TARGETS)} must be set"
            )
        with session.no_autoflush:
            row.host = _target(caller, session, Host, self.target_host_id)
            row.site = _target(caller, session, Site, self.target_site_id)
            row.region = _target(caller, session, Region, self.target_region_id)
        row.name = self.name
        row.schedule_status = self.schedule_status


_Target = TypeVar("_Target", Host, Site, Region)


def _target(caller: Caller, session: Session, table: type[_Target], row_id: str) -> _Target | None:
    return caller.mine(session, table, row_id) if row_id else None


def shared_fields(row: SingleSchedule | RepeatedSchedule) -> dict[str, Any]:
    """Name, status and target as a body has them."""
    return {
        "scheduleStatus": row.schedule_status,
        "name": row.name,
        "targetHostId": row.host_id or "",
        "targetSiteId": row.site_id or "",
        "targetRegionId": row.region_id or "",
    }


def merged(
    form: type[_Form], current: Mapping[str, Any], change: Mapping[str, Any], mask: str
) -> _Form:
    """The whole schedule that a PATCH makes of the one that is there; a new target is the only one.

    Raises:
        OrchestratorError: When the mask names no field of a schedule.
        RequestValidationError: When that is no valid schedule.
    """
    masked = {name.strip() for name in mask.split(",")} if mask else set(change)
    if masked & set(_TARGETS):
        current = {name: value for name, value in current.items() if name not in _TARGETS}
    return changed(form, current, change, mask)


@dataclass(frozen=True, slots=True)
class Where:
    """Which schedules are wanted, beside what the filter says.

    Attributes:
        host_id: Those that apply to this host: its own, its site's, its regions'.
        site_id: Those of this site.
        region_id: Those of this region.
        at_s: Those with a window open at that time.
    """

    host_id: str = ""
    site_id: str = ""
    region_id: str = ""
    at_s: int | None = None


def _where(
    host_id: Annotated[
        IdFilter, Query(alias="hostId", description="With what its site and regions have.")
    ] = "",
    site_id: Annotated[IdFilter, Query(alias="siteId")] = "",
    region_id: Annotated[IdFilter, Query(alias="regionId")] = "",
    at_s: Annotated[
        int | None,
        Query(
            alias="unixEpoch",
            ge=0,
            le=MAX_TIME_S,
            description="Only schedules with a window that holds that second; both ends count.",
        ),
    ] = None,
) -> Where:
    return Where(host_id, site_id, region_id, at_s)


WantedWhere = Annotated[Where, Depends(_where)]


def rows(caller: Caller, session: Session, table: type[Row], where: Where) -> Select[Any]:
    """The schedules of a project that are wanted, whatever time it is."""
    found = select(table).where(table.project_uuid == caller.project_uuid)
    if where.host_id:
        found = found.where(_applies_to(caller, session, table, where.host_id))
    if where.site_id:
        found = found.where(table.site_id == where.site_id)
    if where.region_id:
        found = found.where(table.region_id == where.region_id)
    return found


def _applies_to(
    caller: Caller, session: Session, table: type[Row], host_id: str
) -> ColumnElement[bool]:
    host = session.get(Host, host_id)
    if host is None or host.project_uuid != caller.project_uuid:
        return false()
    regions = around(host.site.region) if host.site else []
    return or_(
        table.host_id == host.id,
        table.site_id == host.site_id if host.site_id else false(),
        table.region_id.in_([region.id for region in regions]),
    )


def under_both_paths(*inner: APIRouter) -> list[APIRouter]:
    """The schedule routers under `compute/schedules` and under `schedules`."""
    outer = []
    for path in PATHS:
        both = APIRouter()
        for router in inner:
            both.include_router(router, prefix=f"{PROJECT}/{path}")
        outer.append(both)
    return outer

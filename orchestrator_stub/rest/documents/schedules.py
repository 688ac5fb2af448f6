# SPDX-License-Identifier: Apache-2.0
"""Schedules as documents."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from orchestrator_stub.records import RepeatedSchedule, SingleSchedule
from orchestrator_stub.rest.documents.base import (
    Document,
    HostReference,
    Maybe,
    Timestamps,
    timestamps,
)
from orchestrator_stub.rest.documents.hosts import host_reference
from orchestrator_stub.rest.documents.locations import RegionResource, SiteResource, region, site
from orchestrator_stub.vocabulary import ScheduleStatus


class _ScheduleResource(Document):
    resource_id: str
    name: str
    schedule_status: ScheduleStatus
    target_host: Maybe[HostReference] = None
    target_site: Maybe[SiteResource] = None
    target_region: Maybe[RegionResource] = None
    timestamps: Timestamps


class SingleScheduleResource(_ScheduleResource):
    """A single schedule; an open-ended one has no `endSeconds`."""

    single_schedule_id: str = Field(alias="singleScheduleID", description="The same as resourceId.")
    start_seconds: int
    end_seconds: Maybe[int] = None


class RepeatedScheduleResource(_ScheduleResource):
    """A repeated schedule."""

    repeated_schedule_id: str = Field(
        alias="repeatedScheduleID", description="The same as resourceId."
    )
    duration_seconds: int
    cron_minutes: str
    cron_hours: str
    cron_day_month: str
    cron_month: str
    cron_day_week: str


def single_schedule(row: SingleSchedule) -> SingleScheduleResource:
    """A single schedule."""
    return SingleScheduleResource(
        **_shared(row),
        singleScheduleID=row.id,
        start_seconds=row.start_s,
        end_seconds=row.end_s or None,
    )


def repeated_schedule(row: RepeatedSchedule) -> RepeatedScheduleResource:
    """A repeated schedule."""
    return RepeatedScheduleResource(
        **_shared(row),
        repeatedScheduleID=row.id,
        duration_seconds=row.duration_s,
        cron_minutes=row.cron_minutes,
        cron_hours=row.cron_hours,
        cron_day_month=row.cron_day_month,
        cron_month=row.cron_month,
        cron_day_week=row.cron_day_week,
    )


def _shared(row: SingleSchedule | RepeatedSchedule) -> dict[str, Any]:
    return {
        "resource_id": row.id,
        "name": row.name,
        "schedule_status": row.schedule_status,
        "target_host": host_reference(row.host) if row.host else None,
        "target_site": site(row.site) if row.site else None,
        "target_region": region(row.region) if row.region else None,
        "timestamps": timestamps(row),
    }

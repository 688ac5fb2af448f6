# SPDX-License-Identifier: Apache-2.0
"""A fleet whose every text is markup, as whoever may name something could write it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.records import (
    Host,
    Instance,
    OSResource,
    Policy,
    Project,
    Region,
    RepeatedSchedule,
    Rollout,
    SingleSchedule,
    Site,
    UpdateRun,
)

MARKUP = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"
SHORT = "\"'><script>alert(1)</script>{{7*7}}"


def spoil(session: Session, project_uuid: str) -> None:
    """Put markup wherever a text comes from somebody else."""
    texts = {
        Host: ("note",),
        Instance: ("name", "detail", "update_status", "phase", "profile_name"),
        OSResource: ("name", "profile_name", "withdrawn_reason", "refused_hash"),
        Policy: ("description",),
        Rollout: ("reason",),
        UpdateRun: ("name", "description", "status", "image_id"),
        SingleSchedule: ("name",),
        RepeatedSchedule: ("name",),
    }
    unique = {Host: ("name",), Policy: ("name",), Region: ("name",), Site: ("name",)}
    for table, names in [*texts.items(), *unique.items()]:
        mine = table.__table__.columns["project_uuid"] == project_uuid
        for number, row in enumerate(session.scalars(select(table).where(mine)).unique()):
            for name in names:
                length = getattr(table.__table__.columns[name].type, "length", None) or 200
                ending = f"{number}" if table in unique and name in unique[table] else ""
                text = (MARKUP if length >= len(MARKUP) else SHORT)[: length - len(ending)]
                setattr(row, name, text + ending)
    for row in session.scalars(select(Instance).where(Instance.project_uuid == project_uuid)):
        row.slots = [{"name": MARKUP, "imageId": MARKUP, "state": MARKUP, "assessment": MARKUP}]
        row.update_status_detail = MARKUP
    for run in session.scalars(select(UpdateRun).where(UpdateRun.project_uuid == project_uuid)):
        run.status_details = MARKUP
    for os in session.scalars(select(OSResource).where(OSResource.project_uuid == project_uuid)):
        os.fixed_cves = [{"cve_id": MARKUP, "priority": MARKUP, "affected_packages": [MARKUP]}]
    session.get_one(Project, project_uuid).name = SHORT

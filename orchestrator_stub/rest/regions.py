# SPDX-License-Identifier: Apache-2.0
"""Regions over REST: a tree without cycles, of bounded depth; sites and schedules hang in it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body as JsonBody
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub import names
from orchestrator_stub.locations import check_name, check_parent
from orchestrator_stub.records import Region, RepeatedSchedule, SingleSchedule, Site
from orchestrator_stub.rest import documents, fields
from orchestrator_stub.rest.bodies import NAME, Body, FieldMask, Id, change_of, changed
from orchestrator_stub.rest.context import Caller
from orchestrator_stub.rest.documents import RegionResource
from orchestrator_stub.rest.documents.base import Nothing
from orchestrator_stub.rest.lists import ListDocument, WantedPart, part
from orchestrator_stub.rest.removal import refuse_used
from orchestrator_stub.rest.routing import PROJECT, RecordId, Router

router = Router(prefix=f"{PROJECT}/compute/regions", tags=["sites and regions"])


class RegionList(ListDocument):
    """A part of the regions."""

    regions: list[RegionResource]


class RegionBody(Body):
    """A region to make, or to replace one; without `parentId` it lies in no other."""

    answer = RegionResource

    name: Annotated[str, Field(min_length=1, max_length=names.MAX_CHARS, pattern=NAME)]
    parent_id: Id = ""

    def write(self, caller: Caller, session: Session, row: Region) -> RegionResource:
        """Check the rules, and write the fields into a region's record."""
        check_name(session, row, self.name)
        parent = caller.mine(session, Region, self.parent_id) if self.parent_id else None
        if parent is not None:
            check_parent(session, row, parent)
        row.name = self.name
        row.parent = parent
        session.add(row)
        session.flush()
        return documents.region(row)


@router.get("")
def list_regions(caller: Caller, wanted: WantedPart) -> RegionList:
    """List the regions, by name unless told otherwise."""
    rows = select(Region).where(Region.project_uuid == caller.project_uuid)
    with caller.reading() as session:
        found = part(session, wanted, rows, fields.REGIONS, (Region.name, Region.id))
        return RegionList(
            regions=[documents.region(row) for row in found.items],
            total_elements=found.total,
            has_next=found.has_next,
        )


@router.post("")
def create_region(caller: Caller, body: RegionBody) -> RegionResource:
    """Make a region."""

    def change(session: Session) -> RegionResource:
        caller.alone(session)
        return body.write(caller, session, Region(project_uuid=caller.project_uuid))

    return caller.write(change)


@router.get("/{region_id:id}")
def get_region(caller: Caller, region_id: RecordId) -> RegionResource:
    """Read one region."""
    with caller.reading() as session:
        return documents.region(caller.mine(session, Region, region_id))


@router.put("/{region_id:id}")
def replace_region(caller: Caller, region_id: RecordId, body: RegionBody) -> RegionResource:
    """Replace a region."""

    def change(session: Session) -> RegionResource:
        caller.alone(session)
        return body.write(caller, session, caller.mine(session, Region, region_id))

    return caller.write(change)


@router.patch("/{region_id:id}", openapi_extra=change_of(RegionBody))
def change_region(
    caller: Caller,
    region_id: RecordId,
    fields_sent: Annotated[dict[str, Any], JsonBody()],
    field_mask: FieldMask = "",
) -> RegionResource:
    """Change some fields of a region."""

    def change(session: Session) -> RegionResource:
        caller.alone(session)
        row = caller.mine(session, Region, region_id)
        current = {"name": row.name, "parentId": row.parent_id or ""}
        return changed(RegionBody, current, fields_sent, field_mask).write(caller, session, row)

    return caller.write(change)


@router.delete("/{region_id:id}")
def delete_region(caller: Caller, region_id: RecordId) -> Nothing:
    """Delete a region that no region, site or schedule refers to."""

    def change(session: Session) -> Nothing:
        caller.alone(session)
        row = caller.mine(session, Region, region_id)
        refuse_used(session, row, Region.parent_id, "a region")
        refuse_used(session, row, Site.region_id, "a site")
        refuse_used(session, row, SingleSchedule.region_id, "a schedule")
        refuse_used(session, row, RepeatedSchedule.region_id, "a schedule")
        session.delete(row)
        return Nothing()

    return caller.write(change)

# SPDX-License-Identifier: Apache-2.0
"""Sites over REST: where hosts stand, each maybe in a region."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body as JsonBody
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub import names
from orchestrator_stub.locations import check_name
from orchestrator_stub.records import Host, Region, RepeatedSchedule, SingleSchedule, Site
from orchestrator_stub.rest import documents, fields
from orchestrator_stub.rest.bodies import NAME, Body, FieldMask, Id, change_of, changed
from orchestrator_stub.rest.context import Caller
from orchestrator_stub.rest.documents import SiteResource
from orchestrator_stub.rest.documents.base import Nothing
from orchestrator_stub.rest.lists import ListDocument, WantedPart, part
from orchestrator_stub.rest.removal import refuse_used
from orchestrator_stub.rest.routing import PROJECT, RecordId, Router

router = Router(prefix=f"{PROJECT}/compute/sites", tags=["sites and regions"])


class SiteList(ListDocument):
    """A part of the sites."""

    sites: list[SiteResource]


class SiteBody(Body):
    """A site to make, or to replace one."""

    answer = SiteResource

    name: Annotated[str, Field(min_length=1, max_length=names.MAX_CHARS, pattern=NAME)]
    region_id: Id = ""

    def write(self, caller: Caller, session: Session, row: Site) -> SiteResource:
        """Check the rules, and write the fields into a site's record."""
        check_name(session, row, self.name)
        row.name = self.name
        row.region = caller.mine(session, Region, self.region_id) if self.region_id else None
        session.add(row)
        session.flush()
        return documents.site(row)


@router.get("")
def list_sites(caller: Caller, wanted: WantedPart) -> SiteList:
    """List the sites, by name unless told otherwise."""
    rows = select(Site).where(Site.project_uuid == caller.project_uuid)
    with caller.reading() as session:
        found = part(session, wanted, rows, fields.SITES, (Site.name, Site.id))
        return SiteList(
            sites=[documents.site(row) for row in found.items],
            total_elements=found.total,
            has_next=found.has_next,
        )


@router.post("")
def create_site(caller: Caller, body: SiteBody) -> SiteResource:
    """Make a site."""

    def change(session: Session) -> SiteResource:
        return body.write(caller, session, Site(project_uuid=caller.project_uuid))

    return caller.write(change)


@router.get("/{site_id:id}")
def get_site(caller: Caller, site_id: RecordId) -> SiteResource:
    """Read one site."""
    with caller.reading() as session:
        return documents.site(caller.mine(session, Site, site_id))


@router.put("/{site_id:id}")
def replace_site(caller: Caller, site_id: RecordId, body: SiteBody) -> SiteResource:
    """Replace a site."""

    def change(session: Session) -> SiteResource:
        return body.write(caller, session, caller.mine(session, Site, site_id))

    return caller.write(change)


@router.patch("/{site_id:id}", openapi_extra=change_of(SiteBody))
def change_site(
    caller: Caller,
    site_id: RecordId,
    fields_sent: Annotated[dict[str, Any], JsonBody()],
    field_mask: FieldMask = "",
) -> SiteResource:
    """Change some fields of a site."""

    def change(session: Session) -> SiteResource:
        row = caller.mine(session, Site, site_id)
        current = {"name": row.name, "regionId": row.region_id or ""}
        return changed(SiteBody, current, fields_sent, field_mask).write(caller, session, row)

    return caller.write(change)


@router.delete("/{site_id:id}")
def delete_site(caller: Caller, site_id: RecordId) -> Nothing:
    """Delete a site that no host and no schedule refers to."""

    def change(session: Session) -> Nothing:
        row = caller.mine(session, Site, site_id)
        refuse_used(session, row, Host.site_id, "a host")
        refuse_used(session, row, SingleSchedule.site_id, "a schedule")
        refuse_used(session, row, RepeatedSchedule.site_id, "a schedule")
        session.delete(row)
        return Nothing()

    return caller.write(change)

# SPDX-License-Identifier: Apache-2.0
"""Sites and regions: where hosts stand, and what schedules are inherited from."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from orchestrator_stub import names
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.locations import check_name, check_parent
from orchestrator_stub.records import Region, Site, lock_project
from orchestrator_stub.web import queries_places
from orchestrator_stub.web.paging import AskedPage, links
from orchestrator_stub.web.visit import Changing, Visit, Visiting

PATH: Final = "/sites"

router = APIRouter(include_in_schema=False, prefix=PATH)


class Kind(StrEnum):
    """What a place is."""

    SITE = "site"
    REGION = "region"

    @property
    def table(self) -> type[Region | Site]:
        """The records of that kind."""
        return Site if self is Kind.SITE else Region


@router.get("")
def places(visit: Visiting, page: AskedPage) -> Response:
    """Show the tree, a part at a time."""
    with visit.reading() as session:
        found = queries_places.tree(session, visit.project.uuid)
        values = {
            "places": found[page.offset : page.offset + page.size],
            "total": len(found),
            "page": page,
            "links": links(PATH, {}, page, len(found)),
            "regions": [place for place in found if not place.is_site],
            "sites": sum(1 for place in found if place.is_site),
        }
        return visit.page("sites.html", values)


@router.get("/{kind}/{place_id}")
def place(visit: Visiting, kind: Kind, place_id: str) -> Response:
    """Show the form of a site or a region."""
    with visit.reading() as session:
        row = visit.mine(session, kind.table, place_id)
        found = queries_places.tree(session, visit.project.uuid)
        (known,) = [one for one in found if one.row is row] or [queries_places.Place(row, 0, 0)]
        regions = [one for one in found if not one.is_site and one.row is not row]
        return visit.page("site.html", {"place": known, "kind": kind, "regions": regions})


@router.post("/{kind}")
def make_place(visit: Changing, kind: Kind) -> Response:
    """Make a site or a region."""

    def change(session: Session) -> str:
        lock_project(session, visit.project.uuid)
        row = kind.table(project_uuid=visit.project.uuid)
        _write(visit, session, row)
        return f"{kind.capitalize()} {row.name} is made."

    return visit.change(PATH, change)


@router.post("/{kind}/{place_id}")
def change_place(visit: Changing, kind: Kind, place_id: str) -> Response:
    """Rename a site or a region, or put it into another region."""

    def change(session: Session) -> str:
        lock_project(session, visit.project.uuid)
        row = visit.mine(session, kind.table, place_id)
        if str(row.version) != visit.form.text("version"):
            raise OrchestratorError(
                Code.ABORTED,
                f"Somebody else has changed {row.name} meanwhile, so nothing was changed.",
                hint="Look at it again, and repeat what is still wanted.",
            )
        _write(visit, session, row)
        return f"{kind.capitalize()} {row.name} is saved."

    return visit.change(PATH, change, f"{PATH}/{kind}/{place_id}")


@router.post("/{kind}/{place_id}/delete")
def delete_place(visit: Changing, kind: Kind, place_id: str) -> Response:
    """Delete a site or a region that nothing needs."""

    def change(session: Session) -> str:
        row = visit.mine(session, kind.table, place_id)
        reason = queries_places.why_kept(session, row)
        if reason:
            raise OrchestratorError(
                Code.FAILED_PRECONDITION,
                f"{kind.capitalize()} {row.name} cannot be deleted: {reason}.",
            )
        session.delete(row)
        return f"{kind.capitalize()} {row.name} is deleted."

    return visit.change(PATH, change, f"{PATH}/{kind}/{place_id}")


def _write(visit: Visit, session: Session, row: Region | Site) -> None:
    """Check the rules, and write the form into a place's record."""
    name = visit.form.text("name", "Name", names.MAX_CHARS)
    if not name:
        raise OrchestratorError(Code.INVALID_ARGUMENT, "Name: it is needed")
    check_name(session, row, name)
    region_id = visit.form.text("region")
    region = visit.mine(session, Region, region_id) if region_id else None
    if isinstance(row, Site):
        row.region = region
    else:
        if region is not None:
            check_parent(session, row, region)
        row.parent = region
    row.name = name
    session.add(row)

# SPDX-License-Identifier: Apache-2.0
"""Schedules: a calendar of the next windows, and the list of what makes them."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from orchestrator_stub.web import month, queries_schedules, upcoming
from orchestrator_stub.web.paging import AskedPage, links
from orchestrator_stub.web.visit import Changing, Visiting

PATH: Final = "/schedules"

router = APIRouter(include_in_schema=False, prefix=PATH)


@router.get("")
def schedules(visit: Visiting, page: AskedPage) -> Response:
    """Show the calendar, and the list a part at a time."""
    with visit.reading() as session:
        rows = queries_schedules.every(session, visit.project.uuid)
        shown = upcoming.by_next_window(rows, visit.clock)
        values = {
            "schedules": shown[page.offset : page.offset + page.size],
            "total": len(shown),
            "page": page,
            "links": links(PATH, {}, page, len(shown)),
            "weeks": month.weeks(shown, visit.clock),
        }
        return visit.page("schedules.html", values)


@router.post("/{schedule_id}/delete")
def delete_schedule(visit: Changing, schedule_id: str) -> Response:
    """Delete a schedule."""

    def change(session: Session) -> str:
        row = queries_schedules.find(session, visit.project.uuid, schedule_id)
        session.delete(row)
        return f"Schedule {row.name or row.id} is deleted."

    return visit.change(PATH, change)

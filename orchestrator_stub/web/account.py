# SPDX-License-Identifier: Apache-2.0
"""The operator's own account: time zone, password, log out."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.web import clock
from orchestrator_stub.web import session as sessions
from orchestrator_stub.web.messages import Tone
from orchestrator_stub.web.visit import ChangingOwn, Visiting, sentence

PATH: Final = "/account"

router = APIRouter(include_in_schema=False, prefix=PATH)


@router.get("")
def account(visit: Visiting) -> Response:
    """Show the account."""
    values = {"zones": clock.zone_names(), "least": sessions.LEAST_PASSWORD_CHARS}
    return visit.page("account.html", values)


@router.post("/time-zone")
def set_time_zone(visit: ChangingOwn) -> Response:
    """Set the zone in which times are shown."""

    def change(session: Session) -> str:
        zone = visit.form.text("zone")
        if zone not in clock.zone_names():
            raise OrchestratorError(Code.INVALID_ARGUMENT, "Time Zone: choose one of the list")
        sessions.set_time_zone(session, visit.visitor, zone)
        return f"Times are shown in {zone} time from now on."

    return visit.change(PATH, change)


@router.post("/password")
def change_password(visit: ChangingOwn) -> Response:
    """Set another password; other sessions of this operator end."""
    form = visit.form
    new = form.secret("new")
    if new != form.secret("again"):
        return visit.to(PATH, "The new password was not repeated the same.", Tone.REFUSED)
    try:
        sessions.change_password(visit.request, visit.visitor, form.secret("old"), new)
    except OrchestratorError as error:
        return visit.to(PATH, sentence(error), Tone.REFUSED)
    return visit.to(PATH, "The password is changed. Your other sessions have ended.")

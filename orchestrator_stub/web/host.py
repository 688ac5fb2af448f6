# SPDX-License-Identifier: Apache-2.0
"""One host: its facts, its update as it runs, its history, and what an operator can do with it."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from orchestrator_stub import enrolment
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Host, Instance, Policy, Site
from orchestrator_stub.rollouts import control
from orchestrator_stub.web import linking, live, queries_host, rendering
from orchestrator_stub.web.visit import Changing, Visit, Visiting

MAX_NOTE_CHARS: Final = 500
_LIVE: Final = ("spoken", "status", "update", "quarantine", "slots", "history")

router = APIRouter(include_in_schema=False, prefix="/hosts")


@router.get("/{host_id}")
def host_page(visit: Visiting, host_id: str) -> Response:
    """Show a host."""
    with visit.reading() as session:
        host = visit.mine(session, Host, host_id)
        values = queries_host.host_page(session, host, visit.clock)
        return visit.page("host.html", values)


@router.get("/{host_id}/live")
async def live_host(request: Request, host_id: str) -> Response:
    """The parts of a host's page that change."""

    def parts(visit: Visit) -> live.Parts:
        with visit.reading() as session:
            host = visit.mine(session, Host, host_id)
            values = {**visit.common(), **queries_host.live_host(session, host, visit.clock)}
            return {name: rendering.text(f"host/{name}.html", values) for name in _LIVE}

    return live.stream(request, parts)


@router.post("/{host_id}/policy")
def link_policy(visit: Changing, host_id: str) -> Response:
    """Link the host's instance to a policy, or to none."""
    chosen = visit.form.text("policy")

    def change(session: Session) -> str:
        instance = _instance(visit, session, host_id)
        if not chosen:
            raise OrchestratorError(Code.INVALID_ARGUMENT, "No OS Update Policy is selected.")
        policy = None if chosen == "none" else visit.mine(session, Policy, chosen)
        linking.link(instance, policy, visit.form.text("shown_policy"))
        if policy is None:
            return f"{instance.host.name} follows no OS Update Policy any more."
        return "OS Update Policy applied successfully"

    return visit.change(f"/hosts/{host_id}", change, then=lambda: linking.follow(visit, chosen))


@router.post("/{host_id}/site")
def set_site(visit: Changing, host_id: str) -> Response:
    """Say at which site a host stands."""

    def change(session: Session) -> str:
        host = visit.mine(session, Host, host_id)
        if (host.site_id or "") != visit.form.text("shown_site"):
            raise OrchestratorError(
                Code.ABORTED,
                "Somebody else has put this host at another site meanwhile.",
                hint="Nothing was changed; look at it again.",
            )
        site_id = visit.form.text("site")
        site = visit.mine(session, Site, site_id) if site_id else None
        host.site = site
        return f"{host.name} is at site {site.name}." if site else f"{host.name} is at no site."

    return visit.change(f"/hosts/{host_id}", change)


@router.post("/{host_id}/retry")
def try_again(visit: Changing, host_id: str) -> Response:
    """Have the node try an image again that has failed there."""

    def change(session: Session) -> str:
        instance = _instance(visit, session, host_id)
        control.release(session, instance, visit.form.text("file_hash"))
        return f"{instance.host.name} tries the image again; its node hears of it at its next poll."

    return visit.change(f"/hosts/{host_id}", change)


@router.post("/{host_id}/invalidate")
def invalidate(visit: Changing, host_id: str) -> Response:
    """Trust a host no more: its node is refused, with every token made up to now."""

    def change(session: Session) -> str:
        host = visit.mine(session, Host, host_id)
        note = visit.form.text("note", "Note", MAX_NOTE_CHARS)
        if not visit.form.ticked("sure"):
            raise OrchestratorError(
                Code.INVALID_ARGUMENT, "Tick the box to say that you mean it; nothing was changed."
            )
        enrolment.invalidate(host, note, visit.now_s)
        return f"{host.name} is invalidated: its node is refused from now on."

    return visit.change(f"/hosts/{host_id}", change)


def _instance(visit: Visit, session: Session, host_id: str) -> Instance:
    instance = visit.mine(session, Host, host_id).instance
    if instance is None:
        raise OrchestratorError(Code.NOT_FOUND, f"Host {host_id} has no instance.")
    return instance

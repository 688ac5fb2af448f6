# SPDX-License-Identifier: Apache-2.0
"""The first page: Active Hosts, rendered on the server, for an operator's browser.

The browser asks for a name and a password: the password is the API token, the name does not
matter. The page only reads, so a password that the browser remembers can be made to do nothing.
"""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.rest.context import is_token
from orchestrator_stub.services import Services
from orchestrator_stub.status import Status, host_status
from orchestrator_stub.tables import Host, Instance
from orchestrator_stub.vocabulary import HostState, Indication
from puad.core.update_log import parse_detail

MAX_ROWS: Final = 500
REFRESH_S: Final = 15
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_KIND: Final = {
    Indication.IDLE: "idle",
    Indication.IN_PROGRESS: "busy",
    Indication.ERROR: "error",
    Indication.UNSPECIFIED: "unknown",
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """A status as the page shows it: its text, and the style of its mark."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, for people and for machines."""

    ago: str
    clock: str
    iso: str


@dataclass(frozen=True, slots=True)
class HostRow:
    """What the page says of one host; empty texts and None are what is not known."""

    name: str
    guid: str
    os_name: str
    image_id: str
    available: str
    detail: str
    state: Shown
    update: Shown
    update_since: Moment | None
    progress: int | None
    cause: str
    policy: str
    last_seen: Moment | None


@router.get("/")
def active_hosts(request: Request, refresh: Annotated[str, Query(max_length=1)] = "") -> Response:
    """Show every host, its OS, and how its update goes."""
    services: Services = request.app.state.services
    if not is_token(services, _password(request.headers.get("authorization", ""))):
        return PlainTextResponse(
            "The password is the API token: the content of api.token in the data directory.\n",
            status_code=401,
            headers={**_HEADERS, "WWW-Authenticate": 'Basic realm="puad orchestrator"'},
        )
    now_s = int(time.time())
    with services.database.reading() as session:
        rows = _rows(session, now_s)
        total = session.scalar(select(func.count()).select_from(Host)) or 0
    html = _TEMPLATES.get_template("hosts.html").render(
        rows=rows,
        total=total,
        refreshing=refresh == "1",
        refresh_s=REFRESH_S,
        waiting=sum(1 for row in rows if row.available),
        as_of=_moment(now_s, now_s),
    )
    return HTMLResponse(html, headers=_HEADERS)


def _password(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _rows(session: Session, now_s: int) -> list[HostRow]:
    hosts = session.scalars(select(Host).order_by(Host.name, Host.id).limit(MAX_ROWS)).unique()
    resources: dict[str, OSResources] = {}
    return [
        _row(
            host,
            resources.setdefault(host.project_uuid, OSResources(session, host.project_uuid)),
            now_s,
        )
        for host in hosts
    ]


def _row(host: Host, resources: OSResources, now_s: int) -> HostRow:
    state = host_status(host.last_seen_s, now_s)
    if host.state is HostState.UNTRUSTED:
        state = Status("Invalidated", Indication.ERROR)
    instance = host.instance or Instance(
        profile_name="", image_id="", detail="", update_status="", update_status_detail=""
    )
    available = resources.available(instance)
    return HostRow(
        name=host.name,
        guid=host.uuid,
        os_name=instance.os.name if instance.os else instance.profile_name,
        image_id=instance.image_id,
        available=available.name if available else "",
        detail=instance.detail,
        state=Shown(state.text, _KIND[state.indicator]),
        update=Shown(instance.update_status, _KIND[_indicator(instance)]),
        update_since=_moment(instance.update_status_s, now_s),
        progress=instance.update_progress_percent,
        cause=_cause(instance),
        policy=instance.policy.name if instance.policy else "",
        # polls in quick succession write down only what they changed
        last_seen=_moment(max(host.last_seen_s or 0, instance.update_status_s or 0), now_s),
    )


def _indicator(instance: Instance) -> Indication:
    return instance.update_status_indicator or Indication.UNSPECIFIED


def _cause(instance: Instance) -> str:
    if _indicator(instance) is not Indication.ERROR or not instance.update_status_detail:
        return ""
    entries = parse_detail(instance.update_status_detail)
    return entries[-1].failure_log if entries else ""


def _moment(time_s: int | None, now_s: int) -> Moment | None:
    if not time_s:
        return None
    at = datetime.fromtimestamp(time_s, UTC)
    return Moment(
        ago=ago(now_s - time_s),
        clock=at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        iso=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def ago(seconds: int) -> str:
    """How long ago something was, in the largest unit that fits twice, or else minutes."""
    if seconds < _MINUTE_S:
        return "under a minute ago"
    for unit, length_s in (("days", _DAY_S), ("h", _HOUR_S)):
        if seconds >= 2 * length_s:
            return f"{seconds // length_s} {unit} ago"
    return f"{seconds // _MINUTE_S} min ago"

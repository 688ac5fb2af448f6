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
from orchestrator_stub.tables import Host
from orchestrator_stub.vocabulary import HostState, Indication

MAX_ROWS: Final = 500
REFRESH_S: Final = 15
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
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
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
class HostRow:
    """What the page says of one host."""

    name: str
    guid: str
    os_name: str
    image_id: str
    available: str
    state: str
    state_kind: str
    status: str
    status_kind: str
    status_time: str
    policy: str
    detail: str
    last_seen: str
    last_seen_time: str


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
        as_of=_clock(now_s),
        as_of_time=_iso(now_s),
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
    instance = host.instance
    state = host_status(host.last_seen_s, now_s)
    if host.state is HostState.UNTRUSTED:
        state = Status("Invalidated", Indication.ERROR)
    available = resources.available(instance) if instance else None
    update = Status("", Indication.UNSPECIFIED)
    if instance is not None:
        progress = instance.update_progress_percent
        suffix = "" if progress is None else f" {progress}\N{NO-BREAK SPACE}%"
        update = Status(instance.update_status + suffix, instance.update_status_indicator)
    since_s = instance.update_status_s if instance else 0
    return HostRow(
        name=host.name,
        guid=host.uuid,
        os_name=_os_name(host),
        image_id=instance.image_id if instance else "",
        available=available.name if available else "",
        state=state.text,
        state_kind=_KIND[state.indicator],
        status=update.text,
        status_kind=_KIND[update.indicator],
        status_time=_clock(since_s) if since_s else "",
        policy=instance.policy.name if instance and instance.policy else "",
        detail=instance.detail if instance else "",
        last_seen=_clock(host.last_seen_s) if host.last_seen_s else "",
        last_seen_time=_iso(host.last_seen_s) if host.last_seen_s else "",
    )


def _os_name(host: Host) -> str:
    if host.instance is None:
        return ""
    return host.instance.os.name if host.instance.os else host.instance.profile_name


def _clock(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _iso(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

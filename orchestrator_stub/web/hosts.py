# SPDX-License-Identifier: Apache-2.0
"""Active Hosts: every host, its OS, and how its update goes; link a policy to many at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Instance, OSResource, Policy, Site
from orchestrator_stub.records.base import is_id
from orchestrator_stub.web import linking, live, maintained, queries_hosts, rendering, statuses
from orchestrator_stub.web.forms import Form
from orchestrator_stub.web.paging import SIZES, AskedPage, Page, address, links
from orchestrator_stub.web.queries_hosts import (
    HOST_STATUS,
    NO_POLICY,
    HostLine,
    HostOrder,
    HostStatus,
    UpdateState,
    Wish,
)
from orchestrator_stub.web.queries_policies import options
from orchestrator_stub.web.visit import Changing, Visit, Visiting

PATH: Final = "/hosts"
MAX_SEARCH_CHARS: Final = 100
_ID_CHARS: Final = 64
_UPDATE_TEXTS: Final = {
    UpdateState.AVAILABLE: "OS update available",
    UpdateState.GOING_ON: "Update going on",
    UpdateState.FAILED: "Update failed",
}
_COLUMNS: Final = (
    ("Name", HostOrder.NAME),
    ("Site", HostOrder.SITE),
    ("Host status", None),
    ("Operating System", HostOrder.OS),
    ("Update status", HostOrder.UPDATE),
    ("Update policy", None),
    ("Last seen", HostOrder.SEEN),
)

router = APIRouter(include_in_schema=False)
_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class HostRow:
    """One host as the list shows it."""

    line: HostLine
    status: statuses.Shown
    update: statuses.Shown
    in_maintenance: bool
    last_seen_s: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading; the address sorts by it."""

    title: str
    address: str
    sorted: str


def wish_of(fields: Form) -> Wish:
    """What an address or a form asks for; words that nobody knows ask for nothing."""
    sort = fields.text("sort")
    return Wish(
        search=fields.text("q", "Search", MAX_SEARCH_CHARS),
        status=_word(HostStatus, fields.text("status")),
        update=_word(UpdateState, fields.text("update")),
        policy=fields.text("policy", "", _ID_CHARS),
        os=fields.text("os", "", _ID_CHARS),
        site=fields.text("site", "", _ID_CHARS),
        order=_word(HostOrder, sort.removeprefix("-")) or HostOrder.NAME,
        descending=sort.startswith("-"),
    )


def _word(words: type[_Word], text: str) -> _Word | None:
    return words(text) if text in set(words) else None


def _asked(request: Request) -> Wish:
    return wish_of(Form({name: [value] for name, value in request.query_params.items()}))


Asked = Annotated[Wish, Depends(_asked)]


@router.get("/")
def home() -> Response:
    """The hosts come first."""
    return RedirectResponse(PATH, status_code=303, headers=rendering.HEADERS)


@router.get(PATH)
def active_hosts(visit: Visiting, wish: Asked, page: AskedPage) -> Response:
    """List the hosts."""
    with visit.reading() as session:
        lines, total = queries_hosts.find(session, visit.project.uuid, wish, page, visit.now_s)
        if not lines and page.number > 1:
            return RedirectResponse(address(PATH, wish.query()), 303, rendering.HEADERS)
        values = {
            "rows": _rows(session, visit, lines),
            "summary": queries_hosts.summary(session, visit.project.uuid, visit.now_s),
            "policies": options(session, visit.project.uuid),
            "narrowed_to": _narrowed_to(session, visit, wish),
        }
    return visit.page("hosts.html", {"total": total, **values, **_view(wish, page, total)})


@router.get("/hosts/live")
async def live_hosts(request: Request, wish: Asked, page: AskedPage) -> Response:
    """The rows of a page, when they change."""

    def parts(visit: Visit) -> live.Parts:
        with visit.reading() as session:
            lines, _ = queries_hosts.find(session, visit.project.uuid, wish, page, visit.now_s)
            rows = _rows(session, visit, lines)
        return {
            row.line.id: rendering.text("host_row.html", {**visit.common(), "row": row})
            for row in rows
        }

    return live.stream(request, parts)


@router.post("/hosts/policy")
def link_policy(visit: Changing) -> Response:
    """Link a policy to the hosts that are ticked, or to all that match."""
    form = visit.form
    wish = wish_of(form)
    back = address(PATH, wish.query(), page=form.text("page"), size=form.text("size"))
    if form.text("scope") == "all" and not form.ticked("confirmed"):
        return _ask(visit, wish, back)

    chosen = form.text("new_policy", "", _ID_CHARS)

    def change(session: Session) -> str:
        policy = _chosen(visit, session, chosen)
        if form.text("scope") == "all":
            wanted = queries_hosts.matching_instances(visit.project.uuid, wish, visit.now_s)
        else:
            ticked = [one for one in form.many("host") if is_id(one)]
            if not ticked:
                raise OrchestratorError(
                    Code.INVALID_ARGUMENT, "No host is ticked, so nothing was changed."
                )
            wanted = select(Instance.id).where(
                Instance.project_uuid == visit.project.uuid, Instance.host_id.in_(ticked)
            )
        return linking.told(linking.link_many(session, policy, wanted), policy)

    return visit.change(back, change, then=lambda: linking.follow(visit, chosen))


def _ask(visit: Visit, wish: Wish, back: str) -> Response:
    """Ask before every host that matches is changed, because nobody has seen them all."""
    with visit.reading() as session:
        chosen = visit.form.text("new_policy", "", _ID_CHARS)
        if not chosen:
            return visit.change(back, lambda session: _chosen(visit, session, "").name)
        policy = _chosen(visit, session, chosen)
        _, total = queries_hosts.find(session, visit.project.uuid, wish, Page(1, 1), visit.now_s)
        values = {
            "policy": policy.name if policy else "",
            "profile": policy.target_os.profile_name if policy and policy.target_os else "",
            "new_policy": chosen,
            "total": total,
            "wish": wish,
            "back": back,
            "narrowed_to": _narrowed_to(session, visit, wish),
        }
    return visit.page("hosts_confirm.html", values)


def _chosen(visit: Visit, session: Session, policy_id: str) -> Any:  # noqa: ANN401
    if not policy_id:
        raise OrchestratorError(
            Code.INVALID_ARGUMENT, "No policy is selected, so nothing was changed."
        )
    return None if policy_id == NO_POLICY else visit.mine(session, Policy, policy_id)


def _rows(session: Session, visit: Visit, lines: list[HostLine]) -> list[HostRow]:
    now_s = visit.now_s
    in_maintenance = maintained.now(session, visit.project.uuid, now_s)
    return [
        HostRow(
            line=line,
            status=statuses.host(line.state, line.last_seen_s, now_s, line.update_status),
            update=statuses.update(line.update_status, line.indicator),
            in_maintenance=in_maintenance.hold(line.id, line.site_id),
            # polls in quick succession write down only what they changed
            last_seen_s=max(line.last_seen_s or 0, line.update_status_s or 0),
        )
        for line in lines
    ]


def _narrowed_to(session: Session, visit: Visit, wish: Wish) -> list[tuple[str, str]]:
    """Each narrowing in words, with the address of the list without it."""
    query = wish.query()
    words = {
        "q": f"“{wish.search}”" if wish.search else "",
        "status": HOST_STATUS[wish.status].text if wish.status else "",
        "update": _UPDATE_TEXTS[wish.update] if wish.update else "",
        "policy": "No policy" if wish.policy == NO_POLICY else "",
    }
    tables: dict[str, tuple[type[Any], str]] = {
        "policy": (Policy, "Policy"),
        "os": (OSResource, "OS"),
        "site": (Site, "Site"),
    }
    for name, (table, noun) in tables.items():
        if query[name] and not words.get(name):
            row = session.get(table, query[name])
            if row is None or row.project_uuid != visit.project.uuid:
                words[name] = f"{noun} that is not there"
            else:
                words[name] = f"{noun} {row.name}"
    return [(word, address(PATH, query, **{name: ""})) for name, word in words.items() if word]


def _view(wish: Wish, page: Page, total: int) -> dict[str, Any]:
    query = {**wish.query(), "size": str(page.size) if page.size != SIZES[0] else ""}
    return {
        "wish": wish,
        "page": page,
        "links": links(PATH, wish.query(), page, total),
        "columns": [_column(wish, query, title, order) for title, order in _COLUMNS],
        "status_texts": {word: status.text for word, status in HOST_STATUS.items()},
        "update_texts": _UPDATE_TEXTS,
        "live_address": address("/hosts/live", query, page=page.number),
    }


def _column(wish: Wish, query: dict[str, str], title: str, order: HostOrder | None) -> Column:
    if order is None:
        return Column(title, "", "")
    is_sorted = order is wish.order
    turned = f"-{order}" if is_sorted and not wish.descending else str(order)
    direction = "descending" if wish.descending else "ascending"
    return Column(
        title,
        address(PATH, query, sort="" if turned == HostOrder.NAME else turned),
        direction if is_sorted else "",
    )

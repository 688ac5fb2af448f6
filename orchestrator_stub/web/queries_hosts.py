# SPDX-License-Identifier: Apache-2.0
"""The list of hosts, read as cheaply as ten thousand of them need: columns, not records.

One statement gives the rows of a page and how many there are in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from orchestrator_stub.maintenance import host_status
from orchestrator_stub.maintenance.status import UNKNOWN, UPDATE_STATUS
from orchestrator_stub.records import Host, Instance, OSResource, Policy, Site
from orchestrator_stub.vocabulary import HostState, Indication
from orchestrator_stub.web.paging import Page
from puad.core.version import version_key
from puad.core.wire import StatusType

NO_POLICY: Final = "none"
MAX_RANKED: Final = 1000
_GOING_ON: Final = tuple(
    UPDATE_STATUS[status].text
    for status in (StatusType.DOWNLOADING, StatusType.DOWNLOADED, StatusType.STARTED)
)
_Available: Final = aliased(OSResource, name="available_os")


class HostStatus(StrEnum):
    """What the list can be narrowed to by a host's status (protocol.md §3c)."""

    RUNNING = "running"
    BOOTING = "booting"
    NO_CONNECTION = "no-connection"
    UNKNOWN = "unknown"
    INVALIDATED = "invalidated"


HOST_STATUS: Final = {
    HostStatus.RUNNING: host_status.RUNNING,
    HostStatus.BOOTING: host_status.BOOTING,
    HostStatus.NO_CONNECTION: host_status.NO_CONNECTION,
    HostStatus.UNKNOWN: UNKNOWN,
    HostStatus.INVALIDATED: host_status.INVALIDATED,
}


class UpdateState(StrEnum):
    """What the list can be narrowed to by how an update stands."""

    AVAILABLE = "available"
    GOING_ON = "going-on"
    FAILED = "failed"


class HostOrder(StrEnum):
    """What the list can be sorted by."""

    NAME = "name"
    SITE = "site"
    OS = "os"
    UPDATE = "update"
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Wish:
    """Which hosts are wanted, and in which order."""

    search: str = ""
    status: HostStatus | None = None
    update: UpdateState | None = None
    policy: str = ""
    os: str = ""
    site: str = ""
    order: HostOrder = HostOrder.NAME
    descending: bool = False

    def query(self) -> dict[str, str]:
        """The wish as the fields of an address."""
        return {
            "q": self.search,
            "status": self.status or "",
            "update": self.update or "",
            "policy": self.policy,
            "os": self.os,
            "site": self.site,
            "sort": self.sort_word if self.sort_word != HostOrder.NAME else "",
        }

    @property
    def sort_word(self) -> str:
        """The order, with a dash before it when it is the other way round."""
        return f"-{self.order}" if self.descending else str(self.order)


@dataclass(frozen=True, slots=True)
class HostLine:
    """What the list knows of one host."""

    id: str
    name: str
    guid: str
    state: HostState
    last_seen_s: int | None
    site_id: str | None
    site: str | None
    instance_id: str | None
    profile: str | None
    image_id: str | None
    os: str | None
    available: str | None
    update_status: str | None
    indicator: Indication | None
    update_status_s: int | None
    progress: int | None
    policy: str | None


def find(
    session: Session, project_uuid: str, wish: Wish, page: Page, now_s: int
) -> tuple[list[HostLine], int]:
    """A page of the hosts that are wanted, and how many there are in all."""
    count = _joined(select(func.count(Host.id)), wish).where(*_where(project_uuid, wish, now_s))
    statement = _joined(select(*_columns(), count.scalar_subquery()), wish, every=True)
    rows = session.execute(
        statement.where(*_where(project_uuid, wish, now_s))
        .order_by(*_order(session, project_uuid, wish), Host.id)
        .limit(page.size)
        .offset(page.offset)
    ).all()
    return [HostLine(*row[:-1]) for row in rows], rows[0][-1] if rows else 0


def matching_instances(project_uuid: str, wish: Wish, now_s: int) -> Select[Any]:
    """The ids of the instances on every host that is wanted."""
    return _joined(select(Instance.id), wish, every=True).where(
        *_where(project_uuid, wish, now_s), Instance.id.is_not(None)
    )


def summary(session: Session, project_uuid: str, now_s: int) -> dict[str, int]:
    """How many hosts there are, and how many want to be looked at."""
    row = session.execute(
        select(
            func.count(Host.id),
            func.count(Instance.available_os_id),
            *(
                func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
                for condition in (
                    _update(UpdateState.GOING_ON),
                    _update(UpdateState.FAILED),
                    _has_status(HostStatus.NO_CONNECTION, now_s),
                )
            ),
        )
        .select_from(Host)
        .outerjoin(Instance, Instance.host_id == Host.id)
        .where(Host.project_uuid == project_uuid)
    ).one()
    names = ("all", "available", "going_on", "failed", "no_connection")
    return dict(zip(names, map(int, row), strict=True))


def _columns() -> tuple[Any, ...]:
    return (
        Host.id,
        Host.name,
        Host.uuid,
        Host.state,
        Host.last_seen_s,
        Host.site_id,
        Site.name,
        Instance.id,
        Instance.profile_name,
        Instance.image_id,
        OSResource.name,
        _Available.image_id,
        Instance.update_status,
        Instance.update_status_indicator,
        Instance.update_status_s,
        Instance.update_progress_percent,
        Policy.name,
    )


def _joined(statement: Select[Any], wish: Wish, *, every: bool = False) -> Select[Any]:
    """Join what the columns or the conditions need; counting alone needs little."""
    statement = statement.select_from(Host)
    if every or wish.status or wish.update or wish.policy or wish.os:
        statement = statement.outerjoin(Instance, Instance.host_id == Host.id)
    if every or wish.search:
        statement = statement.outerjoin(Site, Site.id == Host.site_id)
    if every:
        statement = (
            statement.outerjoin(OSResource, OSResource.id == Instance.os_id)
            .outerjoin(_Available, _Available.id == Instance.available_os_id)
            .outerjoin(Policy, Policy.id == Instance.policy_id)
        )
    return statement


def _where(project_uuid: str, wish: Wish, now_s: int) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [Host.project_uuid == project_uuid]
    if wish.search:
        conditions.append(
            or_(
                *(
                    column.icontains(wish.search, autoescape=True)
                    for column in (Host.name, Host.uuid, Site.name)
                )
            )
        )
    if wish.status:
        conditions.append(_has_status(wish.status, now_s))
    if wish.update:
        conditions.append(_update(wish.update))
    if wish.policy == NO_POLICY:
        conditions.append(Instance.policy_id.is_(None))
    elif wish.policy:
        conditions.append(Instance.policy_id == wish.policy)
    if wish.os:
        conditions.append(Instance.os_id == wish.os)
    if wish.site:
        conditions.append(Host.site_id == wish.site)
    return conditions


def _has_status(status: HostStatus, now_s: int) -> ColumnElement[bool]:
    return host_status.text_in_sql(now_s) == HOST_STATUS[status].text


def _update(state: UpdateState) -> ColumnElement[bool]:
    match state:
        case UpdateState.AVAILABLE:
            return Instance.available_os_id.is_not(None)
        case UpdateState.GOING_ON:
            return Instance.update_status.in_(_GOING_ON)
        case UpdateState.FAILED:
            return Instance.update_status_indicator == Indication.ERROR


def _order(session: Session, project_uuid: str, wish: Wish) -> list[Any]:
    columns: list[Any]  # SQLAlchemy's own: columns and expressions
    match wish.order:
        case HostOrder.NAME:
            columns = [Host.name]
        case HostOrder.SITE:
            columns = [func.coalesce(Site.name, ""), Host.name]
        case HostOrder.OS:
            columns = [_version_rank(session, project_uuid), Instance.image_id]
        case HostOrder.UPDATE:
            columns = [Instance.update_status, Instance.update_status_s]
        case HostOrder.SEEN:
            columns = [func.coalesce(Host.last_seen_s, 0)]
    if wish.descending:
        columns[0] = columns[0].desc()
    return columns


def _version_rank(session: Session, project_uuid: str) -> ColumnElement[Any]:
    """Where an instance's OS stands by profile and version, which no database can compare."""
    found = session.execute(
        select(OSResource.id, OSResource.profile_name, OSResource.image_id)
        .where(OSResource.project_uuid == project_uuid)
        .limit(MAX_RANKED)
    ).all()
    ordered = sorted(found, key=lambda row: (row[1], version_key(row[2])))
    ranks: dict[Any, int] = {row[0]: rank for rank, row in enumerate(ordered, start=1)}
    return case(ranks, value=Instance.os_id, else_=0) if ranks else Instance.image_id.expression

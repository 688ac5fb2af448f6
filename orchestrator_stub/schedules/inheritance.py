# SPDX-License-Identifier: Apache-2.0
"""Which schedules apply to a host: its own, and those of its site and of every region around it.

They are united; none goes before another (protocol.md §3b). Whatever the depth of the regions and
the number of hosts, three queries find them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, lazyload

from orchestrator_stub import records
from orchestrator_stub.records import Host, Region, Site

Row = TypeVar("Row", records.SingleSchedule, records.RepeatedSchedule)


@dataclass(frozen=True, slots=True)
class Windows:
    """The schedules that apply to one host, of every status, oldest first."""

    single: tuple[records.SingleSchedule, ...] = ()
    repeated: tuple[records.RepeatedSchedule, ...] = ()


@dataclass(frozen=True, slots=True)
class _Places:
    """Where some hosts stand: the site of each, and every region around a site."""

    sites: dict[str, str | None]
    regions: dict[str, frozenset[str]]

    def holds(self, host_id: str, schedule: Row) -> bool:
        """Whether a schedule's target is this host or a place where it stands."""
        if schedule.host_id is not None:
            return schedule.host_id == host_id
        site_id = self.sites[host_id]
        if site_id is None:
            return False
        return schedule.site_id == site_id or schedule.region_id in self.regions[site_id]


def for_host(session: Session, host: Host) -> Windows:
    """The schedules that apply to a host."""
    return for_hosts(session, [host])[host.id]


def for_hosts(session: Session, hosts: Iterable[Host]) -> dict[str, Windows]:
    """The schedules that apply to each of some hosts of one page, by the host's id."""
    sites = {host.id: host.site_id for host in hosts}
    places = _Places(sites, _regions(session, {site for site in sites.values() if site}))
    single = _rows(session, records.SingleSchedule, places)
    repeated = _rows(session, records.RepeatedSchedule, places)
    return {
        host_id: Windows(
            tuple(row for row in single if places.holds(host_id, row)),
            tuple(row for row in repeated if places.holds(host_id, row)),
        )
        for host_id in sites
    }


def _regions(session: Session, site_ids: set[str]) -> dict[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    if site_ids:
        around = (
            select(Site.id.label("site_id"), Site.region_id.label("region_id"))
            .where(Site.id.in_(site_ids), Site.region_id.is_not(None))
            .cte(recursive=True)
        )
        # UNION drops what is there already, so it ends even if regions stood in a ring
        around = around.union(
            select(around.c.site_id, Region.parent_id)
            .join(Region, Region.id == around.c.region_id)
            .where(Region.parent_id.is_not(None))
        )
        for site_id, region_id in session.execute(select(around.c.site_id, around.c.region_id)):
            found[site_id].add(region_id)
    return {site_id: frozenset(found[site_id]) for site_id in site_ids}


def _rows(session: Session, table: type[Row], places: _Places) -> Sequence[Row]:
    targets: list[ColumnElement[bool]] = [table.host_id.in_(places.sites)]
    if places.regions:
        targets.append(table.site_id.in_(places.regions))
    if regions := frozenset[str]().union(*places.regions.values()):
        targets.append(table.region_id.in_(regions))
    wanted = select(table).where(or_(*targets)).order_by(table.created_s, table.id)
    return session.scalars(wanted.options(lazyload("*"))).all()

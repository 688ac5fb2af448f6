# SPDX-License-Identifier: Apache-2.0
"""Sites and regions as one tree, with the hosts at each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from orchestrator_stub.locations import MAX_DEPTH
from orchestrator_stub.records import Base, Host, Region, RepeatedSchedule, SingleSchedule, Site

MAX_SHOWN: Final = 1000

_Row = TypeVar("_Row", Region, Site)


@dataclass(frozen=True, slots=True)
class Place:
    """A region or a site, `depth` steps into the tree."""

    row: Region | Site
    depth: int
    hosts: int

    @property
    def is_site(self) -> bool:
        """Whether hosts stand there."""
        return isinstance(self.row, Site)

    @property
    def within(self) -> str:
        """The id of the region that it lies in; empty when in none."""
        return (self.row.region_id if isinstance(self.row, Site) else self.row.parent_id) or ""


def tree(session: Session, project_uuid: str) -> list[Place]:
    """Every region followed by what lies in it; sites in no region come last."""
    regions: defaultdict[str | None, list[Region]] = defaultdict(list)
    for region in _by_name(session, Region, project_uuid):
        regions[region.parent_id].append(region)
    sites: defaultdict[str | None, list[Site]] = defaultdict(list)
    for site in _by_name(session, Site, project_uuid):
        sites[site.region_id].append(site)
    counts = session.execute(
        select(Host.site_id, func.count())
        .where(Host.project_uuid == project_uuid, Host.site_id.is_not(None))
        .group_by(Host.site_id)
    )
    hosts = {str(site_id): int(count) for site_id, count in counts}

    def below(region_id: str | None, depth: int) -> list[Place]:
        places = []
        for region in regions[region_id] if depth < MAX_DEPTH else ():
            inner = below(region.id, depth + 1)
            total = sum(place.hosts for place in inner if place.is_site)
            places += [Place(region, depth, total), *inner]
        places += [Place(site, depth, hosts.get(site.id, 0)) for site in sites[region_id]]
        return places

    return below(None, 0)


def _by_name(session: Session, table: type[_Row], project_uuid: str) -> list[_Row]:
    return list(
        session.scalars(
            select(table)
            .where(table.project_uuid == project_uuid)
            .order_by(table.name)
            .limit(MAX_SHOWN)
        ).unique()
    )


def why_kept(session: Session, row: Region | Site) -> str:
    """Why a place cannot be deleted; empty when it can."""
    reasons = []
    users: tuple[tuple[type[Base], ColumnElement[bool], str, str, str], ...]
    if isinstance(row, Site):
        users = ((Host, Host.site_id == row.id, "host stands", "hosts stand", "there"),)
    else:
        users = (
            (Region, Region.parent_id == row.id, "region lies", "regions lie", "in it"),
            (Site, Site.region_id == row.id, "site lies", "sites lie", "in it"),
        )
    for table, condition, one, many, where in users:
        count = session.scalar(select(func.count()).select_from(table).where(condition)) or 0
        if count:
            reasons.append(f"{count:,} {one if count == 1 else many} {where}")
    schedules = sum(
        session.scalar(
            select(func.count())
            .select_from(table)
            .where(or_(table.site_id == row.id, table.region_id == row.id))
        )
        or 0
        for table in (SingleSchedule, RepeatedSchedule)
    )
    if schedules:
        reasons.append(
            f"{schedules:,} {'schedule is' if schedules == 1 else 'schedules are'} for it"
        )
    return ", and ".join(reasons)

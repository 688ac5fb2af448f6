# SPDX-License-Identifier: Apache-2.0
"""Which hosts are in maintenance now (protocol.md §3c): for a whole list, at the price of one look.

What was found is kept for the minute, and as long as nobody changes a schedule, a site or a region.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.maintenance.status import in_maintenance
from orchestrator_stub.records import Project, Region, RepeatedSchedule, SingleSchedule, Site
from orchestrator_stub.schedules.inheritance import Windows

_MINUTE_S: Final = 60
_MAX_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class Maintained:
    """The hosts and sites with a window that is open."""

    hosts: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()

    def has(self, host_id: str, site_id: str | None) -> bool:
        """Whether a host at that site is in maintenance."""
        return host_id in self.hosts or site_id in self.sites


_kept: dict[tuple[str, int, int], Maintained] = {}


def now(session: Session, project_uuid: str, now_s: int) -> Maintained:
    """The hosts of a project that are in maintenance."""
    revision = session.scalar(select(Project.revision).where(Project.uuid == project_uuid)) or 0
    key = (project_uuid, revision, now_s // _MINUTE_S)
    found = _kept.get(key)
    if found is None:
        if len(_kept) >= _MAX_KEPT:
            _kept.clear()
        found = _kept[key] = _look(session, project_uuid, now_s)
    return found


def _look(session: Session, project_uuid: str, now_s: int) -> Maintained:
    open_rows: list[SingleSchedule | RepeatedSchedule] = [
        row
        for row in session.scalars(
            select(SingleSchedule).where(SingleSchedule.project_uuid == project_uuid)
        )
        if in_maintenance(Windows(single=(row,)), now_s)
    ]
    open_rows += [
        row
        for row in session.scalars(
            select(RepeatedSchedule).where(RepeatedSchedule.project_uuid == project_uuid)
        )
        if in_maintenance(Windows(repeated=(row,)), now_s)
    ]
    sites = {row.site_id for row in open_rows if row.site_id}
    regions = {row.region_id for row in open_rows if row.region_id}
    if regions:
        sites |= _sites_in(session, project_uuid, regions)
    hosts = frozenset(row.host_id for row in open_rows if row.host_id)
    return Maintained(hosts, frozenset(sites))


def _sites_in(session: Session, project_uuid: str, regions: Iterable[str]) -> set[str]:
    """The sites in some regions and in the regions within them."""
    within: dict[str | None, list[str]] = {}
    for region_id, parent_id in session.execute(
        select(Region.id, Region.parent_id).where(Region.project_uuid == project_uuid)
    ):
        within.setdefault(parent_id, []).append(region_id)
    found: set[str] = set()
    left = list(regions)
    while left:
        region_id = left.pop()
        if region_id not in found:
            found.add(region_id)
            left += within.get(region_id, [])
    sites = session.execute(
        select(Site.id, Site.region_id).where(Site.project_uuid == project_uuid)
    )
    return {site_id for site_id, region_id in sites if region_id in found}

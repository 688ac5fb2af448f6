# SPDX-License-Identifier: Apache-2.0
"""Places: where some schedules apply, for all hosts of a project at the price of one look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.records import Region, RepeatedSchedule, SingleSchedule, Site


@dataclass(frozen=True, slots=True)
class Places:
    """The hosts and sites where schedules apply."""

    host_ids: frozenset[str] = frozenset()
    site_ids: frozenset[str] = frozenset()

    def hold(self, host_id: str, site_id: str | None) -> bool:
        """Whether a host is one of them, or stands in one."""
        return host_id in self.host_ids or site_id in self.site_ids


def places_of(
    session: Session, project_uuid: str, schedules: Iterable[SingleSchedule | RepeatedSchedule]
) -> Places:
    """Where some schedules of a project apply: sites inherit from every region around them."""
    found = list(schedules)
    regions = {row.region_id for row in found if row.region_id}
    sites = {row.site_id for row in found if row.site_id}
    if regions:
        sites |= _sites_within(session, project_uuid, regions)
    return Places(frozenset(row.host_id for row in found if row.host_id), frozenset(sites))


def _sites_within(session: Session, project_uuid: str, regions: set[str]) -> set[str]:
    parents = select(Region.id, Region.parent_id).where(Region.project_uuid == project_uuid)
    inner: dict[str | None, list[str]] = {}
    for region_id, parent_id in session.execute(parents):
        inner.setdefault(parent_id, []).append(region_id)
    found, left = set(regions), list(regions)
    while left:
        fresh = set(inner.get(left.pop(), ())) - found
        found |= fresh
        left.extend(fresh)
    sites = select(Site.id, Site.region_id).where(Site.project_uuid == project_uuid)
    return {site_id for site_id, region_id in session.execute(sites) if region_id in found}

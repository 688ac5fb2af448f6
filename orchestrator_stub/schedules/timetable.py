# SPDX-License-Identifier: Apache-2.0
"""The timetable of a project: every update window, by where it applies, ready for any host.

What `schedules.inheritance` asks for the hosts of one page, this has read once for all hosts: only
schedules of status OS_UPDATE, and of the single ones those that were not over by then. It holds as
long as the project's revision does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Row, Select, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from orchestrator_stub import records
from orchestrator_stub.records import Region, Site
from orchestrator_stub.vocabulary import ScheduleStatus
from puad.core.model import RepeatedSchedule, SingleSchedule

_Schedule = TypeVar("_Schedule", SingleSchedule, RepeatedSchedule)

_SINGLE: Final = (records.SingleSchedule.start_s, records.SingleSchedule.end_s)
_REPEATED: Final = (
    records.RepeatedSchedule.duration_s,
    records.RepeatedSchedule.cron_minutes,
    records.RepeatedSchedule.cron_hours,
    records.RepeatedSchedule.cron_day_month,
    records.RepeatedSchedule.cron_month,
    records.RepeatedSchedule.cron_day_week,
)


class _Column(Generic[_Schedule]):
    """The schedules of one kind, by the id of their target, each list oldest first."""

    def __init__(self) -> None:
        self._at: defaultdict[str, list[tuple[int, str, _Schedule]]] = defaultdict(list)

    def add(self, row: Row[Any], schedule: _Schedule) -> None:
        target = row.host_id or row.site_id or row.region_id
        self._at[target].append((row.created_s, row.id, schedule))

    def of(self, targets: Iterator[str]) -> tuple[_Schedule, ...]:
        found = [each for target in targets if target in self._at for each in self._at[target]]
        found.sort(key=lambda each: each[:2])
        return tuple(schedule for _, _, schedule in found)


class Timetable:
    """What windows the hosts of a project have, as a transaction sees them.

    Args:
        session: Where they are read, now.
        project_uuid: The project.
        now_s: The time; what is over by then is left out.
    """

    def __init__(self, session: Session, project_uuid: str, now_s: int) -> None:
        single, repeated = records.SingleSchedule, records.RepeatedSchedule
        self._single: _Column[SingleSchedule] = _Column()
        left = or_(single.end_s == 0, single.end_s > now_s)
        for row in session.execute(_wanted(single, project_uuid, _SINGLE).where(left)):
            self._single.add(row, SingleSchedule(row.start_s, row.end_s))
        self._repeated: _Column[RepeatedSchedule] = _Column()
        for row in session.execute(_wanted(repeated, project_uuid, _REPEATED)):
            self._repeated.add(row, RepeatedSchedule(*row[-len(_REPEATED) :]))
        sites = select(Site.id, Site.region_id).where(Site.project_uuid == project_uuid)
        self._region_of: dict[str, str | None] = {
            row.id: row.region_id for row in session.execute(sites)
        }
        regions = select(Region.id, Region.parent_id).where(Region.project_uuid == project_uuid)
        self._parent_of: dict[str, str | None] = {
            row.id: row.parent_id for row in session.execute(regions)
        }

    def single(self, host_id: str, site_id: str | None) -> tuple[SingleSchedule, ...]:
        """The single schedules of a host, oldest first."""
        return self._single.of(self._targets(host_id, site_id))

    def repeated(self, host_id: str, site_id: str | None) -> tuple[RepeatedSchedule, ...]:
        """The repeated schedules of a host, oldest first."""
        return self._repeated.of(self._targets(host_id, site_id))

    def _targets(self, host_id: str, site_id: str | None) -> Iterator[str]:
        return chain((host_id,), self._around.get(site_id, ()))

    @cached_property
    def _around(self) -> dict[str | None, tuple[str, ...]]:
        """Of each site itself and every region around it."""
        return {site_id: (site_id, *self._regions(site_id)) for site_id in self._region_of}

    def _regions(self, site_id: str) -> Iterator[str]:
        region_id, seen = self._region_of[site_id], set[str]()
        while region_id is not None and region_id not in seen:  # even if they stood in a ring
            seen.add(region_id)
            yield region_id
            region_id = self._parent_of.get(region_id)


def _wanted(
    table: type[records.SingleSchedule | records.RepeatedSchedule],
    project_uuid: str,
    columns: tuple[InstrumentedAttribute[Any], ...],
) -> Select[Any]:
    return select(
        table.id, table.created_s, table.host_id, table.site_id, table.region_id, *columns
    ).where(table.project_uuid == project_uuid, table.schedule_status == ScheduleStatus.OS_UPDATE)

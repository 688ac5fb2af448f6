# SPDX-License-Identifier: Apache-2.0
"""Schedules as the pages show them: what they are for, their rule in words, their next windows."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from orchestrator_stub.records import RepeatedSchedule, SingleSchedule
from orchestrator_stub.schedules.local_repeat import LocalRepeat, to_local
from orchestrator_stub.schedules.windows import Window, next_openings
from orchestrator_stub.vocabulary import ScheduleStatus
from orchestrator_stub.web.clock import DASH, Clock, span
from puad.core.cron import FIELDS

AnySchedule = SingleSchedule | RepeatedSchedule

STATUS_TEXTS: Final = {
    ScheduleStatus.MAINTENANCE: "Maintenance",
    ScheduleStatus.OS_UPDATE: "OS Update",
    ScheduleStatus.UNSPECIFIED: "Unspecified",
}
WEEKDAYS: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
MONTHS: Final = tuple(calendar.month_abbr[1:])
ADVISED_S: Final = 600
CRON_FIELDS: Final = tuple(FIELDS)
_A_ROW: Final = 3


@dataclass(frozen=True, slots=True)
class ShownSchedule:
    """A schedule, and its window that is open or comes next."""

    row: AnySchedule
    path: str
    purpose: str
    is_update: bool
    target: str
    target_path: str
    rule: str
    window: Window | None
    is_open: bool

    @property
    def name(self) -> str:
        """Its name, or what stands for one."""
        return self.row.name or "Unnamed schedule"


def shown(row: AnySchedule, clock: Clock) -> ShownSchedule:
    """A schedule as an operator reads it."""
    coming = next_openings(row, clock.now_s, 1)
    window = coming[0] if coming else None
    target, target_path = target_of(row)
    return ShownSchedule(
        row=row,
        path=f"/schedules/{row.id}",
        purpose=STATUS_TEXTS[row.schedule_status],
        is_update=row.schedule_status is ScheduleStatus.OS_UPDATE,
        target=target,
        target_path=target_path,
        rule=rule(row, clock),
        window=window,
        is_open=window is not None and window[0] <= clock.now_s,
    )


def by_next_window(rows: Iterable[AnySchedule], clock: Clock) -> list[ShownSchedule]:
    """Schedules in the order of their next windows; those that are over come last."""
    never = (1 << 62, 0)
    return sorted(
        (shown(row, clock) for row in rows), key=lambda one: (one.window or never, one.row.id)
    )


def target_of(row: AnySchedule) -> tuple[str, str]:
    """What a schedule is for, in words, and the page that shows it."""
    if row.host is not None:
        return f"Host {row.host.name}", f"/hosts/{row.host.id}"
    if row.site is not None:
        return f"Site {row.site.name}", f"/hosts?site={row.site.id}"
    return f"Region {row.region.name if row.region else ''}", "/sites"


def rule(row: AnySchedule, clock: Clock) -> str:
    """When a schedule's windows open, in words and local time."""
    if isinstance(row, SingleSchedule):
        return "Once" if row.end_s else "Once, open-ended"
    length = span(row.duration_s)
    found = to_local(row, clock.zone, clock.now_s)
    if found is None:
        return f"Cron {' '.join(getattr(row, name) for name in CRON_FIELDS)} in UTC, for {length}"
    months = f" in {', '.join(MONTHS[number - 1] for number in sorted(found.months))}"
    return f"{_days(found)}{months if found.months else ''} at {found.clock:%H:%M} for {length}"


def _days(found: LocalRepeat) -> str:
    if found.weekdays:
        return _week_days(found.weekdays)
    if found.days:
        return f"Day {', '.join(map(str, sorted(found.days)))} of the month"
    return "Every day"


def _week_days(days: Iterable[int]) -> str:
    """Days of the week from Monday on; three or more in a row as their first and last."""
    rows: list[list[int]] = []
    for day in sorted((day - 1) % 7 for day in days):
        if rows and rows[-1][-1] == day - 1:
            rows[-1].append(day)
        else:
            rows.append([day])
    names = [[WEEKDAYS[(day + 1) % 7] for day in row] for row in rows]
    return ", ".join(
        f"{row[0]}{DASH}{row[-1]}" if len(row) >= _A_ROW else ", ".join(row) for row in names
    )

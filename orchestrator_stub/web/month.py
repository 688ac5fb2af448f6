# SPDX-License-Identifier: Apache-2.0
"""A calendar of the windows to come: whole weeks of the operator's days. Pure.

Each firing of a schedule stands on the day on which it opens, also where one window adjoins the
next; of a schedule that fires often only a few a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final

from orchestrator_stub.records import SingleSchedule
from orchestrator_stub.web.clock import DASH, Clock
from orchestrator_stub.web.upcoming import CRON_FIELDS, ShownSchedule
from puad.core import model
from puad.core.cron import parse_cron

WEEKS: Final = 5
A_DAY: Final = 3
"""How many windows of one schedule on one day are told apart."""

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One window on its day."""

    start_s: int
    hours: str
    schedule: ShownSchedule


@dataclass(slots=True)
class Day:
    """One day and the windows that open on it."""

    date: date
    is_today: bool
    is_past: bool
    entries: list[Entry] = field(default_factory=list)


def weeks(schedules: Iterable[ShownSchedule], clock: Clock) -> list[list[Day]]:
    """The weeks from the present one on, each from Monday to Sunday."""
    today = clock.now.date()
    monday = today - timedelta(days=today.weekday())
    dates = [monday + timedelta(days=number) for number in range(WEEKS * 7)]
    days = {day: Day(day, day == today, day < today) for day in dates}
    for one in schedules:
        for start_s, end_s in _openings(one, clock, dates[0], dates[-1]):
            day = days.get(clock.local(start_s).date())
            if day is not None:
                day.entries.append(Entry(start_s, _hours(start_s, end_s, clock), one))
    for day in days.values():
        day.entries.sort(key=lambda entry: (entry.start_s, entry.schedule.row.id))
    row = list(days.values())
    return [row[start : start + 7] for start in range(0, len(row), 7)]


def _openings(
    one: ShownSchedule, clock: Clock, first: date, last: date
) -> Iterator[tuple[int, int]]:
    row = one.row
    if isinstance(row, SingleSchedule):
        yield row.start_s, row.end_s
        return
    fields = {name: getattr(row, name) for name in CRON_FIELDS}
    cron = parse_cron(model.RepeatedSchedule(duration_s=row.duration_s, **fields))
    moment, until = _midnight(first, clock), _midnight(last + _DAY, clock)
    of_day, count = first, 0
    while (firing := cron.next_firing(moment)) is not None and firing < until:
        day = firing.astimezone(clock.zone).date()
        count = count + 1 if day == of_day else 1
        of_day = day
        start_s = int(firing.timestamp())
        yield start_s, start_s + row.duration_s
        moment = firing + _MINUTE if count < A_DAY else _midnight(day + _DAY, clock)


def _midnight(day: date, clock: Clock) -> datetime:
    return datetime.combine(day, time(), clock.zone)


def _hours(start_s: int, end_s: int, clock: Clock) -> str:
    start = f"{clock.local(start_s):%H:%M}"
    return f"{start}{DASH}{clock.local(end_s):%H:%M}" if end_s else f"{start}, open-ended"

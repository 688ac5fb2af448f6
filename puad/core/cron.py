# SPDX-License-Identifier: Apache-2.0
"""The cron fields of a repeated schedule: at which minutes a window opens, in UTC.

Rules (protocol.md §1, and robfig/cron v3 whose behaviour the original agent has):

1. A field is `*`, or plain numbers separated by commas. Nothing else: no ranges, steps, names or
   `?`, and not the empty string.
2. Minute, hour and month must all match.
3. When day of month and day of week are both restricted, either may match. When one of them is
   `*`, both must match, which is to say that the other decides. A list of all numbers is still a
   restriction.
4. A date that no month has (31 February) never comes.
5. Everything is UTC, so no hour is skipped or repeated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from puad.core.errors import Code, WireError
from puad.core.model import RepeatedSchedule

FIELDS: Final[dict[str, re.Pattern[str]]] = {
    "cron_minutes": re.compile(r"([*]|([0-9]|([1-5][0-9]))((,([0-9]|([1-5][0-9])))*))"),
    "cron_hours": re.compile(r"([*]|([0-9]|1[0-9]|2[0-3])((,([0-9]|1[0-9]|2[0-3]))*))"),
    "cron_day_month": re.compile(r"([*]|([1-9]|([12][0-9])|3[01])((,([1-9]|([12][0-9])|3[01]))*))"),
    "cron_month": re.compile(r"([*]|([1-9]|1[012])((,([1-9]|1[012]))*))"),
    "cron_day_week": re.compile(r"([*]|([0-6])((,([0-6]))*))"),
}
"""The proto's own expressions, by field; the whole field must match."""

_ANY: Final = "*"
_MONTHS_OF_A_YEAR: Final = 12
_LAST_YEAR: Final = 9998
# 29 February stays away for eight years around a century such as 2100.
_YEARS_AHEAD: Final = 9


@dataclass(frozen=True, slots=True)
class Cron:
    """The five fields, read.

    Attributes:
        minutes: Minutes of the hour, in order.
        hours: Hours of the day, in order.
        days: Days of the month.
        months: Months of the year.
        weekdays: Days of the week; 0 is Sunday.
        either_day: Whether one of the two day fields is enough (rule 3).
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def matches_day(self, day: date) -> bool:
        """Whether the schedule fires on that day."""
        return day.month in self.months and self._matches_day_of_month(day)

    def next_firing(self, moment: datetime) -> datetime | None:
        """The first firing at or after a moment; None when none comes within nine years."""
        moment = moment.astimezone(UTC)
        if moment.year > _LAST_YEAR:
            return None
        if moment.second or moment.microsecond:
            moment = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        if self.matches_day(moment.date()):
            later = self._time_from(moment.time())
            if later is not None:
                return datetime.combine(moment.date(), later, UTC)
        day = self._day_after(moment.date())
        first = time(self.hours[0], self.minutes[0])
        return None if day is None else datetime.combine(day, first, UTC)

    def _matches_day_of_month(self, day: date) -> bool:
        by_month = day.day in self.days
        by_week = day.isoweekday() % 7 in self.weekdays
        return (by_month or by_week) if self.either_day else (by_month and by_week)

    def _time_from(self, clock: time) -> time | None:
        """The first firing of a matching day that is not before a time of day."""
        for hour in self.hours:
            if hour > clock.hour:
                return time(hour, self.minutes[0])
            if hour == clock.hour:
                minute = next((m for m in self.minutes if m >= clock.minute), None)
                if minute is not None:
                    return time(hour, minute)
        return None

    def _day_after(self, day: date) -> date | None:
        """The first matching day after a day, month by month, so that whole months are skipped."""
        start = day + timedelta(days=1)
        for months_on in range(_YEARS_AHEAD * _MONTHS_OF_A_YEAR):
            year, month = divmod(start.month - 1 + months_on, _MONTHS_OF_A_YEAR)
            first = date(start.year + year, month + 1, 1)
            if first.year > _LAST_YEAR:
                return None
            if first.month in self.months:
                found = self._day_in_month(max(first, start))
                if found is not None:
                    return found
        return None

    def _day_in_month(self, day: date) -> date | None:
        month = day.month
        while day.month == month:
            if self._matches_day_of_month(day):
                return day
            day += timedelta(days=1)
        return None


def parse_cron(schedule: RepeatedSchedule) -> Cron:
    """The cron fields of a repeated schedule.

    Raises:
        WireError: When a field breaks rule 1; its `on` names the field.
    """
    texts = {name: getattr(schedule, name) for name in FIELDS}
    for name, form in FIELDS.items():
        if not form.fullmatch(texts[name]):
            raise WireError(
                Code.SERVER_ANSWER_INVALID, "a cron field is neither * nor a list", on=name
            )
    return Cron(
        minutes=_numbers(schedule.cron_minutes, range(60)),
        hours=_numbers(schedule.cron_hours, range(24)),
        days=frozenset(_numbers(schedule.cron_day_month, range(1, 32))),
        months=frozenset(_numbers(schedule.cron_month, range(1, 13))),
        weekdays=frozenset(_numbers(schedule.cron_day_week, range(7))),
        either_day=_ANY not in (schedule.cron_day_month, schedule.cron_day_week),
    )


def _numbers(text: str, every: range) -> tuple[int, ...]:
    return tuple(every) if text == _ANY else tuple(sorted({int(n) for n in text.split(",")}))

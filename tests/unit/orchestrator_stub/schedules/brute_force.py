# SPDX-License-Identifier: Apache-2.0
"""A calendar made minute by minute with zoneinfo, and what schedules do on it.

Nothing here is of the code under test. Each minute of a stretch of days is one bit; a value of a
field, such as hour 3, is the integer of all minutes that have it. So a schedule is a few ANDs and
ORs of such integers, and a hundred thousand of them take seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from puad.core.model import RepeatedSchedule

DAY_MINUTES = 1440
FIELDS = ("minute", "hour", "day", "month", "weekday")


@dataclass(frozen=True)
class Stretch:
    """Some days, minute by minute."""

    first_s: int
    minutes: int
    masks: dict[str, dict[int, int]] = field(repr=False)

    @property
    def last_s(self) -> int:
        return self.first_s + 60 * self.minutes

    def firings(self, schedule: RepeatedSchedule) -> list[int]:
        """When a schedule fires, Unix seconds: robfig's rule, said on the fields as written."""
        day, weekday = schedule.cron_day_month, schedule.cron_day_week
        of_month, of_week = self._any("day", day), self._any("weekday", weekday)
        days = of_month & of_week if "*" in (day, weekday) else of_month | of_week
        bits = (
            days
            & self._any("month", schedule.cron_month)
            & self._any("hour", schedule.cron_hours)
            & self._any("minute", schedule.cron_minutes)
        )
        text = f"{bits:b}"[::-1]
        found, place = [], text.find("1")
        while place >= 0:
            found.append(self.first_s + 60 * place)
            place = text.find("1", place + 1)
        return found

    def _any(self, field: str, text: str) -> int:
        masks = self.masks[field]
        bits = 0
        for number in masks if text == "*" else map(int, text.split(",")):
            bits |= masks.get(number, 0)
        return bits


def stretch(first: datetime, days: int) -> Stretch:
    """The calendar of some days from a midnight on."""
    zone = ZoneInfo("UTC")
    first_s = int(first.replace(tzinfo=UTC).timestamp())
    minutes = days * DAY_MINUTES
    found: dict[str, dict[int, bytearray]] = {field: {} for field in FIELDS}
    for number in range(minutes):
        moment = datetime.fromtimestamp(first_s + 60 * number, zone)
        for name, value in (
            ("minute", moment.minute),
            ("hour", moment.hour),
            ("day", moment.day),
            ("month", moment.month),
            ("weekday", int(moment.strftime("%w"))),
        ):
            digits = found[name].setdefault(value, bytearray(b"0" * minutes))
            digits[minutes - 1 - number] = ord("1")
    return Stretch(
        first_s,
        minutes,
        {f: {v: int(d, 2) for v, d in values.items()} for f, values in found.items()},
    )


def merged(openings: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Openings as windows: those that overlap or adjoin are one."""
    found: list[tuple[int, int]] = []
    for start_s, end_s in sorted(openings):
        if found and start_s <= found[-1][1]:
            found[-1] = (found[-1][0], max(end_s, found[-1][1]))
        else:
            found.append((start_s, end_s))
    return found

# SPDX-License-Identifier: Apache-2.0
"""Repeated windows in an operator's words, and the cron fields in UTC that say the same.

See `orchestrator_stub.schedules.local` for the rules. The offset is the one that the zone has at
the first opening from now on; an opening whose time never comes on its day does not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.schedules.day_shift import (
    EVERY_DAY,
    EVERY_MONTH,
    EVERY_WEEKDAY,
    Group,
    shifted,
    shifted_weekdays,
    unsayable,
)
from orchestrator_stub.schedules.local import at, find_zone, instants
from orchestrator_stub.schedules.windows import Repeated, next_firing
from puad.core.model import RepeatedSchedule
from puad.core.wire import MAX_DURATION_S

_MINUTE_S: Final = 60
_DAY_MINUTES: Final = 1440
# 29 February stays away for eight years around a century such as 2100
_DAYS_AHEAD: Final = 9 * 366
_ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class LocalRepeat:
    """A window that opens again and again at one time of a wall clock.

    Attributes:
        zone: The name of the time zone.
        clock: When it opens by the wall clock, hour and minute.
        duration_s: How long it stays open.
        weekdays: Days of the week, 0 is Sunday; empty: not by day of the week.
        days: Days of the month; empty: not by day of the month.
        months: Months of the year; empty: every month.
    """

    zone: str
    clock: time
    duration_s: int
    weekdays: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()

    def falls_on(self, day: date) -> bool:
        """Whether it opens on a day of its zone."""
        return (
            day.month in (self.months or EVERY_MONTH)
            and day.day in (self.days or EVERY_DAY)
            and day.isoweekday() % 7 in (self.weekdays or EVERY_WEEKDAY)
        )


def to_utc(repeat: LocalRepeat, now_s: int) -> tuple[RepeatedSchedule, ...]:
    """The schedules that say the same in UTC: one, or a few when days lie across months.

    Args:
        repeat: What the operator wants.
        now_s: The first opening after this tells the offset from UTC, Unix seconds.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`, when it is not valid or cannot be said in UTC.
    """
    _check(repeat)
    zone = find_zone(repeat.zone)
    offset = _first_offset(repeat, zone, now_s)
    minutes = repeat.clock.hour * 60 + repeat.clock.minute - offset
    shift, minutes = divmod(minutes, _DAY_MINUTES)
    if repeat.weekdays:
        groups = [_of_weekdays(repeat, shift, offset)]
    else:
        groups = [(months, days, EVERY_WEEKDAY) for months, days in _of_days(repeat, shift, offset)]
    return tuple(
        RepeatedSchedule(
            duration_s=repeat.duration_s,
            cron_minutes=str(minutes % 60),
            cron_hours=str(minutes // 60),
            cron_day_month=_field(days, EVERY_DAY),
            cron_month=_field(months, EVERY_MONTH),
            cron_day_week=_field(weekdays, EVERY_WEEKDAY),
        )
        for months, days, weekdays in groups
    )


def to_local(schedule: Repeated, zone: ZoneInfo, now_s: int) -> LocalRepeat | None:
    """A schedule in UTC as somebody in a zone would say it.

    None when it has several times of day, never opens, or cannot be said there.

    Args:
        schedule: What is recorded.
        zone: Where the wall clock hangs.
        now_s: The first opening from then on tells the offset from UTC, Unix seconds.

    Raises:
        WireError: When cron fields are not what the wire allows.
    """
    firing_s = next_firing(schedule, now_s)
    minute, hour = schedule.cron_minutes, schedule.cron_hours
    if firing_s is None or not (minute.isdecimal() and hour.isdecimal()):
        return None
    offset = at(firing_s, zone).utcoffset() or timedelta(0)
    minutes = int(hour) * 60 + int(minute) + offset // timedelta(minutes=1)
    shift, minutes = divmod(minutes, _DAY_MINUTES)
    months = _numbers(schedule.cron_month)
    days, weekdays = _numbers(schedule.cron_day_month), _numbers(schedule.cron_day_week)
    if weekdays and (days or (months and shift)):
        return None
    groups = shifted(months or EVERY_MONTH, days or EVERY_DAY, 0 if weekdays else shift)
    if groups is None or len(groups) != 1:
        return None
    ((months, days),) = groups
    return LocalRepeat(
        zone=zone.key,
        clock=time(minutes // 60, minutes % 60),
        duration_s=schedule.duration_s,
        weekdays=shifted_weekdays(weekdays, shift),
        days=frozenset() if days == EVERY_DAY else days,
        months=frozenset() if months == EVERY_MONTH else months,
    )


def _check(repeat: LocalRepeat) -> None:
    for what, numbers, every in (
        ("day of the week", repeat.weekdays, EVERY_WEEKDAY),
        ("day of the month", repeat.days, EVERY_DAY),
        ("month", repeat.months, EVERY_MONTH),
    ):
        if not numbers <= every:
            raise _refused(f"there is no {what} {min(numbers - every)}")
    if not 1 <= repeat.duration_s <= MAX_DURATION_S:
        raise _refused("a repeated window stays open for one second to 24 hours")
    if repeat.clock.second or repeat.clock.microsecond:
        raise _refused("a repeated window opens at a whole minute")
    if repeat.weekdays and repeat.days:
        raise _refused(
            "a window is repeated by day of the week or by day of the month, not by both",
            "Make one schedule for each.",
        )


def _first_offset(repeat: LocalRepeat, zone: ZoneInfo, now_s: int) -> int:
    """The zone's offset from UTC at the first opening from now on, in minutes."""
    today = at(now_s, zone).date()
    for day in _days(repeat, today):
        for at_s in instants(datetime.combine(day, repeat.clock), zone):
            if at_s >= now_s:
                offset = at(at_s, zone).utcoffset() or timedelta(0)
                minutes, seconds = divmod(offset // timedelta(seconds=1), _MINUTE_S)
                if seconds:
                    raise _refused(f"the clocks of {repeat.zone} differ from UTC by seconds")
                return minutes
    raise _refused("no month has such a day", "Choose other days or months.")


def _days(repeat: LocalRepeat, first: date) -> Iterator[date]:
    days = (first + timedelta(days=number) for number in range(_DAYS_AHEAD))
    return (day for day in days if repeat.falls_on(day))


def _of_weekdays(
    repeat: LocalRepeat, shift: int, offset: int
) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
    months = repeat.months or EVERY_MONTH
    if shift and months != EVERY_MONTH:
        raise _refused(
            f"at {repeat.clock:%H:%M} in {repeat.zone} it is another day in UTC, and no schedule "
            "has the days of the week of some months a day off",
            f"Take every month, or open it {_same_day(offset)}.",
        )
    return months, EVERY_DAY, shifted_weekdays(repeat.weekdays, shift)


def _of_days(repeat: LocalRepeat, shift: int, offset: int) -> list[Group]:
    months, days = repeat.months or EVERY_MONTH, repeat.days or EVERY_DAY
    groups = shifted(months, days, shift)
    if groups is None:
        lost = ", ".join(f"{date(2028, *day):%-d %B}" for day in unsayable(months, days, shift))
        raise _refused(
            f"at {repeat.clock:%H:%M} in {repeat.zone} it is another day in UTC, and no schedule "
            f"has the last day of February: {lost} cannot be said",
            f"Leave it out, or open it {_same_day(offset)}.",
        )
    return groups


def _same_day(offset: int) -> str:
    """The times of a wall clock at which UTC has the same day."""
    edge = offset % _DAY_MINUTES
    clock = f"{edge // 60:02d}:{edge % 60:02d}"
    return f"at {clock} or later" if offset > 0 else f"before {clock}"


def _field(numbers: frozenset[int], every: frozenset[int]) -> str:
    return _ANY if numbers >= every else ",".join(map(str, sorted(numbers)))


def _numbers(text: str) -> frozenset[int]:
    """The numbers of a cron field; none for any."""
    return frozenset() if text == _ANY else frozenset(map(int, text.split(",")))


def _refused(what: str, hint: str = "") -> OrchestratorError:
    return OrchestratorError(Code.INVALID_ARGUMENT, what, hint=hint)

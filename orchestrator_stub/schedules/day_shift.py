# SPDX-License-Identifier: Apache-2.0
"""Days of the year that are said in one zone and must be said in another: a day earlier or later.

Near midnight the day of a wall clock is not the day of UTC. The wire has a list of days and a list
of months, and a firing for each pair that is a date. So a set of days can be said when it is made
of such pairs, and in leap years is the same as in other years but for 29 February. Where a shift
leads to "the last day of February", no list can say it.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

EVERY_DAY: Final = frozenset(range(1, 32))
EVERY_MONTH: Final = frozenset(range(1, 13))
EVERY_WEEKDAY: Final = frozenset(range(7))

Day = tuple[int, int]
"""Month and day of the month."""

Group = tuple[frozenset[int], frozenset[int]]
"""Some months and, for all of them, days of the month."""

_LEAP_DAY: Final = (2, 29)
_LEAP_YEAR: Final = 2028
_COMMON_YEAR: Final = 2027


def _year(year: int, shift: int) -> dict[Day, Day]:
    """Where each day of a year comes to lie."""
    first = date(year, 1, 1)
    days = [first + timedelta(days=number) for number in range(365 + calendar.isleap(year))]
    moved = (day + timedelta(days=shift) for day in days)
    return {(day.month, day.day): (to.month, to.day) for day, to in zip(days, moved, strict=True)}


_SHIFTS: Final = {
    shift: (_year(_LEAP_YEAR, shift), _year(_COMMON_YEAR, shift)) for shift in (-1, 0, 1)
}
_LENGTHS: Final = {month: calendar.monthrange(_LEAP_YEAR, month)[1] for month in range(1, 13)}


def shifted(months: frozenset[int], days: frozenset[int], shift: int) -> list[Group] | None:
    """What to say when each of these days lies a day earlier (-1) or later (1); None: it cannot be.

    The list is empty when no month has any of these days.
    """
    leap, common = _SHIFTS[shift]
    asked = {(month, day) for month in months for day in days}
    wanted = {leap[day] for day in asked & leap.keys()}
    if {common[day] for day in asked & common.keys()} != wanted - {_LEAP_DAY}:
        return None
    return _grouped(wanted)


def unsayable(months: frozenset[int], days: frozenset[int], shift: int) -> list[Day]:
    """Those of these days that cannot be said after the shift, each looked at alone."""
    return [
        (month, day)
        for month in sorted(months)
        for day in sorted(days)
        if shifted(frozenset({month}), frozenset({day}), shift) is None
    ]


def shifted_weekdays(weekdays: Iterable[int], shift: int) -> frozenset[int]:
    """Days of the week a day earlier or later; 0 is Sunday."""
    return frozenset((weekday + shift) % 7 for weekday in weekdays)


def _grouped(wanted: set[Day]) -> list[Group]:
    """Months that can share one list of days, where a list may name days that a month lacks."""
    of_month = {
        month: frozenset(day for day in range(1, length + 1) if (month, day) in wanted)
        for month, length in _LENGTHS.items()
    }
    groups: dict[frozenset[int], set[int]] = {}
    # a longer month's list may do for a shorter month, never the other way round
    for month in sorted(of_month, key=lambda month: -_LENGTHS[month]):
        days, exist = of_month[month], frozenset(range(1, _LENGTHS[month] + 1))
        if days:
            own = EVERY_DAY if days == exist else days
            fitting = (known for known in groups if known & exist == days)
            groups.setdefault(next(fitting, own), set()).add(month)
    return [(frozenset(months), days) for days, months in groups.items()]

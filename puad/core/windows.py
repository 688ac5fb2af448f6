# SPDX-License-Identifier: Apache-2.0
"""Maintenance windows: the concrete openings that a node's schedules make.

Rules:

1. A single schedule opens `[start, end)`; without an end it stays open.
2. A repeated schedule opens `[firing, firing + duration)` at every firing of its cron fields.
3. The openings of all schedules are united: those that overlap or adjoin are one window.
4. Looking is bounded. Openings that follow one another without a gap are followed for `LOOK_DAYS`
   days into the past and the future of the moment in question. A window that is still open there
   has no end (`None`) and begins at midnight UTC of the first of those days. When the true end
   comes nearer, it shows.
5. Nothing is remembered: the windows follow from the schedules and the time alone. So a window
   that was already open when puad started counts, and an edited schedule takes effect at once.

Times are looked at in whole seconds, which is what schedules have.

How: the minutes of the days around a moment are the bits of one integer for all repeated schedules
together, set where some opening covers the whole minute. This takes the same short time for one
opening a year and for one each minute. Firings have second 0, so an opening covers whole minutes
and, when its duration says so, the first seconds of one more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from puad.core.cron import Cron, parse_cron
from puad.core.model import Schedules, SingleSchedule, Window

LOOK_DAYS: Final = 8

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
# A clock that is out of these bounds is judged at the bound: every sum after it still has a date.
_LAST: Final = datetime(9000, 12, 31, tzinfo=UTC)
_LAST_S: Final = (_LAST - _EPOCH) // _SECOND
_MINUTE_S: Final = 60
_DAY_S: Final = 86_400
_HOUR_MINUTES: Final = 60
_DAY_MINUTES: Final = 1440
_GRID_DAYS: Final = 2 * LOOK_DAYS + 1
_GRID_MINUTES: Final = _GRID_DAYS * _DAY_MINUTES


def open_window(schedules: Schedules, now: datetime) -> Window | None:
    """The window that is open now; None when none is.

    Raises:
        WireError: When a repeated schedule has invalid cron fields.
    """
    return _window_at(_read(schedules), _bounded(now))


def next_window(schedules: Schedules, now: datetime) -> Window | None:
    """The window that is open now or, when none is, the next to open; None when none ever will.

    Raises:
        WireError: When a repeated schedule has invalid cron fields.
    """
    openings = _read(schedules)
    return _window_at(openings, _bounded(now)) or _first_from(openings, _bounded(now))


def time_left(window: Window, now: datetime) -> timedelta | None:
    """How much of a window is still to come; None when it has no end."""
    if window.end is None:
        return None
    return max(window.end - max(now, window.start), timedelta(0))


@dataclass(frozen=True, slots=True)
class _Openings:
    """Schedules that have been read: one opening, and cron fields with a duration in seconds."""

    single: Window | None
    repeated: frozenset[tuple[Cron, int]]


def _read(schedules: Schedules) -> _Openings:
    repeated = frozenset(
        (parse_cron(schedule), min(schedule.duration_s, _DAY_S))
        for schedule in schedules.repeated
        if schedule.duration_s > 0
    )
    return _Openings(_read_single(schedules.single), repeated)


def _read_single(single: SingleSchedule | None) -> Window | None:
    if single is None or not 0 <= single.start_s <= _LAST_S:
        return None
    start = _EPOCH + single.start_s * _SECOND
    if not single.end_s or single.end_s > _LAST_S:
        return Window(start, None)
    end = _EPOCH + max(single.end_s, 0) * _SECOND
    return Window(start, end) if end > start else None


def _bounded(now: datetime) -> datetime:
    return min(max(now, _EPOCH), _LAST)


def _first_from(openings: _Openings, moment: datetime) -> Window | None:
    """The window that opens first at or after a moment at which none is open."""
    firings = (cron.next_firing(moment) for cron, _ in openings.repeated)
    starts = [firing for firing in firings if firing is not None]
    if openings.single is not None and openings.single.start >= moment:
        starts.append(openings.single.start)
    return _window_at(openings, min(starts)) if starts else None


def _window_at(openings: _Openings, moment: datetime) -> Window | None:
    """The window that is open at a moment: what the repeated schedules make, and the single one."""
    repeated = _repeated_at(openings.repeated, moment)
    single = openings.single
    if single is None:
        return repeated
    touches = _contains(single, moment) if repeated is None else _adjoin(single, repeated)
    if not touches:
        return repeated
    before = _repeated_at(openings.repeated, single.start - _SECOND)
    after = _repeated_at(openings.repeated, single.end) if single.end else None
    return _united([part for part in (repeated, single, before, after) if part])


def _contains(window: Window, moment: datetime) -> bool:
    return window.start <= moment and (window.end is None or moment < window.end)


def _adjoin(a: Window, b: Window) -> bool:
    """Whether two windows overlap, or one begins where the other ends."""
    return (a.end is None or b.start <= a.end) and (b.end is None or a.start <= b.end)


def _united(parts: Sequence[Window]) -> Window:
    ends = [part.end for part in parts if part.end]
    return Window(min(part.start for part in parts), max(ends) if len(ends) == len(parts) else None)


def _repeated_at(repeated: Iterable[tuple[Cron, int]], moment: datetime) -> Window | None:
    """The window that repeated schedules alone make around a moment (see "How" above)."""
    days, second_of_day = divmod((moment - _EPOCH) // _SECOND, _DAY_S)
    # The grid has one day more at its beginning, for openings that reach into the first day.
    origin = _EPOCH + timedelta(days=days - LOOK_DAYS - 1)
    first, last = _DAY_MINUTES, _DAY_MINUTES + _GRID_MINUTES
    minute = first + LOOK_DAYS * _DAY_MINUTES + second_of_day // _MINUTE_S

    rows = [(_firings(cron, origin), *divmod(length, _MINUTE_S)) for cron, length in repeated]
    covered = 0
    for firings, whole_minutes, _ in rows:
        covered |= _stretched(firings, whole_minutes)
    gap = _first_gap(covered, minute)
    seconds = max(
        (rest for firings, whole, rest in rows if firings >> (gap - whole) & 1), default=0
    )
    if gap == minute and second_of_day % _MINUTE_S >= seconds:
        return None
    start = max(_last_gap(covered, minute) + 1, first)
    end = origin + timedelta(minutes=gap, seconds=seconds)
    return Window(origin + timedelta(minutes=start), end if gap < last else None)


def _firings(cron: Cron, origin: datetime) -> int:
    """The minutes at which a schedule fires, as bits from `origin` on."""
    hour = sum(1 << minute for minute in cron.minutes)
    day = sum(hour << number * _HOUR_MINUTES for number in cron.hours)
    return sum(
        day << number * _DAY_MINUTES
        for number in range(1 + _GRID_DAYS)
        if cron.matches_day(origin.date() + timedelta(days=number))
    )


def _stretched(firings: int, minutes: int) -> int:
    """The minutes that openings of some whole minutes cover, by doubling what is covered."""
    covered, width = firings if minutes else 0, 1
    while width < minutes:
        step = min(width, minutes - width)
        covered |= covered << step
        width += step
    return covered


def _first_gap(covered: int, minute: int) -> int:
    """The first minute from this one on that is not wholly covered."""
    gaps = ~covered >> minute
    return minute + (gaps & -gaps).bit_length() - 1


def _last_gap(covered: int, minute: int) -> int:
    """The last minute before this one that is not wholly covered; -1 when there is none."""
    return (~covered & ((1 << minute) - 1)).bit_length() - 1

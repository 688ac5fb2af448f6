# SPDX-License-Identifier: Apache-2.0
"""Schedules in an operator's local time: from the clock on the wall to UTC, and back.

Nodes know UTC only (protocol.md §1). So:

1. A single window is two instants. A wall clock that is put forward has times that never come, and
   one that is put back has times that come twice: both are told, none is guessed.
2. A repeated window follows UTC. It is translated with the offset from UTC that its zone has at its
   first opening, and stays there when the clocks change: the same instant, an hour off by the wall
   clock. `occurrences` shows it, and by how much.
3. Near midnight another day begins in UTC. Weekdays follow; days of the month are split into as
   many schedules as it takes; what no schedule can say is refused with what to do instead.
"""

from __future__ import annotations

import difflib
import functools
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.schedules import windows
from orchestrator_stub.schedules.windows import Repeated, Single
from puad.core.windows import LOOK_DAYS

OCCURRENCES: Final = 5
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_HALF_DAY: Final = timedelta(hours=12)
_DAY: Final = timedelta(days=1)
_LOOK_S: Final = LOOK_DAYS * 86_400
_FIRST_DAY: Final = date(1970, 1, 2)
_LAST_DAY: Final = date(8999, 12, 30)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One opening as its zone's wall clock shows it.

    Attributes:
        start_s: When it opens, Unix seconds.
        end_s: When it closes; 0 when no end is in sight.
        opens: The same in the zone.
        closes: The same in the zone; None when no end is in sight.
        drift: How much later than asked it opens by the wall clock; negative when earlier.
    """

    start_s: int
    end_s: int
    opens: datetime
    closes: datetime | None
    drift: timedelta = timedelta(0)


@functools.cache
def zone_names() -> tuple[str, ...]:
    """The names of every time zone, in order."""
    return tuple(sorted(zoneinfo.available_timezones()))


def find_zone(name: str) -> ZoneInfo:
    """A time zone by its name, such as Europe/Berlin.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`, when there is none.
    """
    if name not in zone_names():
        close = difflib.get_close_matches(name, zone_names(), 1, cutoff=0.7)
        raise OrchestratorError(
            Code.INVALID_ARGUMENT,
            "there is no time zone of that name",
            hint=f"Did you mean {close[0]}?" if close else "Choose one such as Europe/Berlin.",
        )
    return ZoneInfo(name)


def instants(wall: datetime, zone: ZoneInfo) -> tuple[int, ...]:
    """When the wall clock shows a time, Unix seconds: once, never, or twice."""
    _check_day(wall.date())
    both = [(wall.replace(tzinfo=zone, fold=fold) - _EPOCH) // _SECOND for fold in (0, 1)]
    return tuple(sorted({at_s for at_s in both if at(at_s, zone).replace(tzinfo=None) == wall}))


def instant(wall: datetime, zone: ZoneInfo, fold: int | None = None) -> int:
    """The one instant at which the wall clock shows a time, Unix seconds.

    Args:
        wall: What the clock shows, without a zone.
        zone: Where it hangs.
        fold: 0 or 1, the first or the second time, for a time that may come twice.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`, when it never comes, or comes twice and `fold` does
            not say which.
    """
    found = instants(wall, zone)
    if not found:
        before, after = _gap(wall, zone)
        text = f"{after:%H:%M}" if after.date() == wall.date() else f"{after:%Y-%m-%d %H:%M}"
        raise OrchestratorError(
            Code.INVALID_ARGUMENT,
            f"{wall:%H:%M} never comes on {wall:%Y-%m-%d} in {zone.key}: clocks go from "
            f"{before:%H:%M} to {text}",
            hint=f"Choose {text} or later.",
        )
    if len(found) > 1 and fold is None:
        first, second = (f"UTC{_offset(at(at_s, zone))}" for at_s in found)
        raise OrchestratorError(
            Code.INVALID_ARGUMENT,
            f"{wall:%H:%M} comes twice on {wall:%Y-%m-%d} in {zone.key}: clocks are put back",
            hint=f"Say which: the first ({first}) or the second ({second}).",
        )
    return found[-1] if fold else found[0]


def at(at_s: int, zone: ZoneInfo) -> datetime:
    """An instant by the wall clock of a zone."""
    return (_EPOCH + at_s * _SECOND).astimezone(zone)


def occurrences(
    schedules: Iterable[Single | Repeated],
    zone: ZoneInfo,
    from_s: int,
    count: int = OCCURRENCES,
    asked: time | None = None,
) -> list[Occurrence]:
    """The next openings of schedules that were made together, by the wall clock of a zone.

    Args:
        schedules: Single and repeated ones; together they make one row of windows.
        zone: Where the wall clock hangs.
        from_s: Openings that are over by then are left out, Unix seconds.
        count: How many at most.
        asked: When each should open by the wall clock; it tells what drifts.

    Raises:
        WireError: When cron fields are not what the wire allows.
    """
    return [
        Occurrence(
            start_s,
            end_s,
            at(start_s, zone),
            at(end_s, zone) if end_s else None,
            # of a window that is open for longer than anybody looks, the true start is not known
            _drift(at(start_s, zone), asked if start_s > from_s - _LOOK_S else None),
        )
        for start_s, end_s in windows.next_of_all(schedules, from_s, count)
    ]


def _drift(opens: datetime, asked: time | None) -> timedelta:
    if asked is None:
        return timedelta(0)
    wall = opens.replace(tzinfo=None)
    return (wall - datetime.combine(wall.date(), asked) + _HALF_DAY) % _DAY - _HALF_DAY


def _check_day(day: date) -> None:
    if not _FIRST_DAY <= day <= _LAST_DAY:
        raise OrchestratorError(
            Code.INVALID_ARGUMENT, f"the year {day.year} is too far away for a schedule"
        )


def _gap(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """What the clock shows before and after it is put forward over a time that never comes."""
    low, high = sorted(
        (wall.replace(tzinfo=zone, fold=fold) - _EPOCH) // _SECOND for fold in (0, 1)
    )
    # the change lies between: before it the old offset holds, after it the new one
    old = at(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if at(middle, zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return at(low, zone) + _SECOND, at(high, zone)


def _offset(moment: datetime) -> str:
    text = f"{moment:%z}"
    return f"{text[:3]}:{text[3:5]}"

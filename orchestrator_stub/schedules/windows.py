# SPDX-License-Identifier: Apache-2.0
"""The maintenance windows that schedules open, computed as the node computes them.

Rules:

1. A window is `[start, end)` in whole Unix seconds; an end of 0 means that none is in sight.
2. Everything that a node would decide is asked of `puad.core.windows`, so that page, plan and node
   agree: openings that overlap or adjoin are one window, and one that stays open for longer than
   `LOOK_DAYS` has no end yet.
3. A host may have many single schedules, of which its node is told one at a time. Here they are
   all united, because one after the other the node is told them all.

A schedule is whatever has the fields of one: a record, or what stands on the wire.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, Protocol, runtime_checkable

from orchestrator_stub.vocabulary import ScheduleStatus
from puad.core import model
from puad.core.cron import parse_cron
from puad.core.windows import next_window, open_window

Window = tuple[int, int]
"""Start and end, Unix seconds; an end of 0 means that none is in sight."""

OS_UPDATE: Final = frozenset({ScheduleStatus.OS_UPDATE})
MAX_COUNT: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_LAST_S: Final = (datetime(9000, 12, 31, tzinfo=UTC) - _EPOCH) // _SECOND
_NEVER_S: Final = 1 << 62


class Single(Protocol):
    """One window; `end_s` 0 means open-ended."""

    @property
    def start_s(self) -> int:
        """When it opens."""

    @property
    def end_s(self) -> int:
        """When it closes."""


@runtime_checkable
class Repeated(Protocol):
    """A window that opens by cron fields in UTC, for `duration_s`."""

    @property
    def duration_s(self) -> int:
        """How long it stays open."""

    @property
    def cron_minutes(self) -> str:
        """Minutes of the hour."""

    @property
    def cron_hours(self) -> str:
        """Hours of the day."""

    @property
    def cron_day_month(self) -> str:
        """Days of the month."""

    @property
    def cron_month(self) -> str:
        """Months of the year."""

    @property
    def cron_day_week(self) -> str:
        """Days of the week; 0 is Sunday."""


class SingleOf(Single, Protocol):
    """A single schedule with what its window is for."""

    @property
    def schedule_status(self) -> ScheduleStatus:
        """What its window is for."""


class RepeatedOf(Repeated, Protocol):
    """A repeated schedule with what its windows are for."""

    @property
    def schedule_status(self) -> ScheduleStatus:
        """What its windows are for."""


class Windows(Protocol):
    """The schedules that apply to one host (`orchestrator_stub.schedules.inheritance`)."""

    @property
    def single(self) -> Sequence[SingleOf]:
        """Single schedules, of every status."""

    @property
    def repeated(self) -> Sequence[RepeatedOf]:
        """Repeated schedules, of every status."""


def single_schedule(schedule: Single) -> model.SingleSchedule:
    """A single schedule as the node gets it."""
    return model.SingleSchedule(schedule.start_s, schedule.end_s)


def repeated_schedule(schedule: Repeated) -> model.RepeatedSchedule:
    """A repeated schedule as the node gets it."""
    return model.RepeatedSchedule(
        duration_s=schedule.duration_s,
        cron_minutes=schedule.cron_minutes,
        cron_hours=schedule.cron_hours,
        cron_day_month=schedule.cron_day_month,
        cron_month=schedule.cron_month,
        cron_day_week=schedule.cron_day_week,
    )


def holds(schedule: Repeated, at_s: int) -> bool:
    """Whether a window of a repeated schedule holds a second, its last one counted (§3b).

    Raises:
        WireError: When cron fields are not what the wire allows.
    """
    firing_s = next_firing(schedule, max(at_s - schedule.duration_s, 0))
    return firing_s is not None and firing_s <= at_s


def next_firing(schedule: Repeated, from_s: int) -> int | None:
    """When a repeated schedule fires first from a time on; None when it does not for nine years.

    Raises:
        WireError: When cron fields are not what the wire allows.
    """
    firing = parse_cron(repeated_schedule(schedule)).next_firing(_moment(from_s))
    return None if firing is None else _seconds(firing)


def next_openings(schedule: Single | Repeated, from_s: int, count: int) -> list[Window]:
    """The first windows of one schedule that are not over, in order.

    Raises:
        WireError: When cron fields are not what the wire allows.
    """
    return next_of_all([schedule], from_s, count)


def next_of_all(schedules: Iterable[Single | Repeated], from_s: int, count: int) -> list[Window]:
    """The first windows that some schedules make together, in order.

    Raises:
        WireError: When cron fields are not what the wire allows.
    """
    return _Openings.of(schedules).first(from_s, count)


def next_windows(
    windows: Windows,
    from_s: int,
    count: int,
    statuses: Collection[ScheduleStatus] = OS_UPDATE,
) -> list[Window]:
    """The first windows that all schedules of these statuses make together, in order.

    Raises:
        WireError: When cron fields are not what the wire allows.
    """
    return _Openings.of(_chosen(windows, statuses)).first(from_s, count)


@dataclass(frozen=True, slots=True)
class _Openings:
    """Single schedules as spans `[start, end)`, and repeated ones for `puad.core.windows`."""

    spans: tuple[Window, ...]
    repeated: model.Schedules

    @staticmethod
    def of(schedules: Iterable[Single | Repeated]) -> _Openings:
        spans: list[Window] = []
        repeated: list[model.RepeatedSchedule] = []
        for schedule in schedules:
            if isinstance(schedule, Repeated):
                repeated.append(repeated_schedule(schedule))
            else:
                spans += _span_of(schedule)
        return _Openings(tuple(spans), model.Schedules(repeated=tuple(repeated)))

    def first(self, from_s: int, count: int) -> list[Window]:
        return list(islice(self.windows(from_s), min(count, MAX_COUNT)))

    def windows(self, from_s: int) -> Iterator[Window]:
        """One window after the other, as far as they are not over."""
        cursor_s = min(max(from_s, 0), _LAST_S)
        while (first := self._next(cursor_s)) is not None:
            start_s, end_s = self._grown(first)
            if end_s >= _NEVER_S:
                yield start_s, 0
                return
            yield start_s, end_s
            cursor_s = end_s

    def _next(self, cursor_s: int) -> Window | None:
        """The span or opening that starts first and is not over, not yet united with others."""
        found = [span for span in self.spans if span[1] > cursor_s]
        window = next_window(self.repeated, _moment(cursor_s))
        if window is not None:
            found.append(_span(window))
        return min(found, default=None)

    def _grown(self, window: Window) -> Window:
        """A window with everything that overlaps or adjoins it.

        Openings of the repeated schedules are united among themselves already, so that only the
        edges of spans need a look at what they touch.
        """
        start_s, end_s = window
        while True:
            grown = start_s, end_s
            for span in self.spans:
                if span[0] <= end_s and span[1] >= start_s:
                    start_s, end_s = min(start_s, span[0]), max(end_s, span[1])
            if any(span[0] == start_s for span in self.spans):
                start_s = min(start_s, self._repeated_at(start_s - 1)[0])
            if any(span[1] == end_s < _NEVER_S for span in self.spans):
                end_s = max(end_s, self._repeated_at(end_s)[1])
            if grown == (start_s, end_s):
                return grown

    def _repeated_at(self, at_s: int) -> Window:
        """What the repeated schedules have open at a time; when it is nothing, an empty span."""
        window = open_window(self.repeated, _moment(at_s))
        return (at_s + 1, at_s) if window is None else _span(window)


def _chosen(windows: Windows, statuses: Collection[ScheduleStatus]) -> Iterator[Single | Repeated]:
    yield from (each for each in windows.single if each.schedule_status in statuses)
    yield from (each for each in windows.repeated if each.schedule_status in statuses)


def _span_of(schedule: Single) -> list[Window]:
    """The one span of a single schedule; none when it never opens."""
    end_s = schedule.end_s or _NEVER_S
    valid = 0 <= schedule.start_s < min(end_s, _LAST_S)
    return [(schedule.start_s, min(end_s, _NEVER_S))] if valid else []


def _span(window: model.Window) -> Window:
    return _seconds(window.start), _seconds(window.end) if window.end else _NEVER_S


def _moment(at_s: int) -> datetime:
    return _EPOCH + min(max(at_s, 0), _LAST_S) * _SECOND


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _SECOND

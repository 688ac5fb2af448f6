# SPDX-License-Identifier: Apache-2.0
"""When the clocks of a zone are changed, and what they show around it, by asking zoneinfo.

Nothing here is of the code under test.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DAY_S = 86_400


@dataclass(frozen=True)
class Change:
    """One change of a zone's clocks: the first second with the new offset from UTC."""

    zone: str
    at_s: int
    before: timedelta
    after: timedelta

    @property
    def wall(self) -> datetime:
        """What the clock would show then if it were not changed."""
        return datetime.fromtimestamp(self.at_s, UTC).replace(tzinfo=None) + self.before

    @property
    def forward(self) -> bool:
        return self.after > self.before


def offset(zone: str, at_s: int) -> timedelta:
    found = datetime.fromtimestamp(at_s, ZoneInfo(zone)).utcoffset()
    assert found is not None
    return found


@functools.cache
def changes(zone: str, first_year: int, last_year: int) -> tuple[Change, ...]:
    """The changes from the beginning of one year to the end of another, at most one a day."""
    first_s = int(datetime(first_year, 1, 1, tzinfo=UTC).timestamp())
    last_s = int(datetime(last_year + 1, 1, 1, tzinfo=UTC).timestamp())
    found = []
    before = offset(zone, first_s)
    for day_s in range(first_s, last_s, DAY_S):
        after = offset(zone, day_s + DAY_S)
        if after != before:
            found.append(Change(zone, _first(zone, day_s, before), before, after))
        before = after
    return tuple(found)


def _first(zone: str, day_s: int, before: timedelta) -> int:
    """The minute of a day from which on the offset is another; no clock changes within one."""
    minutes = range(day_s, day_s + DAY_S + 60, 60)
    return minutes[bisect_left(minutes, True, key=lambda at_s: offset(zone, at_s) != before)]


def shown(zone: str, minutes: range) -> dict[datetime, list[int]]:
    """When the wall clock shows a time, Unix seconds, by looking at it again and again."""
    where = ZoneInfo(zone)
    found: defaultdict[datetime, list[int]] = defaultdict(list)
    for at_s in minutes:
        found[datetime.fromtimestamp(at_s, where).replace(tzinfo=None)].append(at_s)
    return found

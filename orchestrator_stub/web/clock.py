# SPDX-License-Identifier: Apache-2.0
"""Times as an operator reads them: how long ago, and the clock of the operator's time zone.

Records and wire have Unix seconds in UTC; a time zone exists here and nowhere below.
"""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from puad.core.wire import MAX_TIME_S

UTC_NAME: Final = "UTC"
DASH: Final = "\N{EN DASH}"
JOINED: Final = "\N{NO-BREAK SPACE}"
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, for people and for machines."""

    ago: str
    clock: str
    iso: str


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of one request, and the zone of who asks."""

    now_s: int
    zone: zoneinfo.ZoneInfo

    @property
    def zone_name(self) -> str:
        """The zone's name, such as `Europe/Berlin`."""
        return str(self.zone.key)

    @property
    def now(self) -> datetime:
        """The time of the request on the operator's clock."""
        return self.local(self.now_s)

    def local(self, time_s: int) -> datetime:
        """A time on the operator's clock."""
        return local(time_s, self.zone)

    def moment(self, time_s: int | None) -> Moment | None:
        """A time in words; None when there is none."""
        if not time_s:
            return None
        at = self.local(time_s)
        return Moment(
            ago=distance(time_s - self.now_s),
            clock=f"{at:%Y-%m-%d %H:%M}{JOINED}{at:%Z}",
            iso=f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        )

    def opening(self, start_s: int, end_s: int) -> tuple[str, str]:
        """A maintenance window, its day and its hours; without an end when that is 0.

        Each of the two parts stays in one line.
        """
        start = self.local(start_s)
        if not end_s:
            return f"{start:%a %-d %b %Y},", f"{start:%H:%M} {start:%Z}, open-ended"
        end = self.local(end_s)
        if end.date() == start.date() or end_s - start_s < _DAY_S:
            return f"{start:%a %-d %b %Y},", f"{start:%H:%M}{DASH}{end:%H:%M} {end:%Z}"
        return f"{start:%a %-d %b %Y, %H:%M} {DASH}", f"{end:%a %-d %b %Y, %H:%M} {end:%Z}"


def local(time_s: int, zone: zoneinfo.ZoneInfo) -> datetime:
    """A Unix time on the clock of a zone; absurd times are shown at the bound."""
    return (_EPOCH + timedelta(seconds=min(max(time_s, 0), MAX_TIME_S))).astimezone(zone)


def distance(seconds: int) -> str:
    """How far a time is from now, in the largest unit that fits twice, or else minutes."""
    if abs(seconds) < _MINUTE_S:
        return "just now" if seconds <= 0 else "in under a minute"
    text = _rough(abs(seconds))
    return f"in {text}" if seconds > 0 else f"{text} ago"


def _rough(seconds: int) -> str:
    for unit, length_s in (("days", _DAY_S), ("h", _HOUR_S)):
        if seconds >= 2 * length_s:
            return f"{seconds // length_s}{JOINED}{unit}"
    return f"{seconds // _MINUTE_S}{JOINED}min"


def span(seconds: int) -> str:
    """A length of time, in at most two units."""
    if seconds < _MINUTE_S:
        return f"{max(seconds, 0)}{JOINED}s"
    parts = []
    for unit, length_s in (("d", _DAY_S), ("h", _HOUR_S), ("min", _MINUTE_S)):
        count, seconds = divmod(seconds, length_s)
        if count:
            parts.append(f"{count}{JOINED}{unit}")
    return " ".join(parts[:2])


def changes(where: zoneinfo.ZoneInfo, now_s: int) -> bool:
    """Whether the clocks of a zone are changed within the year to come."""
    weeks = range(now_s, now_s + 366 * _DAY_S, 7 * _DAY_S)
    return len({local(time_s, where).utcoffset() for time_s in weeks}) > 1


def zone(name: str) -> zoneinfo.ZoneInfo:
    """A time zone by its name; UTC when the machine does not know that one."""
    return zoneinfo.ZoneInfo(name if name in zone_names() else UTC_NAME)


@cache
def zone_names() -> tuple[str, ...]:
    """The names an operator may choose from: UTC, and the zones of places."""
    places = sorted(
        name
        for name in zoneinfo.available_timezones()
        if "/" in name and not name.startswith(("Etc/", "SystemV/", "US/", "posix/", "right/"))
    )
    return (UTC_NAME, *places)

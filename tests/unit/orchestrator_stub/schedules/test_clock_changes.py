# SPDX-License-Identifier: Apache-2.0
"""Local times around every change of the clocks, in both hemispheres, minute by minute."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.schedules.local import at, instant, instants, occurrences
from orchestrator_stub.schedules.local_repeat import LocalRepeat, to_utc
from tests.unit.orchestrator_stub.schedules.clock_changes import Change, changes, offset, shown
from tests.unit.orchestrator_stub.schedules.how_many import many

WISHES = many(2_000)
DAY_S = 86_400
MINUTE = timedelta(minutes=1)
# years that are over: no law changes their clocks any more
YEARS = (2024, 2025)
# the ways clocks are changed: by an hour in either hemisphere, at midnight, by half an hour, by two
NORTH = ("Europe/Berlin", "Europe/Dublin", "America/New_York", "America/St_Johns", "Africa/Cairo")
SOUTH = ("Australia/Sydney", "Pacific/Auckland", "Pacific/Chatham", "America/Santiago")
ODD = ("Australia/Lord_Howe", "Antarctica/Troll", "Asia/Beirut", "America/Havana", "Asia/Jerusalem")
ZONES = (*NORTH, *SOUTH, *ODD)
# a day that was skipped, and zones that moved
PAST = (("Pacific/Apia", 2011), ("America/Caracas", 2016), ("Asia/Pyongyang", 2018))


def every_change() -> list[Change]:
    """One for each way in which the clocks of any zone were changed within two years."""
    found: dict[tuple[object, ...], Change] = {}
    for zone in sorted(zoneinfo.available_timezones()):
        for change in changes(zone, *YEARS):
            found.setdefault((change.at_s, change.before, change.after), change)
    for zone, year in PAST:
        (*_, change) = changes(zone, year, year)
        found[zone, year] = change
    return list(found.values())


def test_both_hemispheres_change_their_clocks_in_these_years() -> None:
    """What the other tests stand on: south of the equator summer begins in our autumn."""
    for zone in ZONES:
        assert len(changes(zone, *YEARS)) == 4, zone
    for zones, forward_months in ((NORTH, {3, 4}), (SOUTH, {9, 10})):
        for zone in zones:
            found = {change.wall.month for change in changes(zone, *YEARS) if change.forward}
            assert found <= forward_months, zone


def test_wall_clock_shows_what_zoneinfo_shows_at_every_change() -> None:
    """Each minute from some hours before a change to some hours after: never, once or twice."""
    never = twice = 0
    for change in every_change():
        by = abs(change.after - change.before)
        reach = by + timedelta(hours=2)
        # every place of the wall clock that is asked for, and a day more on either side
        look_s = int(reach.total_seconds()) + DAY_S
        by_wall = shown(change.zone, range(change.at_s - look_s, change.at_s + look_s, 60))
        for minutes in range(-(reach // MINUTE), reach // MINUTE):
            wall = change.wall + minutes * MINUTE
            seen = by_wall.get(wall, [])
            assert list(instants(wall, ZoneInfo(change.zone))) == seen, (change, wall)
            never += not seen
            twice += len(seen) == 2
    assert never > 1000
    assert twice > 1000


@pytest.mark.parametrize("zone", ZONES)
def test_time_that_never_comes_is_refused_with_the_next_that_does(zone: str) -> None:
    for change in changes(zone, *YEARS):
        if not change.forward:
            continue
        back = change.wall + (change.after - change.before)
        with pytest.raises(OrchestratorError) as caught:
            instant(change.wall + MINUTE, ZoneInfo(zone))
        same_day = change.wall.date() == back.date()
        words = f"{back:%H:%M}" if same_day else f"{back:%Y-%m-%d %H:%M}"
        assert caught.value.hint == f"Choose {words} or later."
        assert instant(back, ZoneInfo(zone)) == change.at_s


def wish(random: Random, change: Change) -> LocalRepeat:
    """A window that opens each day, or on some days of the week, near the hour of the change."""
    clock = (change.wall + random.randint(-200, 200) * MINUTE).time()
    weekdays = frozenset(random.sample(range(7), random.choice((0, 0, 1, 3))))
    return LocalRepeat(change.zone, clock, 600, weekdays)


def first_opening(wanted: LocalRepeat, by_wall: dict[datetime, list[int]], now_s: int) -> int:
    """The first time from now on at which the wall clock shows what is wanted."""
    local = datetime.fromtimestamp(now_s, ZoneInfo(wanted.zone)).date()
    for number in range(-1, 12):
        wall = datetime.combine(local + timedelta(days=number), wanted.clock)
        if not wanted.weekdays or int(wall.strftime("%w")) in wanted.weekdays:
            for at_s in by_wall.get(wall, []):
                if at_s >= now_s:
                    return at_s
    raise AssertionError(wanted)


def check_drift(wanted: LocalRepeat, now_s: int, first_s: int) -> set[timedelta]:
    """Openings follow UTC: they drift as the clocks are changed, and in no other way."""
    zone, used = ZoneInfo(wanted.zone), offset(wanted.zone, first_s)
    (schedule,) = to_utc(wanted, now_s)
    clock = (int(schedule.cron_hours), int(schedule.cron_minutes))
    assert clock == divmod(first_s % DAY_S // 60, 60), (wanted, now_s)
    openings = occurrences([schedule], zone, now_s, 6, asked=wanted.clock)
    assert first_s in {one.start_s for one in openings}, (wanted, now_s)
    for one in openings:
        assert one.opens == datetime.fromtimestamp(one.start_s, zone) == at(one.start_s, zone)
        assert one.start_s % DAY_S == first_s % DAY_S
        assert one.drift == offset(wanted.zone, one.start_s) - used, (wanted, one)
    return {one.drift for one in openings}


def test_windows_near_a_change_follow_utc_and_say_how_far_they_drift() -> None:
    random = Random(20_261_202)
    near = [change for zone in ZONES for change in changes(zone, *YEARS)]
    drifts: set[timedelta] = set()
    for number, change in enumerate(near):
        by_wall = shown(change.zone, range(change.at_s - 4 * DAY_S, change.at_s + 9 * DAY_S, 60))
        for _ in range(number, WISHES, len(near)):
            wanted = wish(random, change)
            now_s = change.at_s + random.randint(-3 * DAY_S, DAY_S)
            drifts |= check_drift(wanted, now_s, first_opening(wanted, by_wall, now_s))
    assert {timedelta(hours=hours) for hours in (-2, -1, 0, 1, 2)} <= drifts
    assert timedelta(minutes=30) in drifts

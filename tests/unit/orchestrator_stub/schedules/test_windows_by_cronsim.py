# SPDX-License-Identifier: Apache-2.0
"""Firings and windows of random schedules against cronsim, over a century and its leap days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random

from cronsim import CronSim, CronSimError

from orchestrator_stub.schedules.windows import Window, next_openings
from puad.core.cron import parse_cron
from puad.core.model import RepeatedSchedule
from tests.unit.orchestrator_stub.schedules.how_many import many
from tests.unit.orchestrator_stub.schedules.random_schedules import rare, repeated, text

FIRINGS = many(10_000)
WINDOWS = many(2_000)
FIRST_S = int(datetime(1999, 1, 1, tzinfo=UTC).timestamp())
LAST_S = int(datetime(2110, 1, 1, tzinfo=UTC).timestamp())
DAY_S = 86_400
SECOND = timedelta(seconds=1)
# rule 4 of `puad.core.windows`, in days from the midnight before a moment
PAST, FUTURE = -8, 9


def firings(schedule: RepeatedSchedule, moment: datetime) -> Iterator[datetime]:
    """Those at or after a moment; none when no month has such a day."""
    try:
        # cronsim looks after a moment, not at it
        yield from CronSim(text(schedule), moment - SECOND)
    except CronSimError:
        return


def test_firings_are_those_of_cronsim() -> None:
    """Over years: leap days, ends of months, either day field."""
    random = Random(20_261_130)
    never = 0
    for number in range(FIRINGS):
        schedule = repeated(random) if number % 10 else rare(random)
        cron = parse_cron(schedule)
        moment = datetime.fromtimestamp(random.randint(FIRST_S, LAST_S), UTC)
        found: list[datetime] = []
        firing = cron.next_firing(moment)
        while firing is not None and len(found) < 3:
            found.append(firing)
            firing = cron.next_firing(firing + SECOND)
        assert found == list(islice(firings(schedule, moment), 3)), (schedule, moment)
        never += not found
    assert FIRINGS / 100 < never < FIRINGS / 10


def united(schedule: RepeatedSchedule, now_s: int) -> Iterator[Window]:
    """Windows by the firings of cronsim, as far back and on as any is looked at."""
    day_s = now_s - now_s % DAY_S
    start_s = end_s = 0
    for firing in firings(schedule, datetime.fromtimestamp(day_s + (PAST - 1) * DAY_S, UTC)):
        at_s = int(firing.timestamp())
        if at_s > end_s:
            if end_s:
                yield start_s, end_s
            start_s = at_s
        end_s = at_s + schedule.duration_s
        if end_s > max(start_s, now_s) + FUTURE * DAY_S:
            break
    if end_s:
        yield start_s, end_s


def expected(schedule: RepeatedSchedule, now_s: int) -> list[Window]:
    """The window that is open or comes next and the one after it, without an end out of sight."""
    found: list[Window] = []
    for start_s, end_s in united(schedule, now_s):
        if end_s <= now_s:
            continue
        seen_s = max(start_s, now_s)
        midnight_s = seen_s - seen_s % DAY_S
        first_s = max(start_s, midnight_s + PAST * DAY_S)
        if end_s >= midnight_s + FUTURE * DAY_S:
            return [*found, (first_s, 0)]
        found.append((first_s, end_s))
        if len(found) == 2:
            break
    return found


def test_windows_are_those_of_cronsim() -> None:
    random = Random(20_261_201)
    open_now = endless = 0
    for _ in range(WINDOWS):
        schedule = repeated(random)
        now_s = random.randint(FIRST_S, LAST_S)
        windows = expected(schedule, now_s)
        assert next_openings(schedule, now_s, 2) == windows, (schedule, now_s)
        open_now += bool(windows) and windows[0][0] <= now_s
        endless += bool(windows) and windows[-1][1] == 0
    assert WINDOWS / 20 < open_now < WINDOWS
    assert WINDOWS / 1000 < endless < WINDOWS / 4

# SPDX-License-Identifier: Apache-2.0
"""Windows of random schedules against a calendar made minute by minute."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from random import Random

import pytest

from orchestrator_stub.schedules.windows import Window, next_openings, next_windows
from orchestrator_stub.vocabulary import ScheduleStatus
from puad.core.errors import WireError
from puad.core.model import RepeatedSchedule, SingleSchedule
from tests.unit.orchestrator_stub.schedules.brute_force import Stretch, merged, stretch
from tests.unit.orchestrator_stub.schedules.how_many import many
from tests.unit.orchestrator_stub.schedules.random_schedules import repeated

ALONE = many(5_000)
TOGETHER = many(2_000)
DAY_S = 86_400
# rule 4 of `puad.core.windows`
LOOK_S = 8 * DAY_S
DAYS = 17
# ends of months, of leap and common Februaries, of years, and a week in the middle of nothing
FIRST_DAYS = (
    (2026, 2, 20),
    (2028, 2, 20),
    (2100, 2, 20),
    (2000, 2, 21),
    (2026, 4, 22),
    (2027, 7, 23),
    (2027, 12, 22),
    (2028, 12, 23),
    (2026, 6, 3),
    (1970, 1, 1),
)


OS_UPDATE = ScheduleStatus.OS_UPDATE
STATUSES = (OS_UPDATE, OS_UPDATE, ScheduleStatus.MAINTENANCE)


@dataclass(frozen=True)
class SingleRow(SingleSchedule):
    """A single schedule as it is recorded."""

    schedule_status: ScheduleStatus = OS_UPDATE


@dataclass(frozen=True)
class RepeatedRow(RepeatedSchedule):
    """A repeated schedule as it is recorded."""

    schedule_status: ScheduleStatus = OS_UPDATE


@dataclass(frozen=True)
class Rows:
    """What applies to one host."""

    single: tuple[SingleRow, ...]
    repeated: tuple[RepeatedRow, ...]


@pytest.fixture(scope="module")
def stretches() -> list[Stretch]:
    return [stretch(datetime(*day), DAYS) for day in FIRST_DAYS]  # noqa: DTZ001 - it is UTC there


def openings(days: Stretch, schedule: RepeatedSchedule) -> list[tuple[int, int]]:
    return [(at_s, at_s + schedule.duration_s) for at_s in days.firings(schedule)]


def out_of_sight(window: Window, runs: list[Window], from_s: int) -> bool:
    """Whether repeated schedules alone hold a window open for longer than anybody looks."""
    return any(
        window[0] <= start_s and end_s <= window[1] and end_s - max(start_s, from_s) > LOOK_S
        for start_s, end_s in runs
    )


def check(
    days: Stretch, spans: list[Window], runs: list[Window], found: list[Window], from_s: int
) -> None:
    """Exact where the stretch shows all of a window; at its edges as far as it shows it.

    Args:
        days: What the calendar shows.
        spans: Openings of single schedules.
        runs: Windows that repeated schedules make alone.
        found: What is checked.
        from_s: When it was asked for, Unix seconds.
    """
    left = [window for window in merged(spans + runs) if window[1] > from_s]
    for window, (start_s, end_s) in zip(found, left, strict=False):
        assert days.first_s + DAY_S > start_s or window[0] == start_s
        if end_s > days.last_s - DAY_S:
            return
        if not window[1]:
            assert out_of_sight((start_s, end_s), runs, from_s)
            assert window == found[-1]
            return
        assert window[1] == end_s
    if len(found) > len(left):
        assert found[len(left)][0] >= days.last_s
    elif not found:
        assert left == []


def check_open(
    days: Stretch, expected: list[tuple[int, int]], rows: Rows, random: Random, from_s: int
) -> None:
    left = next((window for window in expected if window[1] > from_s), (from_s, from_s + 1))
    for at_s in (*left, left[random.randint(0, 1)] - 1, from_s):
        if days.first_s + DAY_S <= at_s < days.last_s:
            wanted = any(start_s <= at_s < end_s for start_s, end_s in expected)
            assert is_open(rows, at_s) is wanted, (rows, at_s)


def is_open(rows: Rows, at_s: int) -> bool:
    """Whether a window is open: the next one that is not over has begun."""
    found = next_windows(rows, at_s, 1)
    return bool(found) and found[0][0] <= at_s


def row(schedule: RepeatedSchedule, status: ScheduleStatus = OS_UPDATE) -> RepeatedRow:
    return RepeatedRow(**asdict(schedule), schedule_status=status)


def single(random: Random, days: Stretch) -> SingleRow:
    start_s = random.randint(days.first_s, days.last_s)
    length_s = random.choice((0, 1, 59, 3600, 3600, DAY_S, 5 * DAY_S))
    return SingleRow(start_s, start_s + length_s if length_s else 0, random.choice(STATUSES))


def test_windows_of_one_schedule_are_those_of_the_slow_calendar(stretches: list[Stretch]) -> None:
    random = Random(20_261_128)
    for number in range(ALONE):
        days = stretches[number % len(stretches)]
        schedule = repeated(random)
        from_s = days.first_s + random.randint(4 * DAY_S, 9 * DAY_S)
        expected = merged(openings(days, schedule))
        check(days, [], expected, next_openings(schedule, from_s, 2), from_s)
        check_open(days, expected, Rows((), (row(schedule),)), random, from_s)


def test_windows_of_many_schedules_are_united_as_in_the_slow_calendar(
    stretches: list[Stretch],
) -> None:
    """Single and repeated ones; those for something else than OS updates do not count."""
    random = Random(20_261_129)
    for number in range(TOGETHER):
        days = stretches[number % len(stretches)]
        rows = Rows(
            tuple(single(random, days) for _ in range(random.randint(0, 3))),
            tuple(row(repeated(random), random.choice(STATUSES)) for _ in range(3)),
        )
        spans = [
            (each.start_s, each.end_s or 2 * days.last_s)
            for each in rows.single
            if each.schedule_status is OS_UPDATE
        ]
        counted = [each for each in rows.repeated if each.schedule_status is OS_UPDATE]
        runs = merged(one for each in counted for one in openings(days, each))
        from_s = days.first_s + random.randint(4 * DAY_S, 9 * DAY_S)
        check(days, spans, runs, next_windows(rows, from_s, 3), from_s)
        check_open(days, merged(spans + runs), rows, random, from_s)


@pytest.mark.parametrize(
    ("fields", "day", "fires"),
    [
        # either day field is enough when both are restricted, the other decides when one is *
        ("0 3 13 * 5", "2026-11-13", True),
        ("0 3 13 * 5", "2026-11-20", True),
        ("0 3 13 * 5", "2026-12-13", True),
        ("0 3 13 * 5", "2026-12-14", False),
        ("0 3 13 * *", "2026-11-20", False),
        ("0 3 * * 5", "2026-12-13", False),
        # a leap day comes in leap years, and no leap year is 2100
        ("0 3 29 2 *", "2028-02-29", True),
        ("0 3 29 2 *", "2027-03-01", False),
        ("0 3 29 2 *", "2100-03-01", False),
        # the last day of a month is not the last day of each
        ("0 3 31 * *", "2026-12-31", True),
        ("0 3 31 * *", "2026-11-30", False),
        ("0 3 31 * *", "2026-12-01", False),
        ("0 3 30,31 2 *", "2028-02-29", False),
    ],
)
def test_day_of_a_schedule_is_as_the_calendar_has_it(fields: str, day: str, fires: bool) -> None:
    opens_s = int(datetime.fromisoformat(f"{day}T03:00+00:00").timestamp())
    schedule = RepeatedSchedule(600, *fields.split())
    assert next_openings(schedule, opens_s, 1)[:1] == [(opens_s, opens_s + 600)] or not fires
    rows = Rows((), (row(schedule),))
    assert is_open(rows, opens_s) is fires
    assert is_open(rows, opens_s + 599) is fires
    assert not is_open(rows, opens_s - 1)
    assert not is_open(rows, opens_s + 600)


def test_long_single_window_over_many_openings_is_found_at_once() -> None:
    """Ten years with an opening each hour are one window, not a hundred thousand steps."""
    start_s = 1_800_000_000
    rows = Rows(
        (SingleRow(start_s, start_s + 3650 * DAY_S),),
        (row(RepeatedSchedule(60, "0", "*", "*", "*", "*")),),
    )
    (window, after) = next_windows(rows, start_s + 5, 2)
    assert window == (start_s, start_s + 3650 * DAY_S + 60)
    assert after[0] > window[1]


def test_end_of_a_long_window_shows_when_it_comes_nearer() -> None:
    """Of a window of ten days the end is in sight from the third day on."""
    opens_s = int(datetime.fromisoformat("2026-06-01T00:00+00:00").timestamp())
    long = RepeatedSchedule(DAY_S, "0", "0", ",".join(map(str, range(1, 11))), "6", "*")
    for asked_s in (opens_s - DAY_S, opens_s, opens_s + 2 * DAY_S - 1):
        assert next_openings(long, asked_s, 2) == [(opens_s, 0)]
    (window, _) = next_openings(long, opens_s + 2 * DAY_S, 2)
    assert window == (opens_s, opens_s + 10 * DAY_S)


def test_window_without_end_is_the_last() -> None:
    rows = Rows(
        (SingleRow(1_800_000_000, 0),), (row(RepeatedSchedule(60, "0", "*", "*", "*", "*")),)
    )
    assert next_windows(rows, 1_800_000_000 - 100, 5)[-1] == (1_800_000_000, 0)
    assert is_open(rows, 8_000_000_000)


@pytest.mark.parametrize(
    "never",
    [
        SingleRow(1_800_000_000, 1_800_000_000),
        SingleRow(1_800_000_000, 1_700_000_000),
        SingleRow(10**15, 0),
        RepeatedSchedule(0, "0", "3", "*", "*", "*"),
        RepeatedSchedule(60, "0", "3", "31", "2,4", "*"),
    ],
)
def test_schedule_that_never_opens_has_no_window(never: SingleRow | RepeatedSchedule) -> None:
    assert next_openings(never, 1_700_000_000, 5) == []


def test_cron_fields_that_the_wire_does_not_allow_are_refused() -> None:
    with pytest.raises(WireError):
        next_openings(RepeatedSchedule(60, "*/5", "3", "*", "*", "*"), 0, 1)

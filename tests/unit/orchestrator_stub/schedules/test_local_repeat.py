# SPDX-License-Identifier: Apache-2.0
"""Repeated windows by the wall clock, and the cron fields that say the same."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.schedules.local import occurrences
from orchestrator_stub.schedules.local_repeat import LocalRepeat, to_local, to_utc
from puad.core.errors import WireError
from puad.core.model import RepeatedSchedule
from tests.unit.orchestrator_stub.schedules.random_schedules import text

WINTER = int(datetime(2026, 1, 15, tzinfo=UTC).timestamp())
SUMMER = int(datetime(2026, 7, 15, tzinfo=UTC).timestamp())
LONG_MONTHS = "1,3,5,7,8,10,12"


def repeat(
    clock: str,
    zone: str = "Europe/Berlin",
    *,
    weekdays: str = "",
    days: str = "",
    months: str = "",
    duration_s: int = 3600,
) -> LocalRepeat:
    sets = (frozenset(map(int, words.split())) for words in (weekdays, days, months))
    return LocalRepeat(zone, time.fromisoformat(clock), duration_s, *sets)


@pytest.mark.parametrize(
    ("wanted", "now_s", "lines"),
    [
        # every day, in winter and in summer
        (repeat("02:30"), WINTER, ["30 1 * * *"]),
        (repeat("02:30"), SUMMER, ["30 0 * * *"]),
        (repeat("00:30"), SUMMER, ["30 22 * * *"]),
        (repeat("00:15", "Asia/Kathmandu"), WINTER, ["30 18 * * *"]),
        (repeat("00:15", "Pacific/Chatham"), WINTER, ["30 10 * * *"]),
        # a weekday that is another one in UTC: Monday is Sunday, Friday is Saturday
        (repeat("02:30", weekdays="1"), WINTER, ["30 1 * * 1"]),
        (repeat("00:30", weekdays="1"), WINTER, ["30 23 * * 0"]),
        (repeat("00:30", weekdays="0 6"), WINTER, ["30 23 * * 5,6"]),
        (repeat("20:00", "America/Los_Angeles", weekdays="5"), WINTER, ["0 4 * * 6"]),
        (repeat("20:00", "America/Los_Angeles", weekdays="6"), WINTER, ["0 4 * * 0"]),
        (repeat("02:30", weekdays="1", months="6 7"), SUMMER, ["30 0 * 6,7 1"]),
        # a day of the month that stays, moves, and crosses into other months
        (repeat("02:30", days="1 15"), WINTER, ["30 1 1,15 * *"]),
        (repeat("00:30", days="15"), WINTER, ["30 23 14 * *"]),
        (repeat("20:00", "America/Los_Angeles", days="15"), WINTER, ["0 4 16 * *"]),
        (repeat("00:30", days="31"), WINTER, [f"30 23 30 {LONG_MONTHS} *"]),
        (repeat("00:30", days="1", months="1"), WINTER, ["30 23 31 12 *"]),
        (
            repeat("00:30", days="1 2", months="1 2"),
            WINTER,
            ["30 23 1,31 1,2 *", "30 23 31 12 *"],
        ),
        (repeat("20:00", "America/Los_Angeles", days="31"), WINTER, ["0 4 1 1,2,4,6,8,9,11 *"]),
        (repeat("20:00", "America/Los_Angeles", days="31", months="12"), WINTER, ["0 4 1 1 *"]),
        # every day of one month: the edge lies in the month before
        (
            repeat("00:30", months="6"),
            WINTER,
            [f"30 22 {','.join(map(str, range(1, 30)))} 6 *", "30 22 31 5 *"],
        ),
        # two days that neither alone could be said
        (
            repeat("00:30", days="1 29", months="2 3"),
            WINTER,
            ["30 23 28,29 2 *", "30 23 31 1 *", "30 23 28 3 *"],
        ),
        # a leap day that stays one
        (repeat("02:30", days="29", months="2"), WINTER, ["30 1 29 2 *"]),
    ],
)
def test_wall_clock_is_said_in_utc(wanted: LocalRepeat, now_s: int, lines: list[str]) -> None:
    found = to_utc(wanted, now_s)
    assert sorted(map(text, found)) == sorted(lines)
    assert {schedule.duration_s for schedule in found} == {3600}


@pytest.mark.parametrize(
    ("wanted", "words", "hint"),
    [
        (
            repeat("00:30", weekdays="1", months="6"),
            "no schedule has the days of the week of some months a day off",
            "Take every month, or open it at 02:00 or later.",
        ),
        (repeat("00:30", days="1"), "1 March cannot be said", "open it at 01:00 or later."),
        (repeat("00:30", days="29"), "29 February cannot be said", "Leave it out"),
        (repeat("00:30", days="1 30"), "1 March cannot be said", "Leave it out"),
        (
            repeat("20:00", "America/Los_Angeles", days="28"),
            "28 February cannot be said",
            "before 16:00.",
        ),
        (repeat("02:30", days="30 31", months="2"), "no month has such a day", "Choose other"),
        (repeat("02:30", days="3", weekdays="1"), "not by both", "Make one schedule for each."),
        (repeat("02:30", days="0"), "there is no day of the month 0", ""),
        (repeat("02:30", days="32"), "there is no day of the month 32", ""),
        (repeat("02:30", weekdays="7"), "there is no day of the week 7", ""),
        (repeat("02:30", months="13"), "there is no month 13", ""),
        (repeat("02:30:01"), "at a whole minute", ""),
        (repeat("02:30", duration_s=0), "one second to 24 hours", ""),
        (repeat("02:30", duration_s=86_401), "one second to 24 hours", ""),
        (repeat("02:30", "Europe/Nowhere"), "no time zone of that name", ""),
    ],
)
def test_what_cannot_be_said_is_refused_with_what_to_do(
    wanted: LocalRepeat, words: str, hint: str
) -> None:
    with pytest.raises(OrchestratorError) as caught:
        to_utc(wanted, WINTER)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert words in caught.value.what
    assert hint in caught.value.hint


def test_every_day_of_the_month_is_said_though_the_last_of_february_could_not_be() -> None:
    every = " ".join(map(str, range(1, 32)))
    (found,) = to_utc(repeat("00:30", days=every), WINTER)
    assert text(found) == "30 23 * * *"


def test_first_opening_that_never_comes_does_not_count() -> None:
    """Sunday 29 March 2026 has no 02:30 in Berlin: the offset is that of the Sunday after."""
    eve_s = int(datetime(2026, 3, 28, 12, tzinfo=UTC).timestamp())
    (found,) = to_utc(repeat("02:30", weekdays="0"), eve_s)
    assert text(found) == "30 0 * * 0"
    shown = occurrences([found], ZoneInfo("Europe/Berlin"), eve_s, 2, asked=time(2, 30))
    assert [f"{one.opens:%m-%d %H:%M %z}" for one in shown] == [
        "03-29 01:30 +0100",
        "04-05 02:30 +0200",
    ]
    assert [one.drift for one in shown] == [timedelta(hours=-1), timedelta(0)]


def test_first_opening_that_comes_twice_is_the_first_that_is_not_over() -> None:
    for hour, line in ((0, "30 0 * * 0"), (1, "30 1 * * 0")):
        now_s = int(datetime(2026, 10, 25, hour, tzinfo=UTC).timestamp())
        assert [text(each) for each in to_utc(repeat("02:30", weekdays="0"), now_s)] == [line]


@pytest.mark.parametrize(
    ("line", "zone", "wanted"),
    [
        ("30 1 * * *", "Europe/Berlin", repeat("02:30")),
        ("30 23 * * 0", "Europe/Berlin", repeat("00:30", weekdays="1")),
        ("30 23 14 * *", "Europe/Berlin", repeat("00:30", days="15")),
        ("30 23 31 12 *", "Europe/Berlin", repeat("00:30", days="1", months="1")),
        (
            "0 4 1 1 *",
            "America/Los_Angeles",
            repeat("20:00", "America/Los_Angeles", days="31", months="12"),
        ),
        ("30 1 * 6 1", "Europe/Berlin", repeat("03:30", weekdays="1", months="6")),
        ("30 23 * 6 1", "Europe/Berlin", None),
        ("0,30 1 * * *", "Europe/Berlin", None),
        ("* 1 * * *", "Europe/Berlin", None),
        ("0 1,2 * * *", "Europe/Berlin", None),
        ("0 * * * *", "Europe/Berlin", None),
        ("0 1 13 * 5", "Europe/Berlin", None),
        ("0 1 31 2 *", "Europe/Berlin", None),
        ("30 23 28 2 *", "Europe/Berlin", None),
        ("30 23 1,28 1,3 *", "Europe/Berlin", repeat("00:30", days="2 29", months="1 3")),
        ("30 23 31 1,3 *", "Europe/Berlin", repeat("00:30", days="1", months="2 4")),
        ("30 23 30,31 1,3 *", "Europe/Berlin", None),
    ],
)
def test_schedule_in_utc_is_said_by_the_wall_clock_or_not_at_all(
    line: str, zone: str, wanted: LocalRepeat | None
) -> None:
    schedule = RepeatedSchedule(3600, *line.split())
    assert to_local(schedule, ZoneInfo(zone), WINTER) == wanted


def test_schedule_that_the_wire_does_not_allow_has_no_wall_clock() -> None:
    with pytest.raises(WireError):
        to_local(RepeatedSchedule(60, "61", "1", "*", "*", "*"), ZoneInfo("UTC"), WINTER)

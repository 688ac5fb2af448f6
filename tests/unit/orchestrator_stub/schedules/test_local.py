# SPDX-License-Identifier: Apache-2.0
"""The clock on the wall and the instants that it shows, also when clocks are changed."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.schedules.local import (
    at,
    find_zone,
    instant,
    instants,
    occurrences,
    zone_names,
)
from puad.core.model import RepeatedSchedule, SingleSchedule

BERLIN = ZoneInfo("Europe/Berlin")


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("wall", "zone", "shown"),
    [
        ("2026-06-01T02:30", "UTC", ["2026-06-01T02:30+00:00"]),
        ("2026-06-01T02:30", "Europe/Berlin", ["2026-06-01T02:30+02:00"]),
        ("2026-12-31T23:59:59", "Europe/Berlin", ["2026-12-31T23:59:59+01:00"]),
        # put forward: never
        ("2026-03-29T01:59:59", "Europe/Berlin", ["2026-03-29T01:59:59+01:00"]),
        ("2026-03-29T02:00", "Europe/Berlin", []),
        ("2026-03-29T02:59:59", "Europe/Berlin", []),
        ("2026-03-29T03:00", "Europe/Berlin", ["2026-03-29T03:00+02:00"]),
        ("2026-03-08T02:15", "America/New_York", []),
        # by half an hour, and by a whole day
        ("2026-10-04T02:15", "Australia/Lord_Howe", []),
        ("2026-10-04T02:30", "Australia/Lord_Howe", ["2026-10-04T02:30+11:00"]),
        ("2011-12-30T12:00", "Pacific/Apia", []),
        # put back: twice
        ("2026-10-25T01:59:59", "Europe/Berlin", ["2026-10-25T01:59:59+02:00"]),
        (
            "2026-10-25T02:00",
            "Europe/Berlin",
            ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"],
        ),
        (
            "2026-10-25T02:59:59",
            "Europe/Berlin",
            ["2026-10-25T02:59:59+02:00", "2026-10-25T02:59:59+01:00"],
        ),
        ("2026-10-25T03:00", "Europe/Berlin", ["2026-10-25T03:00+01:00"]),
        (
            "2026-04-05T01:45",
            "Australia/Lord_Howe",
            ["2026-04-05T01:45+11:00", "2026-04-05T01:45+10:30"],
        ),
        # odd offsets
        ("2026-01-01T00:15", "Pacific/Chatham", ["2026-01-01T00:15+13:45"]),
        ("2026-01-01T00:15", "Asia/Kathmandu", ["2026-01-01T00:15+05:45"]),
    ],
)
def test_wall_clock_shows_a_time_once_never_or_twice(
    wall: str, zone: str, shown: list[str]
) -> None:
    found = instants(datetime.fromisoformat(wall), ZoneInfo(zone))
    assert list(found) == [unix(text) for text in shown]


@pytest.mark.parametrize(
    ("wall", "zone", "words", "hint"),
    [
        (
            "2026-03-29T02:30",
            "Europe/Berlin",
            "02:30 never comes on 2026-03-29 in Europe/Berlin: clocks go from 02:00 to 03:00",
            "Choose 03:00 or later.",
        ),
        (
            "2026-10-04T02:15",
            "Australia/Lord_Howe",
            "clocks go from 02:00 to 02:30",
            "Choose 02:30 or later.",
        ),
        (
            "2011-12-30T12:00",
            "Pacific/Apia",
            "clocks go from 00:00 to 2011-12-31 00:00",
            "Choose 2011-12-31 00:00 or later.",
        ),
        (
            "2026-10-25T02:30",
            "Europe/Berlin",
            "02:30 comes twice on 2026-10-25 in Europe/Berlin",
            "Say which: the first (UTC+02:00) or the second (UTC+01:00).",
        ),
    ],
)
def test_time_that_is_no_instant_is_refused_with_what_to_choose(
    wall: str, zone: str, words: str, hint: str
) -> None:
    with pytest.raises(OrchestratorError) as caught:
        instant(datetime.fromisoformat(wall), ZoneInfo(zone))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert words in caught.value.what
    assert caught.value.hint == hint


def test_time_that_comes_twice_is_the_one_that_is_said() -> None:
    wall = datetime.fromisoformat("2026-10-25T02:30")
    assert instant(wall, BERLIN, 0) == unix("2026-10-25T02:30+02:00")
    assert instant(wall, BERLIN, 1) == unix("2026-10-25T02:30+01:00")
    once = datetime.fromisoformat("2026-10-25T04:30")
    assert instant(once, BERLIN, 0) == instant(once, BERLIN, 1) == instant(once, BERLIN)


@pytest.mark.parametrize("year", [1, 1969, 8999, 9999])
def test_time_too_far_away_is_refused(year: int) -> None:
    with pytest.raises(OrchestratorError, match=f"the year {year} is too far away"):
        instants(datetime(year, 12, 31, 12), BERLIN)  # noqa: DTZ001 - a wall clock has no zone


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berln", "Did you mean Europe/Berlin?"),
        ("europe/berlin", "Did you mean Europe/Berlin?"),
        ("", "Choose one such as Europe/Berlin."),
        ("../../etc/passwd", "Choose one such as Europe/Berlin."),
        ("right/Europe/Berlin", "Did you mean Europe/Berlin?"),
        ("/usr/share/zoneinfo/UTC", "Choose one such as Europe/Berlin."),
    ],
)
def test_zone_that_is_not_there_is_refused(name: str, hint: str) -> None:
    with pytest.raises(OrchestratorError) as caught:
        find_zone(name)
    assert (caught.value.code, caught.value.hint) == (Code.INVALID_ARGUMENT, hint)


def test_every_zone_of_the_list_is_found() -> None:
    assert {"UTC", "Europe/Berlin", "America/New_York"} <= set(zone_names())
    for name in zone_names():
        assert find_zone(name).key == name


def test_five_occurrences_show_the_hour_that_the_clocks_change() -> None:
    """Rule 2: nodes follow UTC, so the wall clock is an hour off after the change."""
    nightly = RepeatedSchedule(3600, "30", "1", "*", "*", "*")
    shown = occurrences([nightly], BERLIN, unix("2026-03-27T12:00+01:00"), asked=time(2, 30))
    assert [one.opens.isoformat() for one in shown] == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T03:30:00+02:00",
        "2026-03-31T03:30:00+02:00",
        "2026-04-01T03:30:00+02:00",
    ]
    assert [one.drift for one in shown] == [timedelta(0)] + [timedelta(hours=1)] * 4
    assert shown[1].closes == at(shown[1].end_s, BERLIN)
    assert shown[1].end_s - shown[1].start_s == 3600


def test_occurrence_in_the_hour_that_comes_twice_shows_which() -> None:
    nightly = RepeatedSchedule(3600, "30", "0", "*", "*", "*")
    shown = occurrences([nightly], BERLIN, unix("2026-10-24T12:00+02:00"), 2, asked=time(2, 30))
    assert [one.opens.isoformat() for one in shown] == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T01:30:00+01:00",
    ]
    assert [one.drift for one in shown] == [timedelta(0), timedelta(hours=-1)]


def test_drift_over_midnight_is_an_hour_and_not_a_day() -> None:
    nightly = RepeatedSchedule(60, "30", "22", "*", "*", "*")
    (shown,) = occurrences([nightly], BERLIN, unix("2026-12-01T12:00+01:00"), 1, asked=time(0, 30))
    assert shown.opens.isoformat() == "2026-12-01T23:30:00+01:00"
    assert shown.drift == timedelta(hours=-1)


def test_window_that_never_closes_drifts_by_nothing() -> None:
    always = RepeatedSchedule(86_400, "30", "1", "*", "*", "*")
    (shown,) = occurrences([always], BERLIN, unix("2026-06-01T12:00+02:00"), asked=time(2, 30))
    assert (shown.closes, shown.drift) == (None, timedelta(0))


def test_occurrence_of_an_open_ended_window_has_no_end() -> None:
    (shown,) = occurrences([SingleSchedule(unix("2026-06-01T02:30+02:00"))], BERLIN, 0)
    assert (shown.closes, shown.end_s, shown.drift) == (None, 0, timedelta(0))


def test_occurrences_of_schedules_made_together_are_one_row() -> None:
    """A day of the month that falls into other months in UTC is several schedules."""
    parts = [
        RepeatedSchedule(3600, "0", "23", "31", "1,3,5,7,8,10,12", "*"),
        RepeatedSchedule(3600, "0", "23", "30", "4,6,9,11", "*"),
    ]
    shown = occurrences(parts, BERLIN, unix("2026-03-20T12:00+01:00"), 3)
    assert [f"{one.opens:%m-%d}" for one in shown] == ["04-01", "05-01", "06-01"]

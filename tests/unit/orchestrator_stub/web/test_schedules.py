# SPDX-License-Identifier: Apache-2.0
"""Schedules in words and in a calendar, and the form that means them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.maintenance.status import in_maintenance
from orchestrator_stub.records import Region, RepeatedSchedule, SingleSchedule
from orchestrator_stub.schedules.inheritance import Windows
from orchestrator_stub.schedules.windows import next_openings, next_windows
from orchestrator_stub.vocabulary import ScheduleStatus
from orchestrator_stub.web import month, schedule_form, upcoming
from orchestrator_stub.web.clock import DASH, JOINED, Clock
from orchestrator_stub.web.schedule_draft import settled
from orchestrator_stub.web.upcoming import AnySchedule

BERLIN = ZoneInfo("Europe/Berlin")
NOW_S = int(datetime(2026, 11, 28, 12, 0, tzinfo=UTC).timestamp())  # a Saturday
UTC_CLOCK = Clock(NOW_S, ZoneInfo("UTC"))
BERLIN_CLOCK = Clock(NOW_S, BERLIN)
HOUR_S = 3600


def repeated(**fields: object) -> RepeatedSchedule:
    every = {
        "id": "repeatedsche-00000000",
        "name": "r",
        "schedule_status": ScheduleStatus.OS_UPDATE,
        "duration_s": 4 * HOUR_S,
        "cron_minutes": "0",
        "cron_hours": "21",
        "cron_day_month": "*",
        "cron_month": "*",
        "cron_day_week": "*",
        "region": Region(name="Germany"),
        "version": 1,
    }
    return RepeatedSchedule(**{**every, **fields})


def single(start_s: int, end_s: int, **fields: object) -> SingleSchedule:
    every = {
        "id": "singlesche-00000000",
        "name": "s",
        "schedule_status": ScheduleStatus.OS_UPDATE,
        "region": Region(name="Germany"),
        "version": 1,
    }
    return SingleSchedule(start_s=start_s, end_s=end_s, **{**every, **fields})


@pytest.mark.parametrize(
    ("fields", "clock", "text"),
    [
        ({}, UTC_CLOCK, "Every day at 21:00 for 4 h"),
        ({}, BERLIN_CLOCK, "Every day at 22:00 for 4 h"),
        ({"cron_day_week": "1,2,3,4,5"}, UTC_CLOCK, f"Mon{DASH}Fri at 21:00 for 4 h"),
        ({"cron_day_week": "6,0"}, UTC_CLOCK, "Sat, Sun at 21:00 for 4 h"),
        ({"cron_day_week": "0,1,3,4,5"}, UTC_CLOCK, f"Mon, Wed{DASH}Fri, Sun at 21:00 for 4 h"),
        ({"cron_hours": "23", "cron_day_week": "6"}, BERLIN_CLOCK, "Sun at 00:00 for 4 h"),
        ({"cron_day_month": "1,15"}, UTC_CLOCK, "Day 1, 15 of the month at 21:00 for 4 h"),
        ({"cron_month": "2,3"}, UTC_CLOCK, "Every day in Feb, Mar at 21:00 for 4 h"),
        ({"cron_minutes": "0,30"}, UTC_CLOCK, "Cron 0,30 21 * * * in UTC, for 4 h"),
        (
            {"cron_day_month": "1", "cron_day_week": "1"},
            UTC_CLOCK,
            "Cron 0 21 1 * 1 in UTC, for 4 h",
        ),
    ],
)
def test_rule_in_words(fields: dict[str, object], clock: Clock, text: str) -> None:
    assert upcoming.rule(repeated(**fields), clock).replace(JOINED, " ") == text


def test_single_rule_and_target_in_words() -> None:
    assert upcoming.rule(single(1, 2), UTC_CLOCK) == "Once"
    assert upcoming.rule(single(1, 0), UTC_CLOCK) == "Once, open-ended"
    assert upcoming.target_of(single(1, 2)) == ("Region Germany", "/sites")


def test_window_that_is_open_and_the_next_one() -> None:
    row = repeated(cron_hours="10")
    shown = upcoming.shown(row, UTC_CLOCK)
    assert shown.is_open
    assert shown.window == (NOW_S - 2 * HOUR_S, NOW_S + 2 * HOUR_S)
    over = upcoming.shown(single(1, 2), UTC_CLOCK)
    assert over.window is None
    assert not over.is_open
    names = [one.name for one in upcoming.by_next_window([single(1, 2), row], UTC_CLOCK)]
    assert names == ["r", "s"]
    assert upcoming.shown(repeated(name=""), UTC_CLOCK).name == "Unnamed schedule"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([single(NOW_S - 5, 0, schedule_status=ScheduleStatus.MAINTENANCE)], True),
        ([single(NOW_S - 5, 0)], False),
        ([single(NOW_S + 5, 0, schedule_status=ScheduleStatus.MAINTENANCE)], False),
        ([repeated(cron_hours="10")], True),
        ([repeated(cron_hours="8")], True),  # its last second counts
        ([repeated(cron_hours="7")], False),
        ([repeated(cron_hours="10", schedule_status=ScheduleStatus.MAINTENANCE)], True),
        ([], False),
    ],
)
def test_in_maintenance(rows: list[AnySchedule], expected: bool) -> None:
    windows = Windows(
        tuple(row for row in rows if isinstance(row, SingleSchedule)),
        tuple(row for row in rows if isinstance(row, RepeatedSchedule)),
    )
    assert in_maintenance(windows, NOW_S) is expected
    united = next_windows(windows, NOW_S, 1, list(ScheduleStatus))
    alone = [next_openings(row, NOW_S, 1)[0] for row in rows]
    assert [one[0] <= NOW_S for one in united] == [any(one[0] <= NOW_S for one in alone)][
        : len(rows)
    ]


def test_calendar_begins_on_monday_and_marks_today() -> None:
    weeks = month.weeks([], BERLIN_CLOCK)
    assert [len(week) for week in weeks] == [7] * 5
    assert weeks[0][0].date == date(2026, 11, 23)
    assert [day.date for week in weeks for day in week if day.is_today] == [date(2026, 11, 28)]
    assert sum(day.is_past for week in weeks for day in week) == 5


def test_calendar_has_each_window_on_its_local_day() -> None:
    late = upcoming.shown(repeated(cron_hours="23"), BERLIN_CLOCK)
    once = upcoming.shown(single(NOW_S + HOUR_S, 0), BERLIN_CLOCK)
    days = [day for week in month.weeks([late, once], BERLIN_CLOCK) for day in week]
    assert all([entry.hours for entry in day.entries][:1] == [f"00:00{DASH}04:00"] for day in days)
    (today,) = [day for day in days if day.is_today]
    assert [entry.hours for entry in today.entries][1:] == ["14:00, open-ended"]


def test_calendar_keeps_a_busy_schedule_short() -> None:
    busy = upcoming.shown(repeated(cron_minutes="*", cron_hours="*", duration_s=30), UTC_CLOCK)
    days = [day for week in month.weeks([busy], UTC_CLOCK) for day in week]
    assert {len(day.entries) for day in days} == {month.A_DAY}


@pytest.mark.parametrize("clock", [UTC_CLOCK, BERLIN_CLOCK])
@pytest.mark.parametrize(
    "row",
    [
        repeated(),
        repeated(cron_day_week="1,2,3"),
        repeated(cron_day_month="3,4", cron_hours="12"),
        repeated(cron_month="1,2", cron_hours="12", cron_day_week="5"),
        repeated(cron_minutes="0,30"),
        repeated(cron_day_month="1", cron_day_week="1"),
        repeated(duration_s=90),
        single(NOW_S + HOUR_S, NOW_S + 3 * HOUR_S),
        single(NOW_S + HOUR_S + 17, NOW_S + 3 * HOUR_S + 59),
        single(NOW_S + HOUR_S, 0),
        single(NOW_S - HOUR_S, 0),
    ],
)
def test_form_of_a_schedule_means_that_schedule(row: AnySchedule, clock: Clock) -> None:
    form = schedule_form.texts(schedule_form.fields_of(row, clock))
    draft = settled(schedule_form.read(form, NOW_S), row, NOW_S)
    (again,) = draft.rows()
    assert type(again) is type(row)
    names = ["name", "schedule_status"]
    if isinstance(row, SingleSchedule):
        names += ["start_s", "end_s"]
    else:
        names += ["duration_s", *upcoming.CRON_FIELDS]
    assert {name: getattr(again, name) for name in names} == {
        name: getattr(row, name) for name in names
    }


def test_hour_that_comes_twice_is_edited_as_what_it_is() -> None:
    first_s = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp())
    for at_s in (first_s, first_s + HOUR_S):  # 02:30 twice in Berlin
        row = single(at_s, at_s + 6 * HOUR_S)
        fields = schedule_form.fields_of(row, BERLIN_CLOCK)
        assert fields["at"] == "02:30"
        form = schedule_form.texts(fields)
        assert schedule_form.comes_twice(form) == ["Start"]
        assert schedule_form.read(form, NOW_S).single == (at_s, at_s + 6 * HOUR_S)


def test_start_in_the_past_is_refused_unless_it_is_the_known_one() -> None:
    row = single(NOW_S - HOUR_S, NOW_S + HOUR_S)
    draft = schedule_form.read(schedule_form.texts(schedule_form.fields_of(row, UTC_CLOCK)), NOW_S)
    assert settled(draft, row, NOW_S).single == (row.start_s, row.end_s)
    with pytest.raises(OrchestratorError, match="Start: it lies in the past"):
        settled(draft, None, NOW_S)
    with pytest.raises(OrchestratorError, match="Start: it lies in the past"):
        settled(draft, single(NOW_S - 2 * HOUR_S, 0), NOW_S)


def test_draft_knows_how_long_its_windows_are() -> None:
    form = schedule_form.texts(schedule_form.fields_of(repeated(), UTC_CLOCK))
    assert schedule_form.read(form, NOW_S).length_s == 4 * HOUR_S
    form = schedule_form.texts(schedule_form.fields_of(single(NOW_S, NOW_S + 60), UTC_CLOCK))
    assert schedule_form.read(form, NOW_S).length_s == 60
    form = schedule_form.texts(schedule_form.fields_of(single(NOW_S, 0), UTC_CLOCK))
    assert schedule_form.read(form, NOW_S).length_s is None


def test_kind_of_a_schedule_stays() -> None:
    form = schedule_form.texts(schedule_form.fields_of(single(NOW_S, 0), UTC_CLOCK))
    draft = schedule_form.read(form, NOW_S)
    with pytest.raises(OrchestratorError, match="make another schedule"):
        draft.write([repeated()])

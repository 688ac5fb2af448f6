# SPDX-License-Identifier: Apache-2.0
"""Cron fields, against the words of the protocol and a slow search day by day, minute by minute."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.cron import FIELDS, parse_cron
from puad.core.errors import Code, WireError
from puad.core.model import RepeatedSchedule

ORDER = ("cron_minutes", "cron_hours", "cron_day_month", "cron_month", "cron_day_week")
RANGES = {
    "cron_minutes": range(60),
    "cron_hours": range(24),
    "cron_day_month": range(1, 32),
    "cron_month": range(1, 13),
    "cron_day_week": range(7),
}


def schedule(fields: str) -> RepeatedSchedule:
    return RepeatedSchedule(60, *fields.split())


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slow_match(fields: str, day: date) -> bool:
    """The day rule in the words of robfig/cron, on the fields as they are written."""
    _, _, days, months, weekdays = fields.split()
    of_month = days == "*" or str(day.day) in days.split(",")
    of_week = weekdays == "*" or f"{day:%w}" in weekdays.split(",")
    if months != "*" and str(day.month) not in months.split(","):
        return False
    return of_month and of_week if "*" in (days, weekdays) else of_month or of_week


@pytest.mark.parametrize("name", ORDER)
def test_parse_cron_each_number_in_range_is_read(name: str) -> None:
    for number in RANGES[name]:
        assert FIELDS[name].fullmatch(str(number))
    every = ",".join(map(str, RANGES[name]))
    assert FIELDS[name].fullmatch(every)


@pytest.mark.parametrize("name", ORDER)
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "?",
        "*/5",
        "1-5",
        "1,",
        ",1",
        "1,,2",
        "*,1",
        "1,*",
        "**",
        "01",
        "00",
        "-1",
        "+1",
        "1 ",
        "1\n",
        "MON",
        "L",
        "\N{ARABIC-INDIC DIGIT ONE}",
        "1;2",
        "1.0",
        "99",
        "60,1",
        "1,60",
        "1" * 500,
    ],
)
def test_parse_cron_other_forms_are_refused(name: str, text: str) -> None:
    fields = dict.fromkeys(ORDER, "*") | {name: text}
    with pytest.raises(WireError) as caught:
        parse_cron(RepeatedSchedule(60, **fields))
    assert caught.value.code is Code.SERVER_ANSWER_INVALID
    assert caught.value.on == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cron_minutes", "60"),
        ("cron_hours", "24"),
        ("cron_day_month", "0"),
        ("cron_day_month", "32"),
        ("cron_month", "0"),
        ("cron_month", "13"),
        ("cron_day_week", "7"),
        ("cron_day_week", "10"),
    ],
)
def test_parse_cron_just_out_of_range_is_refused(name: str, text: str) -> None:
    with pytest.raises(WireError, match="cron field"):
        parse_cron(RepeatedSchedule(60, **(dict.fromkeys(ORDER, "*") | {name: text})))


def test_parse_cron_star_is_every_number() -> None:
    cron = parse_cron(schedule("* * * * *"))
    every = [",".join(map(str, RANGES[name])) for name in ORDER]
    numbers = parse_cron(RepeatedSchedule(60, *every))
    assert (cron.minutes, cron.hours) == (numbers.minutes, numbers.hours)
    assert (cron.days, cron.months, cron.weekdays) == (
        numbers.days,
        numbers.months,
        numbers.weekdays,
    )
    assert (cron.either_day, numbers.either_day) == (False, True)


@pytest.mark.parametrize(
    ("fields", "day", "matches"),
    [
        # the table of robfig/cron's own test, in our spelling
        ("* * 1,15 * 0", "2012-07-15", True),
        ("* * 1,15 * 0", "2012-06-15", True),
        ("* * 1,15 * 0", "2012-08-01", True),
        ("* * 1,15 * 0", "2012-07-22", True),
        ("* * 1,15 * 0", "2012-07-16", False),
        ("* * * * 1", "2012-07-15", False),
        ("* * * * 1", "2012-07-16", True),
        ("* * 1,15 * *", "2012-07-09", False),
        ("* * 1,15 * *", "2012-07-15", True),
        # a list of all numbers is a restriction, so either field is enough
        ("* * 1 * 0,1,2,3,4,5,6", "2012-07-10", True),
        ("* * 13 2 5", "2026-03-13", False),
    ],
)
def test_matches_day_either_or_both_day_fields(fields: str, day: str, *, matches: bool) -> None:
    assert parse_cron(schedule(fields)).matches_day(date.fromisoformat(day)) is matches


@pytest.mark.parametrize(
    ("fields", "moment", "firing"),
    [
        ("* * * * *", "2026-11-24T10:00:00", "2026-11-24T10:00:00"),
        ("* * * * *", "2026-11-24T10:00:00.000001", "2026-11-24T10:01:00"),
        ("* * * * *", "2026-12-31T23:59:01", "2027-01-01T00:00:00"),
        ("5,50 3,22 * * *", "2026-11-24T03:06:00", "2026-11-24T03:50:00"),
        ("5,50 3,22 * * *", "2026-11-24T03:51:00", "2026-11-24T22:05:00"),
        ("5,50 3,22 * * *", "2026-11-24T22:50:01", "2026-11-25T03:05:00"),
        ("50,5,5 22,3 * * *", "2026-11-24T00:00:00", "2026-11-24T03:05:00"),
        ("0 0 31 * *", "2026-04-01T00:00:00", "2026-05-31T00:00:00"),
        ("0 0 30 2,3 *", "2026-01-31T00:00:00", "2026-03-30T00:00:00"),
        ("0 0 29 2 *", "2026-03-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 29 2 *", "2096-02-29T00:01:00", "2104-02-29T00:00:00"),
        ("0 0 29 2 *", "2000-02-29T00:00:00", "2000-02-29T00:00:00"),
        ("0 12 * * 0", "2026-11-24T00:00:00", "2026-11-29T12:00:00"),
        ("0 0 31 2 1", "2026-11-24T00:00:00", "2027-02-01T00:00:00"),
        ("0 0 1 1 *", "2026-01-01T00:00:01", "2027-01-01T00:00:00"),
    ],
)
def test_next_firing_comes_when_the_calendar_has_it(fields: str, moment: str, firing: str) -> None:
    assert parse_cron(schedule(fields)).next_firing(at(moment)) == at(firing)


@pytest.mark.parametrize("days", ["30", "31", "30,31"])
def test_next_firing_impossible_date_never_comes(days: str) -> None:
    assert parse_cron(schedule(f"* * {days} 2 *")).next_firing(at("2026-11-24T10:00:00")) is None


@pytest.mark.parametrize("moment", ["9998-12-31T00:00:30", "9999-06-01T00:00:00"])
def test_next_firing_at_the_end_of_the_calendar_is_none(moment: str) -> None:
    assert parse_cron(schedule("0 0 * * *")).next_firing(at(moment)) is None


def test_next_firing_other_zone_is_read_as_utc() -> None:
    moment = datetime(2026, 7, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    firing = parse_cron(schedule("0 0 * * *")).next_firing(moment)
    assert firing == at("2026-07-01T00:00:00")
    assert firing is not None
    assert firing.utcoffset() == timedelta(0)


def field(name: str) -> st.SearchStrategy[str]:
    numbers = st.lists(st.sampled_from(RANGES[name]), min_size=1, max_size=4)
    return st.just("*") | numbers.map(lambda chosen: ",".join(map(str, chosen)))


SPARSE = st.tuples(*(field(name) for name in ORDER)).map(" ".join)
MOMENTS = st.datetimes(datetime(1999, 1, 1), datetime(2110, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


@given(SPARSE, MOMENTS)
def test_next_firing_any_schedule_is_the_first_of_a_slow_search(
    fields: str, moment: datetime
) -> None:
    """Day by day, then minute by minute: nothing earlier fires, and the one found does."""
    minutes, hours = fields.split()[:2]
    firing = parse_cron(schedule(fields)).next_firing(moment)
    day, found = moment.date(), None
    for _ in range(9 * 366):
        if slow_match(fields, day):
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            clock = (midnight + timedelta(minutes=number) for number in range(1440))
            found = next(
                (
                    minute
                    for minute in clock
                    if minute >= moment
                    and (hours == "*" or str(minute.hour) in hours.split(","))
                    and (minutes == "*" or str(minute.minute) in minutes.split(","))
                ),
                None,
            )
        if found:
            break
        day += timedelta(days=1)
    assert firing == found

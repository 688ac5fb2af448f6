# SPDX-License-Identifier: Apache-2.0
"""Maintenance windows, against tables of calendar cases and a slow list of all openings."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from puad.core.errors import WireError
from puad.core.model import RepeatedSchedule, Schedules, SingleSchedule, Window
from puad.core.windows import LOOK_DAYS, next_window, open_window, time_left

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def single(start: str, end: str | None = None) -> SingleSchedule:
    return SingleSchedule(unix(at(start)), unix(at(end)) if end else 0)


def unix(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1)


def repeated(fields: str, duration_s: int) -> RepeatedSchedule:
    return RepeatedSchedule(duration_s, *fields.split())


def window(start: str, end: str | None) -> Window:
    return Window(at(start), at(end) if end else None)


NIGHTLY = Schedules(repeated=(repeated("0 2 * * *", 3600),))
WEEKDAY_EVENINGS = Schedules(repeated=(repeated("0 22 * * 1,2,3,4,5", 86_400),))
ALWAYS = Schedules(repeated=(repeated("* * * * *", 60),))


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-11-24T01:59:59.999999", False),
        ("2026-11-24T02:00:00", True),
        ("2026-11-24T02:00:00.000001", True),
        ("2026-11-24T02:59:59.999999", True),
        ("2026-11-24T03:00:00", False),
    ],
)
def test_open_window_at_the_edges_has_start_but_not_end(now: str, *, is_open: bool) -> None:
    """Second 0 is inside (the original server says it is not), the last second is outside."""
    nightly = window("2026-11-24T02:00", "2026-11-24T03:00")
    alone = Schedules(single("2026-11-24T02:00", "2026-11-24T03:00"))
    for schedules in (NIGHTLY, alone):
        assert open_window(schedules, at(now)) == (nightly if is_open else None)


def test_open_window_without_schedules_is_none() -> None:
    now = at("2026-11-24T02:00")
    assert open_window(Schedules(), now) is None
    assert next_window(Schedules(), now) is None


def test_open_window_open_ended_single_stays_open_for_years() -> None:
    schedules = Schedules(single("2026-11-24T02:00"))
    assert open_window(schedules, at("2026-11-24T01:59:59")) is None
    assert open_window(schedules, at("2036-01-01T00:00")) == window("2026-11-24T02:00", None)


def test_open_window_edited_single_takes_effect() -> None:
    now = at("2026-11-24T02:30")
    assert open_window(Schedules(single("2026-11-24T02:00", "2026-11-24T03:00")), now) is not None
    assert open_window(Schedules(single("2026-11-24T05:00", "2026-11-24T06:00")), now) is None
    assert open_window(Schedules(single("2026-11-24T01:00", "2026-11-24T02:31")), now) is not None


def test_open_window_other_zone_is_the_same_moment() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert open_window(NIGHTLY, datetime(2026, 11, 24, 11, 30, tzinfo=tokyo)) is not None
    assert open_window(NIGHTLY, datetime(2026, 11, 24, 2, 30, tzinfo=tokyo)) is None


@pytest.mark.parametrize(
    ("schedules", "now", "expected"),
    [
        # a window open at start counts, and is not the next one
        (NIGHTLY, "2026-11-24T02:30", window("2026-11-24T02:00", "2026-11-24T03:00")),
        (NIGHTLY, "2026-11-24T03:00", window("2026-11-25T02:00", "2026-11-25T03:00")),
        (NIGHTLY, "2026-12-31T03:00", window("2027-01-01T02:00", "2027-01-01T03:00")),
        # days that adjoin make one window over the working week
        (WEEKDAY_EVENINGS, "2026-11-24T12:00", window("2026-11-23T22:00", "2026-11-28T22:00")),
        (WEEKDAY_EVENINGS, "2026-11-28T22:00", window("2026-11-30T22:00", "2026-12-05T22:00")),
        # over midnight, the end of February and the turn of a year
        (
            Schedules(repeated=(repeated("30 23 * * *", 3600),)),
            "2028-02-29T00:10",
            window("2028-02-28T23:30", "2028-02-29T00:30"),
        ),
        (
            Schedules(repeated=(repeated("30 23 31 12 *", 3600),)),
            "2027-01-01T00:29:59",
            window("2026-12-31T23:30", "2027-01-01T00:30"),
        ),
        # sparse, and never
        (
            Schedules(repeated=(repeated("0 3 29 2 *", 600),)),
            "2026-11-24T00:00",
            window("2028-02-29T03:00", "2028-02-29T03:10"),
        ),
        (
            Schedules(repeated=(repeated("0 3 29 2 *", 86_400),)),
            "2104-03-01T02:59:59",
            window("2104-02-29T03:00", "2104-03-01T03:00"),
        ),
        (Schedules(repeated=(repeated("0 3 31 2 *", 600),)), "2026-11-24T00:00", None),
        (Schedules(single("2026-11-24T02:00", "2026-11-24T03:00")), "2026-11-24T03:00", None),
        # a duration that no proto allows opens nothing and hides nothing
        (
            Schedules(repeated=(repeated("* * * * *", 0), repeated("0 2 * * *", 60))),
            "2026-11-24T01:00",
            window("2026-11-24T02:00", "2026-11-24T02:01"),
        ),
        (
            Schedules(repeated=(repeated("0 2 24 11 *", 10**9),)),
            "2026-11-24T03:00",
            window("2026-11-24T02:00", "2026-11-25T02:00"),
        ),
        # durations of odd seconds end at that second; two in one minute end with the longer
        (
            Schedules(repeated=(repeated("0,1 2 * * *", 90), repeated("1 2 * * *", 61))),
            "2026-11-24T02:00:59",
            window("2026-11-24T02:00", "2026-11-24T02:02:30"),
        ),
        (
            Schedules(repeated=(repeated("* * * * *", 59),)),
            "2026-11-24T02:00:59",
            window("2026-11-24T02:01", "2026-11-24T02:01:59"),
        ),
    ],
)
def test_next_window_calendar_case_opens_as_expected(
    schedules: Schedules, now: str, expected: Window | None
) -> None:
    assert next_window(schedules, at(now)) == expected


@pytest.mark.parametrize(
    ("alone", "expected"),
    [
        # overlapping, adjoining and inside: one window
        (("01:30", "02:30"), ("01:30", "03:00")),
        (("02:30", "04:30"), ("02:00", "04:30")),
        (("03:00", "04:30"), ("02:00", "04:30")),
        (("01:00", "02:00"), ("01:00", "03:00")),
        (("02:10", "02:20"), ("02:00", "03:00")),
        (("01:00", "04:00"), ("01:00", "04:00")),
        # a second between them keeps them apart
        (("03:00:01", "04:30"), ("02:00", "03:00")),
        (("01:00", "01:59:59"), ("02:00", "03:00")),
        # it bridges two openings
        (("03:00", "06:00"), ("02:00", "07:00")),
        (("02:59:59", "06:59:59"), ("02:00", "07:00")),
    ],
)
def test_open_window_single_and_repeated_that_touch_are_one(
    alone: tuple[str, str], expected: tuple[str, str]
) -> None:
    start, end = (f"2026-11-24T{clock}" for clock in alone)
    schedules = Schedules(single(start, end), (repeated("0 2,6 * * *", 3600),))
    opening = open_window(schedules, at("2026-11-24T02:15"))
    assert opening == window(*(f"2026-11-24T{clock}" for clock in expected))


def test_open_window_single_without_end_takes_the_repeated_one_before() -> None:
    schedules = Schedules(single("2026-11-24T03:00"), NIGHTLY.repeated)
    assert open_window(schedules, at("2026-11-24T02:15")) == window("2026-11-24T02:00", None)
    assert open_window(schedules, at("2030-01-01T12:00")) == window("2026-11-24T02:00", None)


def test_open_window_long_single_takes_what_adjoins_far_away() -> None:
    schedules = Schedules(single("2026-01-01T03:00", "2026-12-01T02:00"), NIGHTLY.repeated)
    opening = open_window(schedules, at("2026-06-01T12:00"))
    assert opening == window("2026-01-01T02:00", "2026-12-01T03:00")


def test_open_window_always_open_has_no_end_and_a_bounded_start() -> None:
    now = at("2026-11-24T10:00:30")
    midnight = at("2026-11-24T00:00")
    assert open_window(ALWAYS, now) == Window(midnight - timedelta(days=LOOK_DAYS), None)


def test_open_window_open_longer_than_looked_has_its_end_when_near() -> None:
    """Twenty days in a row: no end is seen at first, then the true one."""
    days = ",".join(map(str, range(1, 21)))
    schedules = Schedules(repeated=(repeated(f"0 0 {days} 11 *", 86_400),))
    assert open_window(schedules, at("2026-11-02T12:00")) == window("2026-11-01T00:00", None)
    near = open_window(schedules, at("2026-11-19T12:00"))
    assert near == window("2026-11-11T00:00", "2026-11-21T00:00")


@pytest.mark.parametrize(
    ("days", "opening"),
    [
        (9, window("2026-11-01T00:00", "2026-11-10T00:00")),
        (10, window("2026-11-01T00:00", None)),
    ],
)
def test_open_window_end_is_looked_for_through_eight_whole_days(days: int, opening: Window) -> None:
    listed = ",".join(map(str, range(1, days + 1)))
    schedules = Schedules(repeated=(repeated(f"0 0 {listed} 11 *", 86_400),))
    for clock in ("00:00", "23:59:59"):
        assert open_window(schedules, at(f"2026-11-02T{clock}")) == opening


@pytest.mark.parametrize("now", ["0001-01-01T00:00", "1969-12-31T23:59:59", "9999-12-31T23:59:59"])
def test_next_window_absurd_clock_is_judged_at_the_bound(now: str) -> None:
    opening = next_window(NIGHTLY, at(now))
    assert opening is not None
    assert opening.end == opening.start + timedelta(hours=1)


@pytest.mark.parametrize(
    "alone",
    [
        SingleSchedule(-1, 0),
        SingleSchedule(10**30, 0),
        SingleSchedule(100, 100),
        SingleSchedule(100, 99),
        SingleSchedule(100, -(10**30)),
    ],
)
def test_open_window_impossible_single_never_opens(alone: SingleSchedule) -> None:
    for now in (EPOCH, EPOCH + timedelta(seconds=100), at("2026-11-24T00:00")):
        assert next_window(Schedules(alone), now) is None


def test_open_window_end_beyond_all_dates_is_no_end() -> None:
    schedules = Schedules(SingleSchedule(100, 10**30))
    assert open_window(schedules, at("2026-11-24T00:00")) == Window(
        EPOCH + timedelta(seconds=100), None
    )


def test_open_window_invalid_cron_is_refused() -> None:
    with pytest.raises(WireError):
        open_window(Schedules(repeated=(repeated("*/5 * * * *", 60),)), EPOCH)


@pytest.mark.parametrize(
    ("opening", "left"),
    [
        (window("2026-11-24T02:00", "2026-11-24T03:00"), timedelta(minutes=20)),
        (window("2026-11-24T02:00", "2026-11-24T02:40"), timedelta(0)),
        (window("2026-11-24T02:00", "2026-11-24T02:30"), timedelta(0)),
        (window("2026-11-24T05:00", "2026-11-24T06:00"), timedelta(hours=1)),
        (window("2026-11-24T02:00", None), None),
    ],
)
def test_time_left_counts_what_is_to_come(opening: Window, left: timedelta | None) -> None:
    assert time_left(opening, at("2026-11-24T02:40")) == left


# A slow model: every opening of six days, one by one, then merged.

FIRST, DAYS = at("2028-02-26T00:00"), 6
LAST = FIRST + timedelta(days=DAYS)


def fires(schedule: RepeatedSchedule, minute: datetime) -> bool:
    def has(field: str, value: int) -> bool:
        return field == "*" or str(value) in field.split(",")

    of_month = has(schedule.cron_day_month, minute.day)
    of_week = has(schedule.cron_day_week, int(f"{minute:%w}"))
    free = "*" in (schedule.cron_day_month, schedule.cron_day_week)
    return (
        has(schedule.cron_minutes, minute.minute)
        and has(schedule.cron_hours, minute.hour)
        and has(schedule.cron_month, minute.month)
        and (of_month and of_week if free else of_month or of_week)
    )


def slow_windows(schedules: Schedules) -> list[tuple[datetime, datetime]]:
    openings = [
        (minute, minute + timedelta(seconds=schedule.duration_s))
        for schedule in schedules.repeated
        for minute in (FIRST + timedelta(minutes=number) for number in range(DAYS * 1440))
        if fires(schedule, minute)
    ]
    if schedules.single is not None:
        ends = EPOCH + timedelta(seconds=schedules.single.end_s) if schedules.single.end_s else LAST
        openings.append((EPOCH + timedelta(seconds=schedules.single.start_s), ends))
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(openings):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def field(numbers: range) -> st.SearchStrategy[str]:
    chosen = st.lists(st.sampled_from(numbers), min_size=1, max_size=3)
    return st.just("*") | chosen.map(lambda values: ",".join(map(str, values)))


DURATIONS = st.sampled_from([1, 59, 60, 61, 90, 120, 3599, 3600, 7200, 43_200, 86_400])
REPEATED = st.builds(
    RepeatedSchedule,
    DURATIONS | st.integers(1, 86_400),
    field(range(60)),
    field(range(24)),
    field(range(1, 32)),
    st.sampled_from(["*", "2", "3", "2,3", "7"]),
    field(range(7)),
)
SECONDS = st.integers(unix(FIRST), unix(LAST) - 1)
SINGLES = st.none() | st.builds(
    lambda start, length: SingleSchedule(start, start + length if length else 0),
    SECONDS,
    st.sampled_from([0, 1, 60, 3600, 86_400]),
)
SCHEDULES = st.builds(Schedules, SINGLES, st.lists(REPEATED, max_size=3).map(tuple))


def window_after(schedules: Schedules, opening: Window | None, now: datetime) -> Window | None:
    """The one that opens after the one that is open, if any is."""
    if opening is None:
        return next_window(schedules, now)
    return next_window(schedules, opening.end) if opening.end else None


NOWS = st.integers(unix(FIRST) + 2 * 86_400, unix(LAST) - 2 * 86_400)


@given(SCHEDULES, NOWS)
@example(NIGHTLY, unix(at("2028-02-29T02:00")))
@example(WEEKDAY_EVENINGS, unix(at("2028-02-29T02:00")))
def test_windows_any_schedules_are_those_of_the_slow_list(schedules: Schedules, now_s: int) -> None:
    """Exact where the list is complete: windows that touch the list's edges are left out."""
    now = EPOCH + timedelta(seconds=now_s)
    slow = slow_windows(schedules)
    inside = [span for span in slow if FIRST + timedelta(days=1) < span[0] and span[1] < LAST]
    current = next((span for span in slow if span[0] <= now < span[1]), None)
    later = next((span for span in slow if span[0] > now), None)

    opening = open_window(schedules, now)
    assert (opening is None) == (current is None)
    if opening is not None and current in inside:
        assert (opening.start, opening.end) == current
    following = window_after(schedules, opening, now)
    assert next_window(schedules, now) == (opening or following)
    assume(current is None or current in inside)
    if later is None:
        assert following is None or following.start >= LAST
    else:
        assert following is not None
        assert following.start == later[0]
        if later in inside:
            assert following.end == later[1]


@given(SCHEDULES, st.integers(0, unix(LAST)) | st.integers(0, 2 * 10**11))
def test_windows_any_moment_agree_with_one_another(schedules: Schedules, now_s: int) -> None:
    now = EPOCH + timedelta(seconds=now_s)
    opening = open_window(schedules, now)
    following = window_after(schedules, opening, now)
    if opening is not None:
        assert opening.start <= now
        assert opening.end is None or now < opening.end
        assert following is None or (opening.end is not None and following.start > opening.end)
    if following is not None:
        assert now < following.start
        assert open_window(schedules, following.start) == following
        assert open_window(schedules, following.start - timedelta(seconds=1)) != following

# SPDX-License-Identifier: Apache-2.0
"""Repeated windows of random wishes against zoneinfo, day by day over a leap and a common year."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.schedules.local_repeat import LocalRepeat, to_local, to_utc
from orchestrator_stub.schedules.windows import next_firing
from puad.core.model import RepeatedSchedule
from tests.unit.orchestrator_stub.schedules.how_many import many

RANDOM = many(5_000)
WINTER = int(datetime(2026, 1, 15, tzinfo=UTC).timestamp())
SUMMER = int(datetime(2026, 7, 15, tzinfo=UTC).timestamp())
ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
)


def wish(random: Random) -> LocalRepeat:
    def some(numbers: range, most: int) -> frozenset[int]:
        return frozenset(random.sample(numbers, random.randint(1, most)))

    kind = random.choice(("daily", "weekly", "monthly"))
    minute = random.choice((0, 0, 15, 30, 45, random.randint(0, 59)))
    return LocalRepeat(
        zone=random.choice(ZONES),
        clock=time(random.choice((0, 0, 1, 2, 3, 12, 20, 22, 23, random.randint(0, 23))), minute),
        duration_s=random.choice((600, 3600, 86_400)),
        weekdays=some(range(7), 3) if kind == "weekly" else frozenset(),
        days=some(range(1, 32), 4) if kind == "monthly" else frozenset(),
        months=some(range(1, 13), 11) if random.random() < 0.4 else frozenset(),
    )


def falls_on(wanted: LocalRepeat, day: date) -> bool:
    return (
        (not wanted.months or day.month in wanted.months)
        and (not wanted.days or day.day in wanted.days)
        and (not wanted.weekdays or int(day.strftime("%w")) in wanted.weekdays)
    )


def fires(schedule: RepeatedSchedule, day: date) -> bool:
    """The wire's rule for days, on the fields as they are written."""
    of_month = str(day.day) in schedule.cron_day_month.split(",")
    of_week = day.strftime("%w") in schedule.cron_day_week.split(",")
    if schedule.cron_month != "*" and str(day.month) not in schedule.cron_month.split(","):
        return False
    if schedule.cron_day_month == "*":
        return of_week or schedule.cron_day_week == "*"
    return of_month or (of_week and schedule.cron_day_week != "*")


DAY = timedelta(days=1)
FEBRUARY = [date(year, 2, 27) + number * DAY for year in (2027, 2028) for number in range(4)]


def edges() -> list[date]:
    """The days around the ends of months, of a leap year and of a common one."""
    found = []
    for year in (2027, 2028):
        for month in range(1, 13):
            first = date(year, month, 1)
            reach = (-4, 3) if month == 3 else (-2, 2)
            found += [first + timedelta(days=number) for number in range(*reach)]
    return found


def first_offset(wanted: LocalRepeat, now_s: int) -> timedelta | None:
    """The offset from UTC at the first opening, by trying each that the zone has in a year."""
    zone = ZoneInfo(wanted.zone)
    known = {datetime.fromtimestamp(at_s, zone).utcoffset() for at_s in (WINTER, SUMMER)}
    day = datetime.fromtimestamp(now_s, zone).date()
    for number in range(9 * 366):
        wall = datetime.combine(day + number * DAY, wanted.clock, UTC)
        if falls_on(wanted, wall.date()):
            found = [
                (wall - offset, offset)
                for offset in known
                if offset is not None
                and (wall - offset).astimezone(zone).replace(tzinfo=UTC) == wall
                and (wall - offset).timestamp() >= now_s
            ]
            if found:
                return min(found)[1]
    return None


def first_firing_offset(
    schedule: RepeatedSchedule, wanted: LocalRepeat, now_s: int
) -> timedelta | None:
    """The offset at the first firing; where one season has just ended it is another."""
    firing_s = next_firing(schedule, now_s)
    assert firing_s is not None
    return datetime.fromtimestamp(firing_s, ZoneInfo(wanted.zone)).utcoffset()


def sayable(wanted: LocalRepeat, offset: timedelta) -> bool:
    """Whether one set of days of the year has these openings in UTC, leap year or not."""
    some_day = datetime(2026, 1, 10, wanted.clock.hour, wanted.clock.minute, tzinfo=UTC)
    shift = ((some_day - offset).date() - some_day.date()).days
    if wanted.weekdays:
        return not shift or len(wanted.months or range(12)) == 12
    of_year = []
    for year in (2027, 2028):
        days = (date(year, 1, 1) + number * DAY for number in range(366 if year == 2028 else 365))
        moved = (day + shift * DAY for day in days if falls_on(wanted, day))
        of_year.append({(day.month, day.day) for day in moved})
    common, leap = of_year
    return common == leap - {(2, 29)}


def check_days(
    wanted: LocalRepeat,
    schedules: tuple[RepeatedSchedule, ...],
    offset: timedelta,
    days: list[date],
) -> None:
    """Wherever the zone has that offset, one schedule fires when the wall clock shows the time."""
    zone = ZoneInfo(wanted.zone)
    ((minute, hour),) = {(int(each.cron_minutes), int(each.cron_hours)) for each in schedules}
    for day in days:
        opens = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC).astimezone(zone)
        if opens.utcoffset() == offset:
            assert opens.time() == wanted.clock, (wanted, schedules)
            found = [schedule for schedule in schedules if fires(schedule, day)]
            assert len(found) == falls_on(wanted, opens.date()), (wanted, schedules, day)


def test_random_wishes_open_in_utc_when_the_wall_clock_shows_them() -> None:
    random = Random(20_261_201)
    days = edges()
    refused = 0
    for _ in range(RANDOM):
        wanted = wish(random)
        now_s = random.choice((WINTER, SUMMER)) + random.randint(0, 86_400)
        offset = first_offset(wanted, now_s)
        try:
            schedules = to_utc(wanted, now_s)
        except OrchestratorError:
            assert offset is None or not sayable(wanted, offset), wanted
            refused += 1
            continue
        assert offset is not None, wanted
        check_days(wanted, schedules, offset, [*FEBRUARY, *random.sample(days, 12)])
        if len(schedules) == 1 and first_firing_offset(schedules[0], wanted, now_s) == offset:
            back = to_local(schedules[0], ZoneInfo(wanted.zone), now_s)
            assert back is not None
            assert (back.clock, back.duration_s) == (wanted.clock, wanted.duration_s)
            assert to_utc(back, now_s) == schedules
    assert RANDOM / 50 < refused < RANDOM / 4

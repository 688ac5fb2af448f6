# SPDX-License-Identifier: Apache-2.0
"""Random schedules, as odd as the wire allows, the same ones each time."""

from __future__ import annotations

from random import Random

from puad.core.model import RepeatedSchedule

DURATIONS_S = (1, 59, 60, 61, 90, 600, 3599, 3600, 3661, 7200, 43_200, 86_399, 86_400)


def field(random: Random, numbers: range, any_of_ten: int, most: int) -> str:
    """`*`, now and then every number, mostly a few in any order and maybe twice."""
    dice = random.random()
    if dice < any_of_ten / 10:
        return "*"
    if dice > 0.98:
        return ",".join(map(str, numbers))
    return ",".join(map(str, random.choices(numbers, k=random.randint(1, most))))


def repeated(random: Random) -> RepeatedSchedule:
    """A schedule that fires somewhere between always and never."""
    return RepeatedSchedule(
        duration_s=random.choice(DURATIONS_S)
        if random.random() < 0.8
        else random.randint(1, 86_400),
        cron_minutes=field(random, range(60), 0 if random.random() < 0.97 else 10, 3),
        cron_hours=field(random, range(24), 2, 4),
        cron_day_month=field(random, range(1, 32), 5, 5),
        cron_month=field(random, range(1, 13), 5, 8),
        cron_day_week=field(random, range(7), 4, 3),
    )


def rare(random: Random) -> RepeatedSchedule:
    """A schedule of the last days of short months: each year, in leap years only, or never."""
    return RepeatedSchedule(
        duration_s=3600,
        cron_minutes=str(random.randrange(60)),
        cron_hours=str(random.randrange(24)),
        cron_day_month=",".join(random.choices(("29", "30", "31"), k=random.randint(1, 2))),
        cron_month=",".join(random.choices(("2", "2", "2", "4", "11"), k=random.randint(1, 2))),
        cron_day_week="*",
    )


def text(schedule: RepeatedSchedule) -> str:
    """The five fields as a line of a crontab."""
    days = f"{schedule.cron_day_month} {schedule.cron_month} {schedule.cron_day_week}"
    return f"{schedule.cron_minutes} {schedule.cron_hours} {days}"

# SPDX-License-Identifier: Apache-2.0
"""The form of a schedule: local time as an operator says it, and the schedule that it means. Pure.

The rules are those of protocol.md §3b. Whoever edits sees the form filled in by `fields_of`, which
says what `read` would read again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from orchestrator_stub import names
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import SingleSchedule
from orchestrator_stub.schedules import local
from orchestrator_stub.schedules.local_repeat import LocalRepeat, to_local, to_utc
from orchestrator_stub.vocabulary import ScheduleStatus
from orchestrator_stub.web import clock
from orchestrator_stub.web.forms import Form
from orchestrator_stub.web.schedule_draft import Draft
from orchestrator_stub.web.upcoming import CRON_FIELDS, AnySchedule
from puad.core import model
from puad.core.cron import FIELDS
from puad.core.wire import MAX_CRON_CHARS, MAX_DURATION_S

_HOUR_S: Final = 3600
_MINUTE_S: Final = 60
_NAME: Final = re.compile(names.ORIGINAL)
_NUMBER: Final = re.compile(r"[0-9]{1,2}")
_DIVIDER: Final = re.compile(r"[\s,;]+")
_CRON_LABELS: Final = {
    "cron_minutes": "Minutes",
    "cron_hours": "Hours",
    "cron_day_month": "Days of the month",
    "cron_month": "Months",
    "cron_day_week": "Days of the week",
}


class ScheduleType(StrEnum):
    """How a schedule repeats, as the form asks."""

    ONCE = "once"
    WEEK = "week"
    MONTH = "month"
    CRON = "cron"


def read(form: Form, now_s: int) -> Draft:
    """What the form means.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`, naming the field and its rule.
    """
    name = form.text("name", "Maintenance Name", names.MAX_CHARS)
    if not _NAME.fullmatch(name):
        raise _refused("Maintenance Name", "letters, digits, spaces and - _ . / : only")
    status = form.word("status", ScheduleStatus, "Maintenance Type")
    if status is ScheduleStatus.UNSPECIFIED:
        raise _refused("Maintenance Type", "choose one of the list")
    zone_name = form.text("zone")
    if zone_name not in clock.zone_names():
        raise _refused("Time Zone", "choose one of the list")
    zone = clock.zone(zone_name)
    kind = form.word("type", ScheduleType, "Schedule Type")
    if kind is ScheduleType.ONCE:
        return Draft(name, status, zone, single=_single(form, zone))
    if kind is ScheduleType.CRON:
        return Draft(name, status, zone, repeated=(_cron(form),))
    repeat = _repeat(form, kind, zone)
    return Draft(name, status, zone, repeat.clock, repeated=to_utc(repeat, now_s))


def fields_of(row: AnySchedule, now: clock.Clock) -> dict[str, str | list[str]]:
    """The form that means a schedule, in the operator's zone."""
    common: dict[str, str | list[str]] = {
        "name": row.name,
        "status": row.schedule_status,
        "zone": now.zone_name,
        "version": str(row.version),
    }
    if isinstance(row, SingleSchedule):
        return common | {"type": ScheduleType.ONCE} | _single_fields(row, now)
    hours, rest_s = divmod(row.duration_s, _HOUR_S)
    common |= {"hours": str(hours), "minutes": str(-(-rest_s // _MINUTE_S))}
    found = to_local(row, now.zone, now.now_s)
    if found is None:
        fields = {name: str(getattr(row, name)) for name in CRON_FIELDS}
        return common | {"type": ScheduleType.CRON, **fields}
    by_month = bool(found.days)
    weekdays = found.weekdays or frozenset(range(7))
    return common | {
        "type": ScheduleType.MONTH if by_month else ScheduleType.WEEK,
        "at": f"{found.clock:%H:%M}",
        "week_day": [] if by_month else list(map(str, sorted(weekdays))),
        "month_days": ", ".join(map(str, sorted(found.days))),
        "month": list(map(str, sorted(found.months))),
    }


def comes_twice(form: Form) -> list[str]:
    """Which of the form's times, start or end, its zone's clocks show twice."""
    if form.text("type") != ScheduleType.ONCE or form.text("zone") not in clock.zone_names():
        return []
    zone = clock.zone(form.text("zone"))
    found = []
    for label, day, at in (("Start", "date", "at"), ("End", "end_date", "end_at")):
        try:
            wall = _wall(form, day, at, label)
        except OrchestratorError:
            continue
        if len(local.instants(wall, zone)) > 1:
            found.append(label)
    return found


def _single(form: Form, zone: ZoneInfo) -> tuple[int, int]:
    start_s = local.instant(_wall(form, "date", "at", "Start"), zone, _fold(form, "Start"))
    if form.ticked("open_ended"):
        return start_s, 0
    end_s = local.instant(_wall(form, "end_date", "end_at", "End"), zone, _fold(form, "End"))
    if end_s <= start_s:
        raise _refused("End", "it is not after the start")
    return start_s, end_s


def _single_fields(row: SingleSchedule, now: clock.Clock) -> dict[str, str | list[str]]:
    start = now.local(row.start_s)
    fields: dict[str, str | list[str]] = {
        "date": f"{start:%Y-%m-%d}",
        "at": f"{start:%H:%M}",
        "fold_Start": str(start.fold),
    }
    if not row.end_s:
        return fields | {"open_ended": "yes"}
    end = now.local(row.end_s)
    return fields | {
        "end_date": f"{end:%Y-%m-%d}",
        "end_at": f"{end:%H:%M}",
        "fold_End": str(end.fold),
    }


def _repeat(form: Form, kind: ScheduleType, zone: ZoneInfo) -> LocalRepeat:
    weekdays, days = frozenset[int](), frozenset[int]()
    if kind is ScheduleType.WEEK:
        weekdays = _numbers(form.many("week_day"), range(7), "Days")
        if not weekdays:
            raise _refused("Days", "choose at least one day of the week")
    else:
        words = [word for word in _DIVIDER.split(form.text("month_days", "Days")) if word]
        days = _numbers(words, range(1, 32), "Days")
        if not days:
            raise _refused("Days", "name at least one day of the month, such as 1, 15")
    months = _numbers(form.many("month"), range(1, 13), "Months")
    return LocalRepeat(
        zone=zone.key,
        clock=_time(form, "at", "Start"),
        duration_s=_duration_s(form),
        weekdays=frozenset() if len(weekdays) == len(range(7)) else weekdays,
        days=days,
        months=frozenset() if len(months) == len(range(12)) else months,
    )


def _cron(form: Form) -> model.RepeatedSchedule:
    texts: dict[str, str] = {}
    for name, label in _CRON_LABELS.items():
        texts[name] = form.text(name, label, MAX_CRON_CHARS).replace(" ", "")
        if not FIELDS[name].fullmatch(texts[name]):
            raise _refused(label, "* or numbers in range, divided by commas")
    return model.RepeatedSchedule(duration_s=_duration_s(form), **texts)


def _duration_s(form: Form) -> int:
    hours = form.number("hours", "Duration, hours", 0, 24) if form.text("hours") else 0
    minutes = form.number("minutes", "Duration, minutes", 0, 59) if form.text("minutes") else 0
    duration_s = hours * _HOUR_S + minutes * _MINUTE_S
    if not 0 < duration_s <= MAX_DURATION_S:
        raise _refused("Duration", "more than nothing, and at most 24 hours")
    return duration_s


def _wall(form: Form, day: str, at: str, label: str) -> datetime:
    return datetime.combine(_date(form, day, label), _time(form, at, label))


def _fold(form: Form, label: str) -> int | None:
    return {"0": 0, "1": 1}.get(form.text(f"fold_{label}"))


def _date(form: Form, name: str, label: str) -> date:
    try:
        return date.fromisoformat(form.text(name))
    except ValueError as error:
        raise _refused(f"{label} Date", "a date, such as 2026-12-24") from error


def _time(form: Form, name: str, label: str) -> time:
    try:
        return time.fromisoformat(form.text(name)).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError as error:
        raise _refused(f"{label}", "a time of day, such as 22:30") from error


def _numbers(words: list[str], allowed: range, label: str) -> frozenset[int]:
    found = set[int]()
    for word in words:
        if not _NUMBER.fullmatch(word) or int(word) not in allowed:
            raise _refused(label, f"numbers from {allowed.start} to {allowed.stop - 1}")
        found.add(int(word))
    return frozenset(found)


def _refused(label: str, rule: str) -> OrchestratorError:
    return OrchestratorError(Code.INVALID_ARGUMENT, f"{label}: {rule}")


def texts(given: Mapping[str, str | list[str]]) -> Form:
    """Fields as a form."""
    return Form(
        {name: [value] if isinstance(value, str) else value for name, value in given.items()}
    )

# SPDX-License-Identifier: Apache-2.0
"""The texts that operators read, and "in maintenance"."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator_stub.maintenance.status import (
    NOT_BACK,
    UPDATE_STATUS,
    cancelled,
    in_maintenance,
    is_by_server,
    is_cancelled,
    rejected,
    status_of_instance,
)
from orchestrator_stub.records import Host, Instance, RepeatedSchedule, SingleSchedule
from orchestrator_stub.schedules.inheritance import Windows
from orchestrator_stub.vocabulary import HostState, InstanceState, ScheduleStatus
from puad.core.wire import StatusType

NOW_S = 1_800_000_000  # 08:00:00 UTC


def test_every_status_type_has_a_text_of_its_own() -> None:
    assert set(UPDATE_STATUS) == set(StatusType)
    assert len({status.text for status in UPDATE_STATUS.values()}) == len(StatusType)


def test_conclusions_of_the_server_are_told_apart_from_reports() -> None:
    gone = cancelled("x").text
    assert is_cancelled(gone)
    assert is_by_server(gone)
    assert is_by_server(NOT_BACK.text)
    assert not is_cancelled(NOT_BACK.text)
    texts = [status.text for status in UPDATE_STATUS.values()] + [rejected("x").text]
    assert not any(is_by_server(text) for text in texts)


@pytest.mark.parametrize(
    ("state", "host_state", "seen_s", "text"),
    [
        (InstanceState.RUNNING, HostState.ONBOARDED, NOW_S, "Running"),
        (InstanceState.RUNNING, HostState.ONBOARDED, None, "Unknown"),
        (InstanceState.RUNNING, HostState.UNTRUSTED, NOW_S, "Unknown"),
        (InstanceState.UNSPECIFIED, HostState.ONBOARDED, None, "Initializing"),
    ],
)
def test_instance_status(
    state: InstanceState, host_state: HostState, seen_s: int | None, text: str
) -> None:
    host = Host(state=host_state, last_seen_s=seen_s)
    assert status_of_instance(Instance(state=state, host=host)).text == text


def single(start_s: int, end_s: int, status: ScheduleStatus) -> Windows:
    end = NOW_S + end_s if end_s else 0
    return Windows((SingleSchedule(start_s=NOW_S + start_s, end_s=end, schedule_status=status),))


def repeated(hour: str, minute: str, duration_s: int, status: ScheduleStatus) -> Windows:
    days: dict[str, Any] = dict.fromkeys(("cron_day_month", "cron_month", "cron_day_week"), "*")
    row = RepeatedSchedule(
        duration_s=duration_s,
        cron_minutes=minute,
        cron_hours=hour,
        schedule_status=status,
        **days,
    )
    return Windows(repeated=(row,))


MAINTENANCE, OS_UPDATE = ScheduleStatus.MAINTENANCE, ScheduleStatus.OS_UPDATE


@pytest.mark.parametrize(
    ("windows", "within"),
    [
        (Windows(), False),
        (single(0, 60, MAINTENANCE), True),
        (single(-60, 0, MAINTENANCE), True),  # open-ended
        (single(1, 60, MAINTENANCE), False),
        (single(-60, -1, MAINTENANCE), False),
        (single(-60, 60, OS_UPDATE), False),
        (repeated("8", "0", 60, OS_UPDATE), True),  # second 0 of a window is in it
        (repeated("7", "0", 3600, MAINTENANCE), True),  # and so is the last
        (repeated("7", "0", 3599, MAINTENANCE), False),
        (repeated("7", "59", 60, MAINTENANCE), True),
        (repeated("7", "58", 60, MAINTENANCE), False),
        (repeated("9", "0", 60, MAINTENANCE), False),
        (repeated("8", "1", 60, MAINTENANCE), False),
    ],
)
def test_in_maintenance_is_computed_from_the_schedules(windows: Windows, within: bool) -> None:
    assert in_maintenance(windows, NOW_S) is within


def test_single_maintenance_ends_with_its_last_second() -> None:
    row = SingleSchedule(start_s=NOW_S - 60, end_s=NOW_S, schedule_status=MAINTENANCE)
    assert in_maintenance(Windows((row,)), NOW_S)
    assert not in_maintenance(Windows((row,)), NOW_S + 1)

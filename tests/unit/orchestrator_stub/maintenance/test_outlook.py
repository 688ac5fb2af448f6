# SPDX-License-Identifier: Apache-2.0
"""Why an instance does not update now."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator_stub.maintenance.outlook import Outlook, OutlookKind, outlook
from orchestrator_stub.records import (
    Host,
    Instance,
    OSResource,
    Policy,
    RepeatedSchedule,
    SingleSchedule,
)
from orchestrator_stub.rollouts.hold import Hold
from orchestrator_stub.schedules.inheritance import Windows
from orchestrator_stub.vocabulary import HostState, PolicyKind, ScheduleStatus
from puad.core.wire import OSType

NOW_S = 1_800_000_000  # 08:00 UTC on a Friday


def resource(number: int, os_type: OSType = OSType.IMMUTABLE, **fields: Any) -> OSResource:
    return OSResource(
        id=f"os-{number}",
        name=f"edge {number}.0",
        image_id=f"{number}.0",
        file_hash=str(number) * 64,
        os_type=os_type.value,
        **fields,
    )


OLD, NEW = resource(1), resource(2)
GONE = resource(3, withdrawn_reason="it breaks")
PACKAGES = resource(4, OSType.MUTABLE)
LATEST = Policy(name="latest", kind=PolicyKind.LATEST)


def instance(
    seen_ago_s: int | None = 10, host_state: HostState = HostState.ONBOARDED, **changes: Any
) -> Instance:
    seen_s = None if seen_ago_s is None else NOW_S - seen_ago_s
    fields = {
        "host": Host(name="edge-1", state=host_state, last_seen_s=seen_s),
        "image_id": "1.0",
        "os": OLD,
        "available_os": NEW,
        "policy": LATEST,
        "update_status": "No new updates available",
        "update_status_s": NOW_S - 500,
        "quarantine": [],
        "released": [],
    }
    return Instance(**{**fields, **changes})


def target(resource: OSResource) -> Policy:
    return Policy(name="target", kind=PolicyKind.TARGET, target_os=resource)


def single(
    start_s: int, end_s: int, status: ScheduleStatus = ScheduleStatus.OS_UPDATE
) -> SingleSchedule:
    end = NOW_S + end_s if end_s else 0
    return SingleSchedule(start_s=NOW_S + start_s, end_s=end, schedule_status=status)


def daily(hour: int, status: ScheduleStatus = ScheduleStatus.OS_UPDATE) -> RepeatedSchedule:
    return RepeatedSchedule(
        duration_s=3600,
        cron_minutes="0",
        cron_hours=str(hour),
        cron_day_month="*",
        cron_month="*",
        cron_day_week="*",
        schedule_status=status,
    )


NIGHT = Windows(repeated=(daily(2),))


@pytest.mark.parametrize(
    ("changes", "kind", "at_s"),
    [
        ({"update_status": "Updating", "seen_ago_s": 9999}, OutlookKind.UPDATING, NOW_S - 500),
        ({"host_state": HostState.UNTRUSTED, "seen_ago_s": 181}, OutlookKind.INVALIDATED, None),
        ({"seen_ago_s": None, "policy": None}, OutlookKind.NO_CONTACT, None),
        ({"seen_ago_s": 181}, OutlookKind.NO_CONTACT, NOW_S - 181),
        ({"policy": None}, OutlookKind.NO_POLICY, None),
        ({"policy": target(GONE)}, OutlookKind.WITHDRAWN, None),
        ({"policy": target(OLD)}, OutlookKind.UP_TO_DATE, None),
        ({"policy": target(PACKAGES)}, OutlookKind.UP_TO_DATE, None),
        ({"available_os": None}, OutlookKind.UP_TO_DATE, None),
        ({"quarantine": [NEW.file_hash]}, OutlookKind.QUARANTINED, None),
        (
            {"quarantine": [NEW.file_hash], "update_status": "Downloading artifacts"},
            OutlookKind.QUARANTINED,
            None,
        ),
        (
            {"quarantine": [NEW.file_hash], "released": [NEW.file_hash]},
            OutlookKind.WAITS_FOR_WINDOW,
            NOW_S + 18 * 3600,
        ),
        ({"quarantine": [OLD.file_hash]}, OutlookKind.WAITS_FOR_WINDOW, NOW_S + 18 * 3600),
        ({"update_status": "Downloading artifacts"}, OutlookKind.UPDATING, NOW_S - 500),
        ({"update_status": "Download complete"}, OutlookKind.WAITS_FOR_WINDOW, NOW_S + 18 * 3600),
        ({"policy": target(NEW)}, OutlookKind.WAITS_FOR_WINDOW, NOW_S + 18 * 3600),
    ],
)
def test_outlook_says_why(changes: dict[str, Any], kind: OutlookKind, at_s: int | None) -> None:
    found = outlook(instance(**changes), NIGHT, NOW_S)
    assert (found.kind, found.at_s) == (kind, at_s)
    assert found.text


@pytest.mark.parametrize("at_s", [None, NOW_S + 60])
def test_rollout_that_has_not_come_so_far_holds_it(at_s: int | None) -> None:
    found = outlook(instance(), NIGHT, NOW_S, Hold("Wave 1 goes on", at_s))
    assert found == Outlook(OutlookKind.HELD_BY_ROLLOUT, "Wave 1 goes on", at_s)


def test_image_that_failed_in_a_rollout_is_in_quarantine_though_the_node_tells_none() -> None:
    found = outlook(instance(), NIGHT, NOW_S, Hold("edge 2.0 failed here", has_failed=True))
    assert found.kind is OutlookKind.QUARANTINED


@pytest.mark.parametrize(
    ("windows", "kind"),
    [
        (Windows(), OutlookKind.NO_WINDOW),
        (NIGHT, OutlookKind.WAITS_FOR_WINDOW),
        (Windows((single(-9, 0),)), OutlookKind.HELD_BY_ROLLOUT),
    ],
)
def test_turn_is_waited_for_only_in_an_open_window(windows: Windows, kind: OutlookKind) -> None:
    assert outlook(instance(), windows, NOW_S, Hold("Its turn", is_turn=True)).kind is kind


MAINTENANCE = ScheduleStatus.MAINTENANCE


@pytest.mark.parametrize(
    ("windows", "kind", "at_s"),
    [
        (Windows(), OutlookKind.NO_WINDOW, None),
        (Windows((single(-100, -50),)), OutlookKind.NO_WINDOW, None),
        (Windows((single(50, 0, MAINTENANCE),)), OutlookKind.NO_WINDOW, None),
        (Windows(repeated=(daily(2, MAINTENANCE),)), OutlookKind.NO_WINDOW, None),
        (Windows((single(-100, 50),)), OutlookKind.WINDOW_OPEN, 50),
        (Windows((single(-100, 0),)), OutlookKind.WINDOW_OPEN, None),
        (Windows((single(-100, 50), single(-10, 90), single(5, 99))), OutlookKind.WINDOW_OPEN, 99),
        (Windows((single(-100, 50), single(-10, 0))), OutlookKind.WINDOW_OPEN, None),
        (Windows((single(400, 500), single(300, 310))), OutlookKind.WAITS_FOR_WINDOW, 300),
        (Windows((single(400, 500),), (daily(8),)), OutlookKind.WINDOW_OPEN, 3600),
        (Windows((single(400, 500),), (daily(9),)), OutlookKind.WAITS_FOR_WINDOW, 400),
        (Windows((single(9999, 0),), (daily(9),)), OutlookKind.WAITS_FOR_WINDOW, 3600),
    ],
)
def test_next_window_is_that_of_all_schedules(
    windows: Windows, kind: OutlookKind, at_s: int | None
) -> None:
    found = outlook(instance(), windows, NOW_S)
    assert (found.kind, found.at_s) == (kind, None if at_s is None else NOW_S + at_s)


def test_every_kind_can_be_told() -> None:
    kinds = {
        outlook(one, windows, NOW_S, held).kind
        for one in (
            instance(),
            instance(None),
            instance(host_state=HostState.UNTRUSTED),
            instance(policy=None),
            instance(policy=target(GONE)),
            instance(available_os=None),
            instance(quarantine=[NEW.file_hash]),
            instance(update_status="Updating"),
        )
        for windows in (NIGHT, Windows(), Windows((single(-1, 0),)))
        for held in (None, Hold("Wave 1 goes on"))
    }
    assert kinds == set(OutlookKind)

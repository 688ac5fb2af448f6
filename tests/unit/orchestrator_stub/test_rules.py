# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's pure rules."""

from __future__ import annotations

import itertools

import pytest

from orchestrator_stub.errors import EXIT_STATUS, HTTP_STATUS, Code
from orchestrator_stub.page import ago
from orchestrator_stub.plan import closest
from orchestrator_stub.resource_manager import is_compatible
from orchestrator_stub.status import SILENT_AFTER_S, UPDATE_STATUS, host_status
from orchestrator_stub.update_run import cause_of
from puad.core.addresses import is_loopback
from puad.core.model import SingleSchedule
from puad.core.update_log import parse_detail
from puad.core.wire import StatusType

NOW_S = 1_000_000


def test_every_status_type_has_a_text_of_its_own() -> None:
    assert set(UPDATE_STATUS) == set(StatusType)
    assert len({status.text for status in UPDATE_STATUS.values()}) == len(StatusType)


def test_every_code_has_statuses() -> None:
    assert set(HTTP_STATUS) == set(EXIT_STATUS) == set(Code)
    assert all(status >= 400 for status in HTTP_STATUS.values())
    assert all(status > 0 for status in EXIT_STATUS.values())


@pytest.mark.parametrize(
    ("seen_ago_s", "text"),
    [
        (None, "Unknown"),
        (0, "Running"),
        (-5, "Running"),
        (SILENT_AFTER_S, "Running"),
        (SILENT_AFTER_S + 1, "No Connection"),
    ],
)
def test_host_status_follows_when_it_was_last_seen(seen_ago_s: int | None, text: str) -> None:
    last_seen_s = None if seen_ago_s is None else NOW_S - seen_ago_s
    assert host_status(last_seen_s, NOW_S).text == text


@pytest.mark.parametrize(
    ("singles", "chosen"),
    [
        ([], None),
        ([(NOW_S - 100, NOW_S)], None),
        ([(NOW_S - 100, NOW_S + 1)], 0),
        ([(NOW_S - 100, NOW_S - 1), (NOW_S + 500, 0)], 1),
        ([(NOW_S + 500, 0), (NOW_S + 400, NOW_S + 401)], 1),
        ([(NOW_S - 10_000_000, 0)], 0),
        ([(NOW_S - 10_000, 0), (NOW_S + 100, 0)], 1),
        ([(NOW_S - 50, 0), (NOW_S + 100, 0)], 0),
        ([(NOW_S - 50, 0), (NOW_S + 50, 0)], 0),
    ],
)
def test_closest_single_schedule_that_is_not_over_is_chosen(
    singles: list[tuple[int, int]], chosen: int | None
) -> None:
    schedules = [SingleSchedule(start_s, end_s) for start_s, end_s in singles]
    wanted = None if chosen is None else schedules[chosen]
    for order in itertools.permutations(schedules):
        assert closest(order, NOW_S) == wanted


@pytest.mark.parametrize(
    ("app_version", "revision", "compatible"),
    [
        ("", "", True),
        ("nonsense", "", True),
        ("1.2.3", "1.2.3", True),
        ("1.2.4", "1.2.3", False),
        ("1.2.3", "~1.2.3", True),
        ("1.2.10", "~1.2.3", True),
        ("1.2.2", "~1.2.3", False),
        ("1.3.3", "~1.2.3", False),
        ("2.2.3", "~1.2.3", False),
        ("~1.2.3", "~1.2.3", False),
        ("1.2", "~1.2.3", False),
        ("1.2.3-dev", "~1.2.3", False),
        ("", "~1.2.3", False),
        ("1.2.3", "latest", False),
    ],
)
def test_revision_rule_decides_compatibility(
    app_version: str, revision: str, compatible: bool
) -> None:
    assert is_compatible(app_version, revision) is compatible


@pytest.mark.parametrize(
    ("host", "stays"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("", False),
    ],
)
def test_only_loopback_is_loopback(host: str, stays: bool) -> None:
    assert is_loopback(host) is stays


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "under a minute ago"),
        (59, "under a minute ago"),
        (60, "1 min ago"),
        (7199, "119 min ago"),
        (7200, "2 h ago"),
        (172_799, "47 h ago"),
        (172_800, "2 days ago"),
    ],
)
def test_ago_uses_one_fitting_unit(seconds: int, text: str) -> None:
    assert ago(seconds) == text


def test_cause_ignores_times_and_tells_failures_apart() -> None:
    def log(time: str, reason: str, text: str) -> str:
        entry = f'"update_time": "{time}", "failure_reason": "{reason}", "failure_log": "{text}"'
        return cause_of(parse_detail('{"update_log": [{"status": "failed", ' + entry + "}]}"))

    first = log("2026-01-01T00:00:00Z", "download", "no route")
    assert first == log("2026-02-02T00:00:00Z", "download", "no route")
    assert first != log("2026-01-01T00:00:00Z", "utwrite", "no route")
    assert first != log("2026-01-01T00:00:00Z", "download", "no name")

# SPDX-License-Identifier: Apache-2.0
"""The status of a host, in Python; in SQL it is compared with this wherever SQL is asked for it."""

from __future__ import annotations

import pytest

from orchestrator_stub.maintenance.host_status import (
    BOOTING_FOR_S,
    SILENT_AFTER_S,
    status_of_host,
)
from orchestrator_stub.records import Host, Instance
from orchestrator_stub.vocabulary import HostState, Indication

NOW_S = 1_800_000_000


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
    host = Host(state=HostState.ONBOARDED, last_seen_s=last_seen_s)
    assert status_of_host(host, NOW_S).text == text


def test_untrusted_host_is_invalidated() -> None:
    host = Host(state=HostState.UNTRUSTED, last_seen_s=NOW_S)
    assert status_of_host(host, NOW_S).text == "Invalidated"


@pytest.mark.parametrize(
    ("silent_s", "status", "text"),
    [
        (SILENT_AFTER_S + 1, "Updating", "Booting"),
        (BOOTING_FOR_S, "Updating", "Booting"),
        (BOOTING_FOR_S + 1, "Updating", "No Connection"),
        (SILENT_AFTER_S + 1, "Downloading artifacts", "No Connection"),
        (10, "Updating", "Running"),
    ],
)
def test_host_that_updates_may_be_silent_for_a_boot(silent_s: int, status: str, text: str) -> None:
    host = Host(
        state=HostState.ONBOARDED,
        last_seen_s=NOW_S - silent_s,
        instance=Instance(update_status=status),
    )
    found = status_of_host(host, NOW_S)
    assert found.text == text
    assert (found.indicator is Indication.IN_PROGRESS) == (text == "Booting")

# SPDX-License-Identifier: Apache-2.0
"""A node that always has something new is slowed down, and nobody else is."""

from __future__ import annotations

import pytest

from orchestrator_stub.errors import ThrottledError
from orchestrator_stub.maintenance import pace
from orchestrator_stub.maintenance.pace import AT_ONCE
from tests.unit.orchestrator_stub.maintenance.fleet import Edge, Fleet, failure


def fail_anew(fleet: Fleet, edge: Edge, first: int, count: int) -> int:
    """So many polls that each tell of another failure; how many of them are written."""
    written = fleet.manager.tally.written
    for number in range(first, first + count):
        try:
            fleet.poll(edge, "FAILED", status_detail=failure("x", number))
        except ThrottledError:
            continue
    return fleet.manager.tally.written - written


def test_node_that_fails_anew_with_each_poll_is_slowed_down(fleet: Fleet, edge: Edge) -> None:
    assert fail_anew(fleet, edge, 0, AT_ONCE + 30) == AT_ONCE
    assert len(fleet.runs(edge)) == AT_ONCE
    assert fail_anew(fleet, fleet.enrol(), 0, 3) == 3
    fleet.later(20)
    assert fail_anew(fleet, edge, 1000, 30) == 20


def test_node_that_tells_the_same_again_is_always_answered(fleet: Fleet, edge: Edge) -> None:
    fail_anew(fleet, edge, 0, AT_ONCE)
    for _ in range(3):
        fleet.poll(edge, "FAILED", status_detail=failure("x", AT_ONCE - 1))
    with pytest.raises(ThrottledError, match="something new too often"):
        fleet.poll(edge, "UP_TO_DATE")


def test_memory_is_bounded(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MOST_KNOWN", 2)
    for _ in range(4):
        fail_anew(fleet, fleet.enrol(), 0, 1)
    assert len(fleet.manager._pace._known) == 2

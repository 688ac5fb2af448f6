# SPDX-License-Identifier: Apache-2.0
"""When nodes were last seen: kept in memory, written in batches."""

from __future__ import annotations

import time

import pytest

from orchestrator_stub.maintenance import MaintenanceManager
from orchestrator_stub.maintenance.presence import WRITTEN_EVERY_S, Presence
from tests.unit.orchestrator_stub.maintenance.fleet import START_S, Edge, Fleet, new_manager


def test_first_poll_is_written_at_once(fleet: Fleet, edge: Edge) -> None:
    assert fleet.host(edge).last_seen_s is None
    fleet.poll(edge, "UP_TO_DATE")
    assert fleet.host(edge).last_seen_s == START_S


def test_last_seen_is_written_once_a_minute_in_one_statement(fleet: Fleet) -> None:
    edges = [fleet.enrol() for _ in range(7)]
    for edge in edges:
        fleet.poll(edge, "UP_TO_DATE")
    with fleet.writes() as writes:
        for _ in range(12):
            fleet.later(10)
            for edge in edges:
                fleet.poll(edge, "UP_TO_DATE")
            fleet.manager.presence.flush(fleet.now_s)
    assert len(writes) == 2
    assert all(statement.startswith("UPDATE host") for statement in writes)
    assert {fleet.host(edge).last_seen_s for edge in edges} == {START_S + 120}
    assert fleet.manager.presence.seen_s(edges[0].host_id) == START_S + 120


def test_being_seen_is_no_change_of_the_host(fleet: Fleet, edge: Edge) -> None:
    fleet.poll(edge, "UP_TO_DATE")
    before = fleet.host(edge)
    fleet.later(WRITTEN_EVERY_S)
    fleet.poll(edge, "UP_TO_DATE")
    fleet.manager.presence.flush(fleet.now_s)
    after = fleet.host(edge)
    assert (after.version, after.updated_s) == (before.version, before.updated_s)
    assert after.last_seen_s == fleet.now_s


def test_time_never_goes_back(fleet: Fleet, edge: Edge) -> None:
    late, early = Presence(fleet.database), Presence(fleet.database)
    late.note(edge.host_id, START_S + 100)
    early.note(edge.host_id, START_S)
    late.flush(START_S + 100)
    early.flush(START_S + 100)
    assert fleet.host(edge).last_seen_s == START_S + 100
    late.note(edge.host_id, START_S + 50)
    assert late.seen_s(edge.host_id) == START_S + 100


def test_stop_writes_what_is_new(fleet: Fleet, edge: Edge) -> None:
    for _ in range(2):
        fleet.poll(edge, "UP_TO_DATE")
    fleet.later(7)
    fleet.poll(edge, "UP_TO_DATE")
    fleet.manager.presence.flush(fleet.now_s)
    assert fleet.host(edge).last_seen_s == START_S
    fleet.manager.stop()
    assert fleet.host(edge).last_seen_s == START_S + 7


def test_deleted_host_is_no_trouble(fleet: Fleet) -> None:
    fleet.manager.presence.note("host-00000000", START_S)
    assert fleet.manager.presence.flush(START_S) == 1


def test_host_that_is_gone_is_forgotten(fleet: Fleet, edge: Edge) -> None:
    presence = fleet.manager.presence
    presence.note(edge.host_id, START_S)
    presence.flush(START_S + 3600)
    assert presence.seen_s(edge.host_id) is None
    assert fleet.host(edge).last_seen_s == START_S


def test_batches_are_bounded(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator_stub.maintenance.presence._AT_ONCE", 2)
    edges = [fleet.enrol() for _ in range(5)]
    for edge in edges:
        fleet.manager.presence.note(edge.host_id, START_S)
    with fleet.writes() as writes:
        fleet.manager.presence.flush(START_S)
    assert len(writes) == 3
    assert {fleet.host(edge).last_seen_s for edge in edges} == {START_S}


def test_sweeper_thread_writes_by_itself_and_ends(fleet: Fleet, edge: Edge) -> None:
    manager: MaintenanceManager = new_manager(fleet.database, sweep_period_s=0)
    now_s = int(time.time())
    manager.presence.note(edge.host_id, now_s)
    manager.start()
    end = time.monotonic() + 60
    while fleet.host(edge).last_seen_s != now_s:
        assert time.monotonic() < end
        time.sleep(0.01)
    manager.stop()
    assert not manager._sweeper._thread.is_alive()

# SPDX-License-Identifier: Apache-2.0
"""What is looked after without a poll, by one process or by several at once."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from orchestrator_stub import rollouts
from orchestrator_stub.records import Instance, UpdateRun
from tests.unit.orchestrator_stub.maintenance.fleet import Edge, Fleet, failure, new_manager

HOUR_S = 3600
DAY_S = 86_400


def test_several_processes_sweep_at_once_and_each_run_ends_once(fleet: Fleet) -> None:
    policy = fleet.policy()
    edges = [fleet.enrol() for _ in range(12)]
    for edge in edges:
        fleet.link(edge, policy)
        fleet.poll(edge, "DOWNLOADING")
    silent = edges[:6]
    for edge in silent:
        fleet.poll(edge, "STARTED")
    fleet.later(HOUR_S + 1)
    for edge in edges[6:]:
        fleet.link(edge, None)
    managers = [new_manager(fleet.database) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda manager: manager.sweep(fleet.now_s), managers))
    fleet.sweep()
    for edge in edges:
        run = fleet.run(edge)
        assert run.end_s == fleet.now_s
        gone = "did not come back" if edge in silent else "was unlinked"
        assert gone in run.status


def test_sweep_that_finds_nothing_writes_nothing(fleet: Fleet, edge: Edge) -> None:
    fleet.link(edge, fleet.policy())
    fleet.poll(edge, "DOWNLOADING")
    fleet.sweep()
    with fleet.writes() as writes:
        fleet.sweep()
    assert writes == []


@pytest.mark.parametrize("dialect", ["postgresql"], scope="session")
def test_run_that_was_locked_when_its_image_was_withdrawn_ends_with_the_next_sweep(
    fleet: Fleet, edge: Edge
) -> None:
    """A poll had read what is wanted just before, and its node is not heard of any more."""
    fleet.publish("3.0")  # what is available stays, so that only the run has to change
    fleet.link(edge, fleet.policy("2.0"))
    fleet.poll(edge, "DOWNLOADING")
    fleet.sweep()
    fleet.sweep()
    with fleet.database.writing() as session:
        wanted = select(Instance.id).where(Instance.id == edge.instance_id)
        session.execute(wanted.with_for_update())
        fleet.withdraw("2.0")
        fleet.sweep()
        assert fleet.run(edge).status == "Downloading artifacts"
    fleet.sweep()
    assert fleet.run(edge).status == "Cancelled: image 2.0 was withdrawn: it breaks"


def test_available_update_is_healed_when_the_revision_has_risen(fleet: Fleet, edge: Edge) -> None:
    assert fleet.instance(edge).available_os_id == fleet.os_id("2.0")
    fleet.sweep()
    with fleet.database.writing() as session:
        session.execute(update(Instance).values(available_os_id=None))
    fleet.sweep()
    assert fleet.instance(edge).available_os_id is None
    fleet.policy()  # anything that raises the revision
    fleet.sweep()
    assert fleet.instance(edge).available_os_id == fleet.os_id("2.0")


def test_rollouts_are_moved_on(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def sweep(session: Session, now_s: int) -> None:
        assert session.in_transaction()
        seen.append(now_s)

    monkeypatch.setattr(rollouts, "sweep", sweep)
    fleet.sweep()
    assert seen == [fleet.now_s]


def old_runs(fleet: Fleet, edge: Edge, count: int) -> None:
    for number in range(count):
        fleet.poll(edge, "FAILED", status_detail=failure(at_s=fleet.now_s + number))


def test_old_runs_are_deleted_but_not_the_last_and_none_that_is_open(fleet: Fleet) -> None:
    at_rest, at_work = fleet.enrol(), fleet.enrol()
    old_runs(fleet, at_rest, 3)
    old_runs(fleet, at_work, 2)
    fleet.poll(at_work, "DOWNLOADING")
    fleet.later(30 * DAY_S)
    fleet.sweep()
    assert len(fleet.runs(at_rest)) == 3
    fleet.later(HOUR_S)
    fleet.sweep()
    assert [run.number for run in fleet.runs(at_rest)] == [3]
    assert [run.number for run in fleet.runs(at_work)] == [3]


def test_numbers_go_on_after_old_runs_were_deleted(fleet: Fleet, edge: Edge) -> None:
    old_runs(fleet, edge, 3)
    fleet.later(31 * DAY_S)
    fleet.sweep()
    fleet.poll(edge, "DOWNLOADING")
    assert [run.number for run in fleet.runs(edge)] == [3, 4]


def test_retention_is_configurable(fleet: Fleet, edge: Edge) -> None:
    fleet.manager = new_manager(fleet.database, retention_s=DAY_S)
    old_runs(fleet, edge, 2)
    fleet.later(DAY_S + 1)
    fleet.sweep()
    assert len(fleet.runs(edge)) == 1


def test_runs_of_one_instance_are_bounded(
    fleet: Fleet, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator_stub.maintenance.retention.MAX_RUNS", 3)
    other = fleet.enrol()
    old_runs(fleet, other, 2)
    old_runs(fleet, edge, 8)
    assert [run.number for run in fleet.runs(other)] == [1, 2]
    assert [run.number for run in fleet.runs(edge)] == [6, 7, 8]


def test_runs_are_tidied_once_an_hour(fleet: Fleet, edge: Edge) -> None:
    fleet.later(40 * DAY_S)
    fleet.sweep()
    old_runs(fleet, edge, 2)
    with fleet.database.writing() as session:
        session.execute(update(UpdateRun).values(end_s=1))
    fleet.later(HOUR_S - 1)
    fleet.sweep()
    assert len(fleet.runs(edge)) == 2
    fleet.later(1)
    fleet.sweep()
    assert len(fleet.runs(edge)) == 1


def test_sweeper_survives_a_database_that_does_not_answer(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    sweeper = fleet.manager._sweeper
    with caplog.at_level(logging.ERROR):
        sweeper._attempt(fail)
        fleet.database._engines.close()
        monkeypatch.setattr(sweeper._presence, "flush", fail)
        sweeper._attempt(lambda: sweeper.sweep(fleet.now_s))
    assert caplog.text.count("were not looked after") == 2

# SPDX-License-Identifier: Apache-2.0
"""Runs count when their end is committed, whoever writes it."""

from __future__ import annotations

from contextlib import suppress

import pytest

from orchestrator_stub.database import Database
from orchestrator_stub.observability import run_ends
from orchestrator_stub.observability.metrics import RunEnd
from orchestrator_stub.records import UpdateRun
from tests.unit.orchestrator_stub.maintenance.fleet import Edge, Fleet, failure, new_fleet


@pytest.fixture
def ends(database: Database) -> list[RunEnd]:
    found: list[RunEnd] = []
    run_ends.watch(database.sessions, found.append)
    return found


@pytest.fixture
def fleet(database: Database) -> Fleet:
    made = new_fleet(database)
    made.publish("1.0", "2.0")
    return made


@pytest.fixture
def edge(fleet: Fleet) -> Edge:
    """A host whose policy wants 2.0."""
    made = fleet.enrol()
    fleet.link(made, fleet.policy())
    return made


def test_run_that_goes_on_does_not_count(fleet: Fleet, edge: Edge, ends: list[RunEnd]) -> None:
    for status in ("DOWNLOADING", "DOWNLOADED", "STARTED"):
        fleet.poll(edge, status, os_image_id="1.0")
        fleet.later()
    assert ends == []


def test_run_that_is_completed_counts_once(fleet: Fleet, edge: Edge, ends: list[RunEnd]) -> None:
    fleet.poll(edge, "STARTED", os_image_id="1.0")
    for _ in range(3):
        fleet.later()
        fleet.poll(edge, "UPDATED", profile_name="edge", os_image_id="2.0")
    assert ends == [RunEnd.COMPLETED]


def test_failure_counts_once_with_and_without_an_open_run(
    fleet: Fleet, edge: Edge, ends: list[RunEnd]
) -> None:
    for cause in ("first", "first", "second"):
        fleet.later()
        detail = failure(cause, at_s=fleet.now_s if cause == "second" else 1)
        fleet.poll(edge, "FAILED", status_detail=detail, os_image_id="1.0")
    assert ends == [RunEnd.FAILED, RunEnd.FAILED]


def test_run_that_the_server_cancels_counts(fleet: Fleet, edge: Edge, ends: list[RunEnd]) -> None:
    fleet.poll(edge, "DOWNLOADING", os_image_id="1.0")
    fleet.link(edge, None)
    fleet.sweep()
    assert ends == [RunEnd.CANCELLED]


def test_run_that_the_server_gives_up_and_the_node_ends_counts_twice(
    fleet: Fleet, edge: Edge, ends: list[RunEnd]
) -> None:
    fleet.poll(edge, "STARTED", os_image_id="1.0")
    fleet.later(3700)
    fleet.sweep()
    fleet.later()
    fleet.poll(edge, "UPDATED", profile_name="edge", os_image_id="2.0")
    assert ends == [RunEnd.FAILED, RunEnd.COMPLETED]


def test_end_that_is_not_committed_does_not_count(
    database: Database, fleet: Fleet, edge: Edge, ends: list[RunEnd]
) -> None:
    fleet.poll(edge, "DOWNLOADING", os_image_id="1.0")
    run = fleet.run(edge)

    def end_and_fail() -> None:
        with database.writing() as session:
            session.get_one(UpdateRun, run.id).end_s = fleet.now_s
            session.flush()
            raise RuntimeError("stop")

    with suppress(RuntimeError):
        end_and_fail()
    fleet.poll(edge, "DOWNLOADED", os_image_id="1.0")
    assert ends == []


def test_each_database_has_its_own_listener(fleet: Fleet, edge: Edge, ends: list[RunEnd]) -> None:
    other = Database("sqlite://")
    others: list[RunEnd] = []
    run_ends.watch(other.sessions, others.append)
    fleet.poll(edge, "FAILED", status_detail=failure(), os_image_id="1.0")
    other.close()
    assert (ends, others) == ([RunEnd.FAILED], [])

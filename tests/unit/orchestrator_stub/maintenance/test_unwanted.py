# SPDX-License-Identifier: Apache-2.0
"""Runs that end before STARTED because their image is not wanted any more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from orchestrator_stub.maintenance.update_run import HEARD_AFTER_S
from orchestrator_stub.records import OPEN_END_S, Rollout
from orchestrator_stub.rollouts.control import stop
from orchestrator_stub.vocabulary import Indication
from tests.unit.orchestrator_stub.maintenance.fleet import START_S, Edge, Fleet, failure

Way = Callable[[Fleet, Edge], None]


def by_sweep(fleet: Fleet, _edge: Edge) -> None:
    fleet.sweep()


def by_the_next_poll(fleet: Fleet, edge: Edge) -> None:
    fleet.poll(edge, "DOWNLOADING")


def by_the_nodes_own_end(fleet: Fleet, edge: Edge) -> None:
    fleet.poll(edge, "UP_TO_DATE", os_image_id="1.0")


WAYS = pytest.mark.parametrize("way", [by_sweep, by_the_next_poll, by_the_nodes_own_end])


def begin(fleet: Fleet, edge: Edge, policy_id: str) -> None:
    fleet.link(edge, policy_id)
    fleet.poll(edge, "DOWNLOADING")
    fleet.sweep()
    assert fleet.run(edge).end_s == OPEN_END_S
    fleet.later()


@WAYS
def test_unlinked_policy_cancels_the_run(fleet: Fleet, edge: Edge, way: Way) -> None:
    begin(fleet, edge, fleet.policy())
    fleet.link(edge, None)
    way(fleet, edge)
    run = fleet.run(edge)
    assert run.status == "Cancelled: the OS update policy was unlinked"
    assert (run.status_indicator, run.end_s) == (Indication.IDLE, START_S + 20)


@WAYS
def test_changed_policy_cancels_the_run(fleet: Fleet, edge: Edge, way: Way) -> None:
    begin(fleet, edge, fleet.policy("2.0"))
    fleet.link(edge, fleet.policy("1.0"))
    way(fleet, edge)
    status = fleet.run(edge).status
    assert status == "Cancelled: the OS update policy was changed: 1.0 is wanted now"


@WAYS
def test_newer_image_cancels_the_run_of_latest(fleet: Fleet, edge: Edge, way: Way) -> None:
    begin(fleet, edge, fleet.policy())
    fleet.publish("3.0")
    way(fleet, edge)
    assert fleet.run(edge).status == "Cancelled: 3.0 is wanted now"


@WAYS
def test_withdrawn_image_cancels_the_run(fleet: Fleet, edge: Edge, way: Way) -> None:
    begin(fleet, edge, fleet.policy("2.0"))
    fleet.withdraw("2.0", "it eats data")
    way(fleet, edge)
    assert fleet.run(edge).status == "Cancelled: image 2.0 was withdrawn: it eats data"


def test_other_policy_that_wants_the_same_image_takes_the_run_over(
    fleet: Fleet, edge: Edge
) -> None:
    begin(fleet, edge, fleet.policy())
    other = fleet.policy("2.0")
    fleet.link(edge, other)
    fleet.sweep()
    fleet.poll(edge, "DOWNLOADING")
    run = fleet.run(edge)
    assert (run.end_s, run.policy_id) == (OPEN_END_S, other)


def test_run_that_has_started_is_not_cancelled(fleet: Fleet, edge: Edge) -> None:
    begin(fleet, edge, fleet.policy())
    fleet.poll(edge, "STARTED")
    fleet.link(edge, None)
    fleet.sweep()
    fleet.poll(edge, "STARTED")
    assert fleet.run(edge).end_s == OPEN_END_S
    fleet.poll(edge, "DOWNLOADED")  # its reboot was put off
    assert fleet.run(edge).status == "Cancelled: the OS update policy was unlinked"


def test_run_that_no_policy_asked_for_is_not_cancelled(fleet: Fleet, edge: Edge) -> None:
    fleet.poll(edge, "DOWNLOADING")
    fleet.link(edge, fleet.policy("1.0"))
    fleet.sweep()
    fleet.poll(edge, "DOWNLOADED")
    assert fleet.run(edge).end_s == OPEN_END_S


@pytest.mark.parametrize("status", ["DOWNLOADING", "STARTED"])
def test_run_while_the_policy_offers_nothing_is_the_nodes_own(
    fleet: Fleet, edge: Edge, status: str
) -> None:
    fleet.poll(edge, "UP_TO_DATE", os_image_id="3.0")
    fleet.link(edge, fleet.policy())  # LATEST never goes down
    fleet.poll(edge, status, os_image_id="3.0")
    with fleet.writes() as writes:
        fleet.poll(edge, status, os_image_id="3.0")
    fleet.sweep()
    run = fleet.run(edge)
    assert (writes, run.policy_id, run.end_s) == ([], None, OPEN_END_S)
    fleet.poll(edge, "UP_TO_DATE", os_image_id="3.0")
    assert fleet.run(edge).status == "No new updates available"


def test_what_is_still_downloaded_is_no_new_run(fleet: Fleet, edge: Edge) -> None:
    begin(fleet, edge, fleet.policy())
    fleet.link(edge, None)
    for percent in range(10):
        fleet.poll(edge, "DOWNLOADING", progress_percent=percent)
        fleet.later(HEARD_AFTER_S)
    assert len(fleet.runs(edge)) == 1
    fleet.poll(edge, "UP_TO_DATE", os_image_id="1.0")
    fleet.poll(edge, "DOWNLOADING")
    assert len(fleet.runs(edge)) == 2


def test_another_image_is_a_new_run_once_the_node_has_heard_of_it(fleet: Fleet, edge: Edge) -> None:
    begin(fleet, edge, fleet.policy())
    fleet.publish("3.0")
    fleet.poll(edge, "DOWNLOADING", progress_percent=80)
    fleet.later()
    fleet.poll(edge, "DOWNLOADING", progress_percent=90)
    assert len(fleet.runs(edge)) == 1
    fleet.later(HEARD_AFTER_S)
    fleet.poll(edge, "DOWNLOADING", progress_percent=90)
    old, new = fleet.runs(edge)
    assert (old.status, new.image_id) == ("Cancelled: 3.0 is wanted now", "3.0")


def test_same_image_wanted_again_is_a_new_run(fleet: Fleet, edge: Edge) -> None:
    policy = fleet.policy()
    begin(fleet, edge, policy)
    fleet.link(edge, None)
    fleet.sweep()
    fleet.link(edge, policy)
    fleet.poll(edge, "DOWNLOADING")
    assert [run.image_id for run in fleet.runs(edge)] == ["2.0", "2.0"]
    assert fleet.runs(edge)[-1].end_s == OPEN_END_S


@pytest.mark.parametrize(
    ("status", "report", "text"),
    [
        ("STARTED", {}, "Updating"),
        ("UPDATED", {"os_image_id": "2.0"}, "Update completed"),
        ("UP_TO_DATE", {"os_image_id": "2.0"}, "Update completed"),
        ("FAILED", {"status_detail": failure()}, "Update failed"),
    ],
)
def test_late_report_restores_the_truth_of_a_cancelled_run(
    fleet: Fleet, edge: Edge, status: str, report: dict[str, str], text: str
) -> None:
    begin(fleet, edge, fleet.policy())
    fleet.link(edge, None)
    fleet.sweep()
    fleet.later()
    fleet.poll(edge, status, **report)
    assert fleet.run(edge).status == text


def test_failure_of_an_older_image_does_not_touch_a_cancelled_run(fleet: Fleet, edge: Edge) -> None:
    begin(fleet, edge, fleet.policy())
    fleet.link(edge, None)
    fleet.sweep()
    fleet.poll(edge, "FAILED", status_detail=failure(image="1.5"))
    assert [run.status for run in fleet.runs(edge)] == [
        "Cancelled: the OS update policy was unlinked",
        "Update failed",
    ]


def test_sweep_cancels_many_in_batches(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator_stub.maintenance.unwanted.BATCH", 2)
    policy = fleet.policy()
    edges = [fleet.enrol() for _ in range(5)]
    for edge in edges:
        begin(fleet, edge, policy)
    fleet.publish("3.0")
    fleet.sweep()
    assert {fleet.run(edge).status for edge in edges} == {"Cancelled: 3.0 is wanted now"}


def test_rollout_that_is_stopped_cancels_the_run(fleet: Fleet, edge: Edge) -> None:
    policy = fleet.policy(rollout={"waves": [{"percent": 100}]})
    fleet.link(edge, policy)
    fleet.sweep()  # makes the rollout and offers the image
    begin(fleet, edge, policy)
    with fleet.database.writing() as session:
        stop(session, session.scalars(select(Rollout)).one(), "ada", now_s=fleet.now_s)
    fleet.sweep()
    assert fleet.run(edge).status == "Cancelled: the rollout does not offer it now"

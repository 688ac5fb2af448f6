# SPDX-License-Identifier: Apache-2.0
"""Nodes that do not come back after STARTED, and what they say when they do."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator_stub.database import Database
from orchestrator_stub.maintenance import MaintenanceManager, MaintenanceSettings
from orchestrator_stub.records import OPEN_END_S
from orchestrator_stub.vocabulary import Indication
from puad.core.update_log import LogStatus, parse_detail
from tests.unit.orchestrator_stub.maintenance.fleet import (
    START_S,
    Edge,
    Fleet,
    failure,
    new_fleet,
    new_manager,
)

HOUR_S = 3600
NOT_BACK = "Update failed: node did not come back"


def begin(fleet: Fleet, edge: Edge) -> None:
    fleet.link(edge, fleet.policy())
    fleet.poll(edge, "DOWNLOADING", progress_percent=50)
    fleet.later()
    fleet.poll(edge, "STARTED", os_image_id="1.0", phase="rebooting")


def fall_silent(fleet: Fleet, edge: Edge) -> None:
    begin(fleet, edge)
    fleet.later(HOUR_S + 61)
    fleet.sweep()
    assert fleet.run(edge).status == NOT_BACK


def test_silence_after_started_ends_the_run(fleet: Fleet, edge: Edge) -> None:
    begin(fleet, edge)
    fleet.later(HOUR_S)
    fleet.sweep()
    assert fleet.run(edge).end_s == OPEN_END_S
    fleet.later(1)
    fleet.sweep()
    run, instance = fleet.run(edge), fleet.instance(edge)
    assert (run.status, run.status_indicator) == (NOT_BACK, Indication.ERROR)
    assert run.end_s == run.status_s == fleet.now_s
    (entry,) = parse_detail(run.status_details)
    assert (entry.status, entry.version) == (LogStatus.FAILED, "2.0")
    assert entry.failure_log == (
        "node did not come back: it has not reported for 60 min after it began"
    )
    assert (instance.update_status, instance.update_status_indicator) == (
        NOT_BACK,
        Indication.ERROR,
    )
    assert (instance.phase, instance.update_progress_percent) == ("", None)


def test_node_that_goes_on_reporting_is_never_given_up(fleet: Fleet, edge: Edge) -> None:
    begin(fleet, edge)
    for _ in range(20):
        fleet.later(HOUR_S - 100)
        fleet.poll(edge, "STARTED", os_image_id="1.0", phase="rebooting")
        fleet.sweep()
    assert fleet.run(edge).end_s == OPEN_END_S


@pytest.mark.parametrize("status", ["DOWNLOADING", "DOWNLOADED"])
def test_silence_before_started_ends_nothing(fleet: Fleet, edge: Edge, status: str) -> None:
    begin(fleet, edge)
    fleet.poll(edge, status)
    fleet.later(100 * HOUR_S)
    fleet.sweep()
    assert fleet.run(edge).end_s == OPEN_END_S


def test_time_out_is_configurable(database: Database) -> None:
    fleet = new_fleet(database, silence_s=300)
    fleet.publish("1.0", "2.0")
    edge = fleet.enrol()
    begin(fleet, edge)
    fleet.later(301)
    fleet.sweep()
    assert "for 5 min after" in fleet.run(edge).status_details


def test_silence_while_no_orchestrator_ran_does_not_count(fleet: Fleet, edge: Edge) -> None:
    begin(fleet, edge)
    fleet.later(10 * HOUR_S)
    restarted = MaintenanceManager(fleet.database, MaintenanceSettings(), since_s=fleet.now_s)
    restarted.sweep(fleet.now_s + 10)
    assert fleet.run(edge).end_s == OPEN_END_S
    restarted.sweep(fleet.now_s + HOUR_S + 1)
    assert fleet.run(edge).status == NOT_BACK


@pytest.mark.parametrize(
    ("status", "report", "text", "is_open"),
    [
        ("STARTED", {"os_image_id": "2.0"}, "Updating", True),
        ("UPDATED", {"os_image_id": "2.0"}, "Update completed", False),
        ("UP_TO_DATE", {"os_image_id": "2.0"}, "Update completed", False),
        ("FAILED", {"os_image_id": "1.0", "status_detail": failure()}, "Update failed", False),
        ("FAILED", {"os_image_id": "1.0"}, "Update failed", False),
    ],
)
def test_late_report_restores_the_truth(
    fleet: Fleet, edge: Edge, status: str, report: dict[str, Any], text: str, is_open: bool
) -> None:
    fall_silent(fleet, edge)
    fleet.later()
    fleet.poll(edge, status, **report)
    run = fleet.run(edge)
    assert (run.status, run.end_s == OPEN_END_S) == (text, is_open)
    assert fleet.instance(edge).update_status != NOT_BACK
    assert "did not come back" not in run.status_details


def test_node_that_is_back_on_its_old_image_did_not_bring_the_update(
    fleet: Fleet, edge: Edge
) -> None:
    fall_silent(fleet, edge)
    fleet.poll(edge, "UP_TO_DATE", os_image_id="1.0")
    assert fleet.run(edge).status == NOT_BACK
    assert fleet.instance(edge).update_status == "No new updates available"
    fleet.poll(edge, "UPDATED", os_image_id="2.0")
    assert [run.status for run in fleet.runs(edge)] == [NOT_BACK, "Update completed"]


def test_restored_run_can_fall_silent_again(fleet: Fleet, edge: Edge) -> None:
    fall_silent(fleet, edge)
    fleet.later()
    fleet.poll(edge, "STARTED", os_image_id="2.0")
    fleet.later(HOUR_S)
    fleet.sweep()
    assert fleet.run(edge).end_s == OPEN_END_S
    fleet.later(61)
    fleet.sweep()
    assert fleet.run(edge).status == NOT_BACK


def test_new_download_after_silence_is_a_new_run(fleet: Fleet, edge: Edge) -> None:
    fall_silent(fleet, edge)
    fleet.poll(edge, "DOWNLOADING")
    assert [run.status for run in fleet.runs(edge)] == [NOT_BACK, "Downloading artifacts"]


def test_second_process_does_not_give_up_what_polls_at_the_first(fleet: Fleet, edge: Edge) -> None:
    other = new_manager(fleet.database)
    begin(fleet, edge)
    for _ in range(200):
        fleet.later(20)
        fleet.poll(edge, "STARTED", os_image_id="1.0", phase="rebooting")
        fleet.manager.presence.flush(fleet.now_s)
    other.sweep(fleet.now_s)
    assert fleet.run(edge).end_s == OPEN_END_S
    assert fleet.now_s - START_S > HOUR_S


def test_many_are_given_up_in_batches(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator_stub.maintenance.silence.BATCH", 2)
    edges = [fleet.enrol() for _ in range(5)]
    for edge in edges:
        begin(fleet, edge)
    fleet.later(HOUR_S + 1)
    fleet.sweep()
    assert {fleet.run(edge).status for edge in edges} == {NOT_BACK}

# SPDX-License-Identifier: Apache-2.0
"""The history of update runs, whatever happens in whatever order."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator_stub.database import Database
from orchestrator_stub.maintenance.status import NOT_BACK, UPDATE_STATUS, is_cancelled
from orchestrator_stub.maintenance.update_run import CLOSING
from orchestrator_stub.records import OPEN_END_S, UpdateRun
from orchestrator_stub.vocabulary import Indication
from puad.core.model import Assessment, SlotState
from puad.core.update_log import parse_detail
from puad.core.wire import SlotReport, StatusType
from tests.unit.orchestrator_stub.maintenance.fleet import (
    START_S,
    Edge,
    Fleet,
    failure,
    new_fleet,
)

SILENCE_S = 600
DETAILS = ["", "broken", failure("a"), failure("b"), failure("a", START_S + 5), failure("c", None)]
REPORTS = st.fixed_dictionaries(
    {
        "status": st.sampled_from([status.name for status in StatusType]),
        "status_detail": st.sampled_from(DETAILS),
        "profile_name": st.sampled_from(["", "edge", "other"]),
        "os_image_id": st.sampled_from(["", "1.0", "2.0", "9.9"]),
        "quarantine": st.sampled_from([None, (), ("ab" * 32,)]),
    }
)
STEPS = st.one_of(
    REPORTS,
    st.sampled_from(["unlink", "latest", "target 2.0", "target 1.0", "publish", "withdraw"]),
    st.sampled_from(["sweep", "silence", "wait"]),
)


@dataclass
class Story:
    """What has happened to one node, and what must then be true."""

    fleet: Fleet
    edge: Edge
    policies: dict[str, str]

    def happen(self, step: dict[str, str] | str) -> None:
        fleet = self.fleet
        if isinstance(step, dict):
            fleet.poll(self.edge, **step)
            with fleet.writes() as writes:  # a report told twice is no news
                fleet.poll(self.edge, **step)
            assert writes == []
            self.check_report(StatusType[step["status"]])
        elif step == "unlink":
            fleet.link(self.edge, None)
        elif step in self.policies:
            fleet.link(self.edge, self.policies[step])
        elif step == "publish":
            fleet.publish(f"3.{len(fleet.published)}")
        elif step == "withdraw":
            newest = max(fleet.published)
            if newest > "edge 2.0":
                fleet.withdraw(newest.removeprefix("edge "))
        elif step == "silence":
            fleet.later(SILENCE_S + 120)
            fleet.sweep()
            self.check_silence()
        elif step == "wait":
            fleet.later(70)
        else:
            fleet.sweep()
        fleet.later()
        self.check_always()

    def check_report(self, status_type: StatusType) -> None:
        runs = self.fleet.runs(self.edge)
        instance = self.fleet.instance(self.edge)
        assert instance.update_status == UPDATE_STATUS[status_type].text
        if status_type in CLOSING:
            assert all(run.end_s < OPEN_END_S for run in runs)
        if status_type is StatusType.STARTED:
            assert runs[-1].end_s == OPEN_END_S
            assert runs[-1].status == UPDATE_STATUS[status_type].text
        if status_type is StatusType.DOWNLOADING and runs[-1].end_s < OPEN_END_S:
            assert is_cancelled(runs[-1].status)
        if status_type is StatusType.FAILED:
            assert any(run.status == "Update failed" for run in runs)

    def check_silence(self) -> None:
        for run in self.fleet.runs(self.edge):
            if run.end_s == OPEN_END_S:
                assert run.started_s == 0

    def check_always(self) -> None:
        runs = self.fleet.runs(self.edge)
        assert [run.number for run in runs] == list(range(1, len(runs) + 1))
        assert all(run.end_s < OPEN_END_S for run in runs[:-1])
        for run in runs:
            assert run.start_s <= run.status_s <= run.end_s
            assert run.status
            self.check_run(run)

    def check_run(self, run: UpdateRun) -> None:
        if run.end_s == OPEN_END_S:
            assert run.status in {UPDATE_STATUS[s].text for s in set(StatusType) - CLOSING}
            assert run.status_details == run.failure == ""
        else:
            ends = ("Update completed", "Update failed", "No new updates", "Cancelled: ")
            assert run.status.startswith(ends)
        if run.status == NOT_BACK.text:
            assert run.started_s


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, min_size=1, max_size=14))
def test_any_order_of_events_leaves_a_true_history(
    database: Database, steps: list[dict[str, str] | str]
) -> None:
    fleet = new_fleet(database, silence_s=SILENCE_S)
    fleet.publish("1.0", "2.0")
    policies = {
        "latest": fleet.policy(),
        "target 1.0": fleet.policy("1.0"),
        "target 2.0": fleet.policy("2.0"),
    }
    story = Story(fleet, fleet.enrol(), policies)
    for step in steps:
        story.happen(step)


@pytest.mark.parametrize("opening", ["DOWNLOADING", "STARTED"])
@pytest.mark.parametrize("status", ["UP_TO_DATE", "UPDATED", "FAILED"])
def test_rest_leaves_no_run_open(fleet: Fleet, edge: Edge, opening: str, status: str) -> None:
    fleet.poll(edge, opening)
    fleet.poll(edge, status, os_image_id="1.0", status_detail=failure())
    assert fleet.run(edge).end_s == START_S


def test_whole_update_is_one_run(fleet: Fleet, edge: Edge) -> None:
    policy = fleet.policy()
    fleet.link(edge, policy)
    fleet.poll(edge, "UP_TO_DATE", os_image_id="1.0")
    for status in ("DOWNLOADING", "DOWNLOADED", "STARTED"):
        fleet.later()
        fleet.poll(edge, status, os_image_id="1.0")
        assert fleet.run(edge).status == UPDATE_STATUS[StatusType[status]].text
    fleet.later()
    fleet.poll(edge, "UPDATED", os_image_id="2.0", profile_name="edge")
    run = fleet.run(edge)
    assert (run.status, run.status_indicator) == ("Update completed", Indication.IDLE)
    assert (run.start_s, run.started_s, run.end_s) == (START_S + 20, START_S + 60, START_S + 80)
    assert (run.image_id, run.policy_id, run.failure) == ("2.0", policy, "")
    assert run.description == "OS update for edge 1.0"
    assert run.name == f"{fleet.host(edge).name[:13]} update 20270115-080020"
    assert len(run.name) <= 40


def test_failed_without_open_run_opens_and_closes_one_with_its_cause(
    fleet: Fleet, edge: Edge
) -> None:
    fleet.poll(edge, "FAILED", status_detail=failure("probe web failed"))
    run = fleet.run(edge)
    assert (run.status, run.end_s, run.image_id) == ("Update failed", START_S, "2.0")
    assert "probe web failed" in run.status_details


@pytest.mark.parametrize(
    ("details", "runs"),
    [
        ([failure("a"), failure("a")], 1),
        ([failure("a"), failure("a, told otherwise")], 1),
        ([failure("a"), failure("a", START_S + 1)], 2),
        ([failure("a"), failure("a", image="3.0")], 2),
        ([failure("a"), failure("b", START_S + 1), failure("a")], 2),
        ([failure("a", None), failure("a", None)], 1),
        ([failure("a", None), failure("b", None)], 2),
        ([failure("a"), "", "not an update log"], 1),
        (["", ""], 1),
    ],
)
def test_failure_is_one_run_by_image_and_time(
    fleet: Fleet, edge: Edge, details: list[str], runs: int
) -> None:
    for detail in details:
        for _ in range(2):
            fleet.later()
            fleet.poll(edge, "FAILED", status_detail=detail)
    assert len(fleet.runs(edge)) == runs
    assert {run.status for run in fleet.runs(edge)} == {"Update failed"}


def test_failure_that_is_known_is_told_again_after_another_update(fleet: Fleet, edge: Edge) -> None:
    fleet.poll(edge, "FAILED", status_detail=failure())
    fleet.poll(edge, "DOWNLOADING")
    fleet.poll(edge, "UPDATED", os_image_id="2.0")
    fleet.poll(edge, "FAILED", status_detail=failure(), os_image_id="2.0")
    assert [run.status for run in fleet.runs(edge)] == ["Update failed", "Update completed"]


def test_same_failure_of_a_second_try_closes_its_run(fleet: Fleet, edge: Edge) -> None:
    for status in ("FAILED", "DOWNLOADING", "FAILED"):
        fleet.poll(edge, status, status_detail=failure() if status == "FAILED" else "")
    assert [run.status for run in fleet.runs(edge)] == ["Update failed", "Update failed"]


def test_downloaded_alone_opens_no_run(fleet: Fleet, edge: Edge) -> None:
    fleet.poll(edge, "DOWNLOADED")
    assert fleet.runs(edge) == []


def test_update_between_two_polls_is_history_once(fleet: Fleet, edge: Edge) -> None:
    for _ in range(3):
        fleet.poll(edge, "UPDATED", os_image_id="2.0")
    run = fleet.run(edge)
    assert (run.status, run.image_id) == ("Update completed", "2.0")


def test_node_that_gives_up_by_itself_closes_its_run(fleet: Fleet, edge: Edge) -> None:
    fleet.poll(edge, "DOWNLOADING")
    fleet.poll(edge, "UP_TO_DATE", os_image_id="1.0")
    run = fleet.run(edge)
    assert (run.status, run.end_s) == ("No new updates available", START_S)


def test_up_to_date_on_the_wanted_image_is_a_completed_update(fleet: Fleet, edge: Edge) -> None:
    fleet.link(edge, fleet.policy())
    fleet.poll(edge, "STARTED")
    fleet.poll(edge, "UP_TO_DATE", os_image_id="2.0")
    assert fleet.run(edge).status == "Update completed"


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ({"os_image_id": "9.9"}, "the node runs 9.9, which is no OS resource here"),
        ({"os_image_id": "1.0"}, "the node runs 1.0 as before"),
        ({}, "the node did not say what it runs"),
        (
            {"os_image_id": "2.0", "profile_name": "kiosk"},
            "the node runs profile kiosk 2.0, and this instance has profile edge",
        ),
    ],
)
def test_rejected_updated_closes_the_run_with_the_reason(
    fleet: Fleet, edge: Edge, report: dict[str, str], reason: str
) -> None:
    fleet.link(edge, fleet.policy())
    fleet.poll(edge, "STARTED", os_image_id="1.0")
    fleet.later()
    fleet.poll(edge, "UPDATED", **report)
    run = fleet.run(edge)
    assert run.status == f"Update completed, but {reason}"
    assert run.status_indicator is Indication.ERROR
    assert run.end_s == START_S + 20
    assert parse_detail(run.status_details)[-1].failure_log == run.status
    assert fleet.instance(edge).update_status == "Update completed"


def test_update_to_the_same_image_that_was_wanted_is_not_rejected(fleet: Fleet, edge: Edge) -> None:
    fleet.link(edge, fleet.policy("1.0"))
    fleet.poll(edge, "STARTED", os_image_id="1.0")
    fleet.poll(edge, "UPDATED", os_image_id="1.0")
    assert fleet.run(edge).status == "Update completed"


def test_slots_show_which_image_an_install_by_hand_brings(fleet: Fleet, edge: Edge) -> None:
    fleet.link(edge, fleet.policy())
    slots = (
        SlotReport("a", "1.0", SlotState.BOOTED, Assessment.GOOD),
        SlotReport("b", "4.0", SlotState.INACTIVE, Assessment.INDETERMINATE),
    )
    fleet.poll(edge, "DOWNLOADING")
    assert fleet.run(edge).image_id == "2.0"
    fleet.poll(edge, "DOWNLOADED", slots=slots)
    fleet.link(edge, None)
    fleet.poll(edge, "DOWNLOADED", slots=slots)
    run = fleet.run(edge)
    assert (run.image_id, run.policy_id, run.end_s) == ("4.0", None, OPEN_END_S)


def test_image_id_longer_than_a_record_holds_is_cut(fleet: Fleet, edge: Edge) -> None:
    fleet.poll(edge, "UPDATED", os_image_id="9" * 500)
    assert fleet.instance(edge).image_id == "9" * 128
    assert fleet.run(edge).image_id == "9" * 128

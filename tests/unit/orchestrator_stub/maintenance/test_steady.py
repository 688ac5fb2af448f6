# SPDX-License-Identifier: Apache-2.0
"""Polls that change nothing: they write nothing, and are answered from memory, rightly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator_stub.database import Database
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.maintenance import Call, Poll
from orchestrator_stub.maintenance import answer as answer_anew
from orchestrator_stub.maintenance.steady import REMEMBERED_FOR_S
from orchestrator_stub.records import Host, SingleSchedule
from orchestrator_stub.vocabulary import HostState, InstanceState
from puad.core.model import SingleSchedule as ToldSchedule
from puad.core.wire import StatusReport, StatusType
from tests.unit.orchestrator_stub.maintenance.fleet import (
    START_S,
    Edge,
    Fleet,
    failure,
    new_fleet,
    new_manager,
)


def settle(fleet: Fleet, edge: Edge, status: str = "UP_TO_DATE", **fields: Any) -> None:
    """Poll until the answer is remembered."""
    for _ in range(2):
        fleet.poll(edge, status, **fields)
    before = fleet.manager.tally.remembered
    fleet.poll(edge, status, **fields)
    assert fleet.manager.tally.remembered == before + 1


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        ("UP_TO_DATE", {"os_image_id": "1.0", "quarantine": ("ab" * 32,), "phase": "waiting"}),
        ("DOWNLOADING", {"progress_percent": 4}),
        ("DOWNLOADED", {}),
        ("STARTED", {}),
        ("UPDATED", {"os_image_id": "2.0"}),
        ("UPDATED", {"os_image_id": "9.9", "profile_name": "kiosk"}),
        ("FAILED", {"status_detail": failure()}),
        ("FAILED", {"status_detail": "not an update log"}),
        ("UNSPECIFIED", {}),
    ],
)
def test_poll_that_changes_nothing_writes_nothing_and_asks_once(
    fleet: Fleet, edge: Edge, status: str, fields: dict[str, Any]
) -> None:
    fleet.link(edge, fleet.policy())
    fleet.repeated(host_id=edge.host_id)
    first = fleet.poll(edge, status, **fields)
    with fleet.writes() as writes:
        for _ in range(30):
            fleet.later()
            assert fleet.poll(edge, status, **fields).offer == first.offer
    assert writes == []
    with fleet.queries() as queries:
        fleet.poll(edge, status, **fields)
    assert len(queries) == 1
    assert "project.revision" in queries[0]


def test_reading_a_poll_takes_one_query_once_the_project_was_read(fleet: Fleet, edge: Edge) -> None:
    other = fleet.enrol()
    for one in (edge, other):
        fleet.link(one, fleet.policy())
        fleet.poll(one, "UP_TO_DATE", os_image_id="1.0")
    restarted = new_manager(fleet.database)
    report = StatusReport(StatusType.UP_TO_DATE, os_image_id="1.0")
    taken = []
    for one in (edge, other):
        with fleet.queries() as queries:
            restarted.answer(Poll(one.node, one.guid, report, fleet.now_s))
        taken.append(len(queries))
    assert taken == [6, 1]
    assert restarted.tally.read == 2


def test_polls_that_come_together_share_a_query(fleet: Fleet) -> None:
    edges = [fleet.enrol() for _ in range(5)]
    for edge in edges:
        settle(fleet, edge, os_image_id="1.0")
    report = StatusReport(StatusType.UP_TO_DATE, os_image_id="1.0")
    polls = [Poll(edge.node, edge.guid, report, fleet.now_s) for edge in edges]
    news = StatusReport(StatusType.DOWNLOADING)
    polls[1] = Poll(edges[1].node, edges[1].guid, news, fleet.now_s)
    fleet.change(edges[3], released=["cd" * 32])  # something new to tell
    calls = [Call(poll.node, poll.said, poll.now_s) for poll in polls]
    assert [fleet.manager.knows(call) for call in calls] == [True, False, True, True, True]
    before = fleet.manager.tally.remembered
    with fleet.queries() as queries:
        answers = fleet.manager.recall(calls)
    assert len(queries) == 1
    assert [answer is not None for answer in answers] == [True, False, True, False, True]
    assert fleet.manager.tally.remembered == before + 3
    assert answers[0] == fleet.manager.answer(polls[0])


def test_recall_of_nothing_asks_nothing(fleet: Fleet, edge: Edge) -> None:
    report = StatusReport(StatusType.UP_TO_DATE, os_image_id="1.0")
    with fleet.queries() as queries:
        assert fleet.manager.recall([Poll(edge.node, edge.guid, report, fleet.now_s)]) == [None]
        assert fleet.manager.recall([]) == []
    assert queries == []


def changed_policy(fleet: Fleet, edge: Edge) -> None:
    fleet.link(edge, fleet.policy())


def changed_release(fleet: Fleet, _edge: Edge) -> None:
    fleet.publish("3.0")


def changed_schedule(fleet: Fleet, edge: Edge) -> None:
    fleet.single(fleet.now_s + 1000, host_id=edge.host_id)


def changed_quarantine(fleet: Fleet, edge: Edge) -> None:
    fleet.change(edge, released=["cd" * 32])


CHANGES = [changed_policy, changed_release, changed_schedule, changed_quarantine]


@pytest.mark.parametrize("change", CHANGES)
def test_change_by_another_process_is_told_at_the_next_poll(
    fleet: Fleet, edge: Edge, change: Callable[[Fleet, Edge], None]
) -> None:
    fields: dict[str, Any] = {"os_image_id": "1.0", "quarantine": ("cd" * 32,)}
    fleet.link(edge, fleet.policy() if change is changed_release else None)
    settle(fleet, edge, **fields)
    before = fleet.poll(edge, "UP_TO_DATE", **fields)
    change(fleet, edge)
    after = fleet.poll(edge, "UP_TO_DATE", **fields)
    assert after != before


def test_closest_single_schedule_moves_with_time_in_memory(fleet: Fleet, edge: Edge) -> None:
    first = ToldSchedule(START_S + 25, START_S + 75)
    second = ToldSchedule(START_S + 100, START_S + 130)
    for one in (first, second):
        fleet.single(one.start_s, one.end_s, host_id=edge.host_id)
    settle(fleet, edge)
    told = {}
    read = fleet.manager.tally.read
    for after_s in (50, 63, 99, 129, 130, 140):
        fleet.now_s = START_S + after_s
        told[after_s] = fleet.poll(edge, "UP_TO_DATE").schedules.single
    assert told == {50: first, 63: second, 99: second, 129: second, 130: None, 140: None}
    assert fleet.manager.tally.read == read


def test_revoked_host_is_refused_although_it_is_remembered(fleet: Fleet, edge: Edge) -> None:
    settle(fleet, edge)
    with fleet.database.writing() as session:
        session.get_one(Host, edge.host_id).tokens_valid_from_s = fleet.now_s + 1
    with pytest.raises(OrchestratorError) as caught:
        fleet.poll(edge, "UP_TO_DATE")
    assert caught.value.code is Code.UNAUTHENTICATED
    assert fleet.manager.tally.refused == 1


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"state": HostState.UNTRUSTED}, Code.UNAUTHENTICATED),
        ({}, Code.FAILED_PRECONDITION),
    ],
)
def test_untrusted_or_unprovisioned_is_refused_although_it_is_remembered(
    fleet: Fleet, edge: Edge, state: dict[str, HostState], code: Code
) -> None:
    settle(fleet, edge)
    with fleet.database.writing() as session:
        host = session.get_one(Host, edge.host_id)
        assert host.instance is not None
        if state:
            host.state = state["state"]
        else:
            host.instance.state = InstanceState.UNSPECIFIED
    with pytest.raises(OrchestratorError) as caught:
        fleet.poll(edge, "UP_TO_DATE")
    assert caught.value.code is code


def test_deleted_host_is_not_found_although_it_is_remembered(fleet: Fleet, edge: Edge) -> None:
    settle(fleet, edge)
    with fleet.database.writing() as session:
        host = session.get_one(Host, edge.host_id)
        session.delete(host.instance)
        session.flush()
        session.delete(host)
    with pytest.raises(OrchestratorError) as caught:
        fleet.poll(edge, "UP_TO_DATE")
    assert caught.value.code is Code.NOT_FOUND


def test_another_token_is_not_answered_from_memory(fleet: Fleet, edge: Edge) -> None:
    settle(fleet, edge)
    renewed = replace(edge, node=replace(edge.node, expires_s=START_S + 999))
    fleet.poll(renewed, "UP_TO_DATE")
    assert fleet.host(edge).token_expires_s == START_S + 999
    stranger = replace(edge, node=replace(edge.node, subject="someone else"))
    with pytest.raises(OrchestratorError) as caught:
        fleet.poll(stranger, "UP_TO_DATE")
    assert caught.value.code is Code.PERMISSION_DENIED


def test_memory_is_refreshed_now_and_then(fleet: Fleet, edge: Edge) -> None:
    settle(fleet, edge)
    read = fleet.manager.tally.read
    fleet.later(REMEMBERED_FOR_S)
    fleet.poll(edge, "UP_TO_DATE")
    assert fleet.manager.tally.read == read + 1


def test_fleet_that_was_answered_at_once_is_not_read_at_once_again(fleet: Fleet) -> None:
    edges = [fleet.enrol() for _ in range(30)]
    for edge in edges:
        settle(fleet, edge)
    reads = []
    for _ in range(10):
        fleet.later(REMEMBERED_FOR_S // 10)
        before = fleet.manager.tally.read
        for edge in edges:
            fleet.poll(edge, "UP_TO_DATE")
        reads.append(fleet.manager.tally.read - before)
    assert reads[:4] == [0, 0, 0, 0]
    assert sum(reads) == len(edges)
    assert max(reads) < len(edges) * 2 // 3


def test_memory_is_bounded(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator_stub.maintenance.steady.MAX_REMEMBERED", 3)
    edges = [fleet.enrol() for _ in range(5)]
    for edge in edges:
        settle(fleet, edge)
    assert len(fleet.manager._steady._memories) == 3


REPORTS = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["UP_TO_DATE", "DOWNLOADING", "FAILED", "UPDATED"]),
        "os_image_id": st.sampled_from(["1.0", "2.0"]),
        "status_detail": st.sampled_from(["", failure()]),
        "quarantine": st.sampled_from([None, (), ("ab" * 32,)]),
    }
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    report=REPORTS,
    moves=st.lists(
        st.tuples(
            st.sampled_from(
                ["latest", "target", "none", "publish", "withdraw", "single", "edit", "release"]
            ),
            st.integers(1, 90),
        ),
        max_size=12,
    ),
)
def test_memory_answers_as_the_records_do(
    database: Database, report: dict[str, Any], moves: list[tuple[str, int]]
) -> None:
    """Whatever is changed between two polls, who remembers answers as who does not."""
    fleet = new_fleet(database)
    fleet.publish("1.0", "2.0")
    edge = fleet.enrol()
    policies = {"latest": fleet.policy(), "target": fleet.policy("2.0"), "none": None}
    schedules: list[str] = []
    for move, seconds in moves:
        fleet.poll(edge, **report)
        fleet.poll(edge, **report)
        if move in policies:
            fleet.link(edge, policies[move])
        elif move == "publish":
            fleet.publish(f"3.{len(fleet.published)}")
        elif move == "withdraw" and len(fleet.published) > 2:
            fleet.withdraw(max(fleet.published).removeprefix("edge "))
        elif move == "single":
            start_s = fleet.now_s + seconds
            schedules.append(fleet.single(start_s, start_s + seconds, host_id=edge.host_id))
        elif move == "edit" and schedules:
            with database.writing() as session:
                session.get_one(SingleSchedule, schedules[-1]).start_s -= seconds
        elif move == "release":
            fleet.change(edge, released=["ab" * 32])
        fleet.later(seconds)
        told = fleet.poll(edge, **report)
        fields = dict(report)
        status = StatusType[fields.pop("status")]
        poll = Poll(edge.node, edge.guid, StatusReport(status, **fields), fleet.now_s)
        assert told == answer_anew(database, poll)

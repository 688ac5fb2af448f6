# SPDX-License-Identifier: Apache-2.0
"""Who is refused, and in which order it is found out."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.maintenance import answer
from orchestrator_stub.maintenance.poll import Poll
from orchestrator_stub.records import Host, Project
from orchestrator_stub.vocabulary import HostState, InstanceState
from puad.core.wire import StatusReport, StatusType
from tests.unit.orchestrator_stub.maintenance.fleet import START_S, Edge, Fleet

REPORT = StatusReport(StatusType.UP_TO_DATE)


def refusal(fleet: Fleet, edge: Edge, host_guid: str = "") -> Code:
    with fleet.writes() as writes, pytest.raises(OrchestratorError) as caught:
        fleet.manager.answer(Poll(edge.node, host_guid or edge.guid, REPORT, START_S))
    assert writes == []
    return caught.value.code


def break_host(fleet: Fleet, edge: Edge, **changes: object) -> None:
    with fleet.database.writing() as session:
        host = session.get_one(Host, edge.host_id)
        for name, value in changes.items():
            setattr(host, name, value)


def test_checks_come_in_the_order_of_the_protocol(fleet: Fleet, edge: Edge) -> None:
    """Everything is wrong at first; each mended fault shows the next."""
    fleet.change(edge, state=InstanceState.UNSPECIFIED)
    break_host(fleet, edge, state=HostState.UNTRUSTED, tokens_valid_from_s=START_S + 9)
    nowhere = str(uuid.uuid4())
    stranger = replace(edge, node=replace(edge.node, project_uuid=nowhere))
    assert refusal(fleet, stranger, nowhere) is Code.PERMISSION_DENIED
    assert refusal(fleet, stranger) is Code.UNAUTHENTICATED
    nobody = replace(edge, guid=nowhere, node=replace(edge.node, subject=nowhere))
    assert refusal(fleet, nobody) is Code.NOT_FOUND
    assert refusal(fleet, edge) is Code.UNAUTHENTICATED
    break_host(fleet, edge, state=HostState.ONBOARDED)
    assert refusal(fleet, edge) is Code.UNAUTHENTICATED
    break_host(fleet, edge, tokens_valid_from_s=START_S)
    assert refusal(fleet, edge) is Code.FAILED_PRECONDITION
    fleet.change(edge, state=InstanceState.RUNNING)
    assert fleet.poll(edge, "UP_TO_DATE").offer is None


def test_host_without_instance_is_not_found(fleet: Fleet, edge: Edge) -> None:
    with fleet.database.writing() as session:
        session.delete(session.get_one(Host, edge.host_id).instance)
    assert refusal(fleet, edge) is Code.NOT_FOUND


def test_host_of_another_project_is_not_found(fleet: Fleet, edge: Edge) -> None:
    elsewhere = str(uuid.uuid4())
    fleet_project = Project(uuid=elsewhere, name="other")
    with fleet.database.writing() as session:
        session.add(fleet_project)
    stranger = replace(edge, node=replace(edge.node, project_uuid=elsewhere))
    assert refusal(fleet, stranger) is Code.NOT_FOUND


def test_end_of_the_token_is_kept_for_the_operator(fleet: Fleet, edge: Edge) -> None:
    for expires_s in (START_S + 100, START_S + 900):
        node = replace(edge.node, expires_s=expires_s)
        fleet.poll(replace(edge, node=node), "UP_TO_DATE")
        assert fleet.host(edge).token_expires_s == expires_s


def test_answer_works_without_a_manager(fleet: Fleet, edge: Edge) -> None:
    fleet.link(edge, fleet.policy())
    found = answer(fleet.database, Poll(edge.node, edge.guid, REPORT, START_S))
    assert found.offer is not None
    assert found.offer.image_id == "2.0"


def test_concurrent_polls_of_one_node_open_one_run(fleet: Fleet, edge: Edge) -> None:
    fleet.link(edge, fleet.policy())

    def poll(number: int) -> None:
        for percent in range(5):
            fleet.poll(edge, "DOWNLOADING", progress_percent=10 * number + percent)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(poll, range(8)))
    assert len(fleet.runs(edge)) == 1


def test_concurrent_polls_of_many_nodes_all_count(fleet: Fleet) -> None:
    edges = [fleet.enrol() for _ in range(20)]

    def update(edge: Edge) -> None:
        for status in ("DOWNLOADING", "STARTED", "UPDATED"):
            fleet.poll(edge, status, os_image_id="2.0" if status == "UPDATED" else "1.0")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(update, edges))
    assert {fleet.run(edge).status for edge in edges} == {"Update completed"}
    assert fleet.manager.tally.written == 60

# SPDX-License-Identifier: Apache-2.0
"""Instances and their update runs over REST: tried again, tidied, changed by many at a time."""

from __future__ import annotations

import threading

from sqlalchemy import select

from orchestrator_stub.records import Instance, OSResource, UpdateRun
from tests.integration.orchestrator_stub.running import Node, Orchestrator


def refusal(
    orchestrator: Orchestrator, method: str, path: str, document: object = None
) -> tuple[int, str]:
    response = orchestrator.rest(method, path, document)
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.status_code, response.json()["code"]


# --- tried again


def set_quarantine(orchestrator: Orchestrator, node: Node, *hashes: str) -> None:
    with orchestrator.database.writing() as session:
        session.get_one(Instance, node.instance_id).quarantine = list(hashes)


def test_retry_releases_what_the_node_has_in_quarantine(
    orchestrator: Orchestrator, node: Node
) -> None:
    set_quarantine(orchestrator, node, "b" * 64, "a" * 64)
    path = f"compute/instances/{node.instance_id}:retry"
    assert orchestrator.create(path, None) == {"released": ["a" * 64, "b" * 64]}
    assert node.instance()["released"] == ["a" * 64, "b" * 64]


def test_quarantine_of_an_image_is_cleared_on_every_instance_of_the_project(
    orchestrator: Orchestrator, node: Node
) -> None:
    os_id = orchestrator.os_id(node.profile, "1.0")
    with orchestrator.database.reading() as session:
        file_hash = session.scalars(
            select(OSResource.file_hash).where(OSResource.id == os_id)
        ).one()
    others = [orchestrator.enrol(node.profile) for _ in range(3)]
    for each in (node, *others[:2]):
        set_quarantine(orchestrator, each, "c" * 64, file_hash)
    path = f"compute/operating_systems/{os_id}:clearQuarantine"
    assert orchestrator.create(path, None) == {"instances": 3}
    assert node.instance()["released"] == [file_hash]
    assert others[2].instance()["released"] == []
    unknown = "compute/operating_systems/os-00000000:clearQuarantine"
    assert refusal(orchestrator, "POST", unknown) == (404, "not_found")


# --- history


def test_runs_are_listed_by_host_instance_and_status(
    orchestrator: Orchestrator, node: Node
) -> None:
    for status in ("DOWNLOADING", "FAILED", "DOWNLOADING"):
        node.poll(status)
    failed = orchestrator.get(f"os_update_run?hostId={node.host_id}&status=Update failed")
    assert [row["status"] for row in failed["osUpdateRuns"]] == ["Update failed"]
    assert orchestrator.get(f"os_update_run?hostId={node.host_id}")["totalElements"] == 2
    assert orchestrator.get("os_update_run?hostId=host-00000000")["totalElements"] == 0
    assert refusal(orchestrator, "GET", "os_update_run?hostId=nonsense")[0] == 400


def test_only_a_closed_run_is_deleted(orchestrator: Orchestrator, node: Node) -> None:
    node.poll("DOWNLOADING")
    path = f"os_update_run/{node.runs()[0]['resourceId']}"
    assert refusal(orchestrator, "DELETE", path) == (400, "failed_precondition")
    node.poll("FAILED")
    assert orchestrator.rest("DELETE", path).json() == {}
    with orchestrator.database.reading() as session:
        assert session.get(UpdateRun, path.partition("/")[2]) is None


# --- at the same time


def test_operators_and_a_node_at_the_same_time_lose_nothing(
    orchestrator: Orchestrator, node: Node
) -> None:
    path = f"compute/instances/{node.instance_id}"
    policy = orchestrator.policy("LATEST")
    changes = [{"name": "renamed"}, {"osUpdatePolicyID": policy}] * 4
    answers: list[int] = []

    def operate(change: dict[str, str]) -> None:
        with orchestrator.new_session() as session:
            answers.append(orchestrator.rest("PATCH", path, change, session=session).status_code)

    threads = [threading.Thread(target=operate, args=(change,)) for change in changes]
    for thread in threads:
        thread.start()
    for status in ("DOWNLOADING", "UP_TO_DATE") * 4:
        node.poll(status)
    for thread in threads:
        thread.join(60)
    # one that lost every race is told so; nothing else happens to it
    assert set(answers) <= {200, 409}
    assert 200 in answers
    found = node.instance()
    assert found["updateStatus"] == "No new updates available"
    assert (found["name"] == "renamed") or ("updatePolicy" in found)

# SPDX-License-Identifier: Apache-2.0
"""Rollouts over REST: a policy's waves, how they get on, and an operator's word."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub import rollouts
from orchestrator_stub.access import tokens
from orchestrator_stub.records import Policy, Project
from orchestrator_stub.vocabulary import Scope
from tests.integration.orchestrator_stub.running import Node, Orchestrator

ROLLOUTS = "compute/rollouts"
RULES = {"waves": [{"hosts": 1}, {"percent": 100}], "maxFailed": 0, "pauseSeconds": 3600}


def refusal(
    orchestrator: Orchestrator, method: str, path: str, document: object = None
) -> tuple[int, str]:
    response = orchestrator.rest(method, path, document)
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.status_code, response.json()["code"]


@pytest.fixture
def fleet(orchestrator: Orchestrator) -> list[Node]:
    """Three nodes of a profile that a policy with waves brings to 2.0; the first has its turn."""
    profile = f"edge-{uuid.uuid4().hex[:8]}"
    orchestrator.publish(profile, "1.0", "2.0")
    nodes = [orchestrator.enrol(profile) for _ in range(3)]
    os_id = orchestrator.os_id(profile, "2.0")
    policy = orchestrator.policy("TARGET", targetOsId=os_id, rollout=RULES)
    for node in nodes:
        assert node.link(policy).status_code == 200
    sweep(orchestrator)
    return nodes


def sweep(orchestrator: Orchestrator) -> None:
    """Have rollouts moved on, as the server does now and then, and may be doing just now."""

    def move_on(session: Session) -> None:
        ordered = select(Policy.id).order_by(Policy.project_uuid, Policy.id)
        session.execute(ordered.with_for_update())  # a sweep passes over what others hold
        rollouts.sweep(session, int(time.time()))

    orchestrator.database.write(move_on)


def rollout_of(orchestrator: Orchestrator, fleet: list[Node]) -> dict[str, Any]:
    answer = orchestrator.get(f"{ROLLOUTS}?filter=os.name:{fleet[0].profile}")
    (found,) = answer["rollouts"]
    assert answer["totalElements"] == 1
    return dict(found)


def offered(fleet: list[Node]) -> int:
    answers = [
        node.poll("UP_TO_DATE", profile_name=node.profile, os_image_id="1.0") for node in fleet
    ]
    return sum(1 for answer in answers if answer.offer is not None)


def test_rollout_shows_its_waves_and_is_found_by_what_it_brings(
    orchestrator: Orchestrator, fleet: list[Node]
) -> None:
    found = rollout_of(orchestrator, fleet)
    assert (found["state"], found["wave"]) == ("ROLLOUT_STATE_RUNNING", 0)
    assert found["os"]["imageId"] == "2.0"
    assert orchestrator.get(f"{ROLLOUTS}/{found['resourceId']}") == found
    shown = orchestrator.get(f"os_update_policy/{found['policy']['resourceId']}")["rollout"]
    assert shown == RULES
    first, *_ = found["waves"]
    kinds = ("waiting", "offered", "updating", "updated", "failed")
    assert (first["number"], sum(first[kind] for kind in kinds)) == (0, 1)
    assert sum(wave[kind] for wave in found["waves"] for kind in kinds) == 3
    assert offered(fleet) == 1


def token_for(orchestrator: Orchestrator) -> str:
    name, until_s = f"robot-{uuid.uuid4().hex[:8]}", int(time.time()) + 3600
    with orchestrator.database.writing() as session:
        project = session.scalars(select(Project).where(Project.name == "default")).one()
        return tokens.issue(session, project, name, Scope.WRITE, until_s).token


def test_operator_pauses_resumes_and_stops_a_rollout(
    orchestrator: Orchestrator, fleet: list[Node]
) -> None:
    path = f"{ROLLOUTS}/{rollout_of(orchestrator, fleet)['resourceId']}"
    assert refusal(orchestrator, "POST", f"{path}:resume") == (400, "failed_precondition")
    paused = orchestrator.create(f"{path}:pause?reason=too hot", None)
    assert paused["state"] == "ROLLOUT_STATE_PAUSED"
    assert paused["reason"] == "Paused by api.token: too hot"
    assert refusal(orchestrator, "POST", f"{path}:pause") == (400, "failed_precondition")
    resumed = orchestrator.create(f"{path}:resume", None)
    assert (resumed["state"], resumed["reason"]) == ("ROLLOUT_STATE_RUNNING", "")
    assert offered(fleet) == 1
    stopped = orchestrator.rest("POST", f"{path}:stop", token=token_for(orchestrator)).json()
    assert stopped["state"] == "ROLLOUT_STATE_STOPPED"
    assert stopped["reason"].startswith("Stopped by API token robot-")
    assert stopped["endTime"] >= stopped["waveStartTime"]
    assert offered(fleet) == 0
    assert orchestrator.get(path) == stopped
    for reason in ("x" * 201, "two%0Alines"):
        assert refusal(orchestrator, "POST", f"{path}:pause?reason={reason}")[0] == 400
    for word in ("pause", "resume", "stop"):
        unknown = f"{ROLLOUTS}/rollout-00000000:{word}"
        assert refusal(orchestrator, "POST", unknown) == (404, "not_found")


def test_policy_is_deleted_with_its_rollout_when_nobody_follows_it(
    orchestrator: Orchestrator, fleet: list[Node]
) -> None:
    found = rollout_of(orchestrator, fleet)
    policy = f"os_update_policy/{found['policy']['resourceId']}"
    assert refusal(orchestrator, "DELETE", policy) == (400, "failed_precondition")
    for node in fleet:
        node.link("")
    assert orchestrator.rest("DELETE", policy).json() == {}
    assert refusal(orchestrator, "GET", f"{ROLLOUTS}/{found['resourceId']}")[0] == 404


def test_retry_lets_a_failed_host_wait_for_its_turn_again(
    orchestrator: Orchestrator, fleet: list[Node]
) -> None:
    first = next(
        node
        for node in fleet
        if node.poll("UP_TO_DATE", profile_name=node.profile, os_image_id="1.0").offer
    )
    for status in ("DOWNLOADING", "STARTED", "FAILED"):
        first.poll(status, profile_name=first.profile, os_image_id="1.0")
    sweep(orchestrator)
    stopped = rollout_of(orchestrator, fleet)
    assert stopped["state"] == "ROLLOUT_STATE_STOPPED"
    assert stopped["waves"][0]["failed"] == 1
    made = orchestrator.create(f"compute/instances/{first.instance_id}:retry", None)
    assert made["released"] == [stopped["os"]["sha256"]]
    assert rollout_of(orchestrator, fleet)["waves"][0]["failed"] == 0


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({}, "rollout.waves"),
        ({"waves": []}, "rollout.waves"),
        ({"waves": [{}]}, "either percent or hosts"),
        ({"waves": [{"percent": 5, "hosts": 5}]}, "either percent or hosts"),
        ({"waves": [{"percent": 0}]}, "percent"),
        ({"waves": [{"percent": 50}, {"percent": 50}]}, "goes no further"),
        ({"waves": [{"hosts": "many"}]}, "hosts"),
        ({"waves": [{"hosts": 1}], "pauseSeconds": -1}, "pauseSeconds"),
        ({"waves": [{"hosts": 1}], "maxFailed": 1.5}, "maxFailed"),
        ({"waves": [{"hosts": 1}], "maxAtOnce": 0}, "maxAtOnce"),
        ({"waves": [{"hosts": 1}], "colour": "red"}, "colour"),
        (5, "rollout"),
    ],
)
def test_policy_with_wrong_waves_is_not_made(
    orchestrator: Orchestrator, rules: object, words: str
) -> None:
    document = {"name": "p", "updatePolicy": "UPDATE_POLICY_LATEST", "rollout": rules}
    response = orchestrator.rest("POST", "os_update_policy", document)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_argument")
    assert words in response.json()["detail"]
    assert "None" not in response.json()["detail"]


def test_policy_without_waves_says_nothing_of_them(orchestrator: Orchestrator) -> None:
    made = orchestrator.get(f"os_update_policy/{orchestrator.policy('LATEST')}")
    assert "rollout" not in made
    mutable = {
        "name": "p",
        "updatePolicy": "UPDATE_POLICY_TARGET",
        "updatePackages": "vim",
        "rollout": RULES,
    }
    assert refusal(orchestrator, "POST", "os_update_policy", mutable) == (400, "invalid_argument")

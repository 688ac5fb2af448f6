# SPDX-License-Identifier: Apache-2.0
"""Two server processes on one PostgreSQL: what one writes the other knows, and nothing is lost."""

from __future__ import annotations

import json
import time
import uuid
from functools import partial

import pytest
from sqlalchemy import text

from orchestrator_stub import commands
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import OPEN_END_S, SingleSchedule
from tests.integration.orchestrator_stub.pair import Pair, insist, together
from tests.integration.orchestrator_stub.running import YEAR_S, Node, Orchestrator

POLLERS = 12
ROUNDS = 15
CUT = """\
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""
FAILURE = json.dumps(
    {
        "update_log": [
            {
                "update_type": "OS",
                "package_name": "edge",
                "update_time": "2026-01-01T00:00:00Z",
                "action": "upgrade",
                "status": "rolledback",
                "version": "2.0",
                "failure_reason": "criticalservices",
                "failure_log": "probe web failed",
            }
        ]
    }
)


def test_what_one_writes_the_other_answers_at_once(pair: Pair) -> None:
    here, there = pair.both(pair.node())
    policy = pair.one.policy("LATEST")
    for number in range(5):
        assert there.poll("UP_TO_DATE", os_image_id="1.0").offer is None
        assert here.link(policy).status_code == 200
        offer = there.poll("UP_TO_DATE", os_image_id="1.0").offer
        assert offer is not None
        assert offer.image_id == "2.0"
        start_s = int(time.time()) + 3600 + number
        window = {
            "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
            "targetHostId": here.host_id,
            "startSeconds": start_s,
        }
        made = pair.one.create("compute/schedules/single", window)
        answer = there.poll("UP_TO_DATE", os_image_id="1.0")
        assert answer.schedules.single is not None
        assert answer.schedules.single.start_s == start_s
        path = f"compute/schedules/single/{made['resourceId']}"
        assert pair.one.rest("DELETE", path).status_code == 200
        assert there.poll("UP_TO_DATE", os_image_id="1.0").schedules.single is None
        assert here.link("").status_code == 200
    pair.one.publish(here.profile, "3.0")
    assert there.instance()["osUpdateAvailable"] == f"{here.profile} 3.0"


def test_withdrawal_that_one_sees_is_answered_by_the_other(pair: Pair) -> None:
    here, there = pair.both(pair.node())
    here.link(pair.one.policy("TARGET", targetOsId=pair.one.os_id(here.profile, "2.0")))
    assert there.poll("UP_TO_DATE", os_image_id="1.0").offer is not None
    pair.one.publish(here.profile, "1.0", withdrawn=("2.0",))
    assert there.poll("UP_TO_DATE", os_image_id="1.0").offer is None


@pytest.mark.parametrize("status", ["FAILED", "DOWNLOADING", "STARTED"])
def test_status_told_to_both_at_once_is_one_run(pair: Pair, status: str) -> None:
    here, there = pair.both(pair.node())
    here.poll("UP_TO_DATE", os_image_id="1.0")
    detail = FAILURE if status == "FAILED" else ""

    def tell(node: Node) -> None:
        for _ in range(4):
            node.poll(status, status_detail=detail, os_image_id="1.0")

    together(*(partial(tell, node) for node in (here, there) * (POLLERS // 2)))
    (run,) = here.runs()
    assert (run["endTime"] < OPEN_END_S) is (status == "FAILED")
    assert there.runs() == [run]


def test_every_node_of_a_crowd_has_its_own_run(pair: Pair) -> None:
    nodes = [pair.node() for _ in range(POLLERS)]

    def update(node: Node) -> None:
        here, there = pair.both(node)
        here.poll("DOWNLOADING", os_image_id="1.0")
        there.poll("STARTED", os_image_id="1.0")
        here.poll("UPDATED", profile_name=node.profile, os_image_id="2.0")
        there.poll("UP_TO_DATE", profile_name=node.profile, os_image_id="2.0")

    together(*(partial(update, node) for node in nodes))
    for node in nodes:
        (run,) = node.runs()
        assert run["status"] == "Update completed"
        assert node.instance()["os"]["imageId"] == "2.0"


def test_edits_and_polls_of_one_instance_lose_nothing(pair: Pair) -> None:
    """Three writers of one record, each of another part of it, at both servers."""
    here, there = pair.both(pair.node())
    here.poll("UP_TO_DATE", os_image_id="1.0")
    policies = [pair.one.policy("LATEST"), pair.other.policy("LATEST")]
    path = f"compute/instances/{here.instance_id}"

    def rename() -> None:
        for number in range(ROUNDS):
            insist(partial(pair.one.rest, "PATCH", path, {"name": f"name {number}"}))

    def link() -> None:
        for number in range(ROUNDS):
            insist(partial(there.link, policies[number % 2]))

    def poll() -> None:
        for _ in range(ROUNDS):
            for node, status in ((here, "DOWNLOADING"), (there, "DOWNLOADED"), (here, "STARTED")):
                node.poll(status, os_image_id="1.0")

    together(rename, link, poll)
    for node in (here, there):
        instance = node.instance()
        assert instance["name"] == f"name {ROUNDS - 1}"
        assert instance["updatePolicy"]["resourceId"] == policies[(ROUNDS - 1) % 2]
        assert instance["updateStatus"] == "Updating"
        assert len(node.runs()) == 1


def test_every_edit_that_is_taken_counts(pair: Pair) -> None:
    """Eight operators edit one schedule: each edit is taken or refused with 409, none is lost."""
    node = pair.node()
    start_s = int(time.time()) + 86_400
    window = {
        "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
        "targetHostId": node.host_id,
        "startSeconds": start_s,
    }
    made = pair.one.create("compute/schedules/single", window)
    path = f"compute/schedules/single/{made['resourceId']}"
    statuses: list[int] = []

    def edit(orchestrator: Orchestrator, operator: int) -> None:
        for number in range(ROUNDS):
            changed = {"startSeconds": start_s + 1 + operator * ROUNDS + number}
            statuses.append(orchestrator.rest("PATCH", path, changed).status_code)

    servers = (pair.one, pair.other)
    together(*(partial(edit, servers[operator % 2], operator) for operator in range(8)))
    assert set(statuses) <= {200, 409}
    with pair.one.database.reading() as session:
        schedule = session.get_one(SingleSchedule, made["resourceId"])
        assert schedule.version == 1 + statuses.count(200)
    assert pair.one.get(path) == pair.other.get(path)


def test_host_enrolled_many_times_at_once_is_one_host(pair: Pair) -> None:
    candidate = Candidate(f"host-{uuid.uuid4().hex[:8]}", str(uuid.uuid4()), "edge", "1.0")
    ends: list[str] = []

    def enrol() -> None:
        try:
            commands.enrol(pair.one.directory, candidate, YEAR_S, renew=False)
            ends.append("enrolled")
        except OrchestratorError as error:
            ends.append(error.code)

    together(*[enrol] * 6)
    assert sorted(ends) == [Code.ALREADY_EXISTS] * 5 + ["enrolled"]


def test_both_are_ready_and_go_on_when_every_connection_is_cut(pair: Pair) -> None:
    """As after a restart of PostgreSQL: the next request finds a new connection by itself."""
    here, there = pair.both(pair.node())
    for _ in range(3):
        with pair.one.database.writing() as session:
            session.execute(text(CUT))
        for node in (here, there):
            assert node.poll("UP_TO_DATE", os_image_id="1.0").offer is None

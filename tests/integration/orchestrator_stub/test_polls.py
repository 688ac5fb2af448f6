# SPDX-License-Identifier: Apache-2.0
"""What a node's reports do to its instance, and what it is answered."""

from __future__ import annotations

import json
import threading
import time

import pytest
from sqlalchemy import event, select

from orchestrator_stub import maintenance
from orchestrator_stub.access.node_token import NodeIdentity
from orchestrator_stub.maintenance import Poll
from orchestrator_stub.records import Host
from puad.core.wire import OSType, StatusReport, StatusType
from tests.integration.orchestrator_stub.running import Node, Orchestrator

OPEN_END_S = 9_999_999_999


def failure(cause: str, at: str = "2026-01-01T00:00:00Z") -> str:
    entry = {
        "update_type": "OS",
        "package_name": "edge",
        "update_time": at,
        "action": "upgrade",
        "status": "rolledback",
        "version": "2.0",
        "failure_reason": "criticalservices",
        "failure_log": cause,
    }
    return json.dumps({"update_log": [entry]})


@pytest.mark.parametrize(
    ("status", "text", "indicator"),
    [
        ("STARTED", "Updating", "IN_PROGRESS"),
        ("UPDATED", "Update completed", "IDLE"),
        ("FAILED", "Update failed", "ERROR"),
        ("UP_TO_DATE", "No new updates available", "IDLE"),
        ("DOWNLOADING", "Downloading artifacts", "IDLE"),
        ("DOWNLOADED", "Download complete", "IDLE"),
        ("UNSPECIFIED", "Unknown", "UNSPECIFIED"),
    ],
)
def test_poll_of_each_status_writes_its_text_and_indicator(
    node: Node, status: str, text: str, indicator: str
) -> None:
    before = int(time.time())
    node.poll(status)
    instance = node.instance()
    assert instance["updateStatus"] == text
    assert instance["updateStatusIndicator"] == f"STATUS_INDICATION_{indicator}"
    assert before <= instance["updateStatusTimestamp"] <= time.time()


def test_whole_update_is_one_run_that_ends_on_the_new_image(
    orchestrator: Orchestrator, node: Node
) -> None:
    orchestrator.publish(node.profile, "1.0", "2.0")
    policy = orchestrator.policy("LATEST")
    assert node.link(policy).status_code == 200
    assert node.instance()["osUpdateAvailable"] == f"{node.profile} 2.0"
    answer = node.poll("UP_TO_DATE", profile_name=node.profile, os_image_id="1.0")
    assert answer.os_type is OSType.IMMUTABLE
    assert answer.offer is not None
    assert answer.offer.image_id == "2.0"
    node.poll("DOWNLOADING", os_image_id="1.0", progress_percent=40)
    assert node.instance()["updateProgressPercent"] == 40
    (run,) = node.runs()
    assert run["endTime"] == OPEN_END_S
    assert run["description"] == f"OS update for {node.profile} 1.0"
    assert run["appliedPolicy"]["resourceId"] == policy
    node.poll("DOWNLOADED", os_image_id="1.0")
    assert "updateProgressPercent" not in node.instance()
    node.poll("STARTED", os_image_id="2.0")
    assert node.runs()[0]["status"] == "Updating"
    assert node.instance()["imageId"] == "1.0"
    node.poll("UPDATED", profile_name=node.profile, os_image_id="2.0")
    instance = node.instance()
    assert instance["os"]["imageId"] == "2.0"
    assert instance["osUpdateAvailable"] == ""
    node.poll("UP_TO_DATE", profile_name=node.profile, os_image_id="2.0")
    (run,) = node.runs()
    assert run["status"] == "Update completed"
    assert run["endTime"] < OPEN_END_S
    assert len(run["name"]) <= 40


def test_failed_repeated_is_one_run(node: Node) -> None:
    node.poll("DOWNLOADING")
    for _ in range(3):
        node.poll("FAILED", status_detail=failure("probe web failed"))
    node.poll("FAILED", status_detail="not an update log")
    (run,) = node.runs()
    assert run["status"] == "Update failed"
    assert "probe web failed" in run["statusDetails"]
    assert "probe web failed" in node.instance()["updateStatusDetail"]


def test_failed_without_open_run_leaves_one_closed_run_per_failure(node: Node) -> None:
    for second, cause in enumerate(("first", "first", "second", "second")):
        at = f"2026-01-01T00:00:0{second // 2}Z"
        node.poll("FAILED", status_detail=failure(cause, at=at))
    newest, oldest = node.runs()
    assert "second" in newest["statusDetails"]
    assert "first" in oldest["statusDetails"]
    assert newest["endTime"] < OPEN_END_S
    assert "second" in node.instance()["updateStatusDetail"]


def test_same_failure_after_another_update_is_a_new_run(node: Node) -> None:
    for status in ("FAILED", "DOWNLOADING", "FAILED"):
        node.poll(status, status_detail=failure("again") if status == "FAILED" else "")
    assert [run["status"] for run in node.runs()] == ["Update failed", "Update failed"]


@pytest.mark.parametrize(
    "detail",
    [
        "plain words",
        "{}",
        '{"UpdateLog": []}',
        '{"update_log": {}}',
        '{"update_log": [{"status": "exploded"}]}',
        '{"update_log": ' + "[" * 50_000,
    ],
)
def test_malformed_detail_is_dropped_and_the_status_is_kept(node: Node, detail: str) -> None:
    node.poll("FAILED", status_detail=detail)
    instance = node.instance()
    assert instance["updateStatus"] == "Update failed"
    assert instance["updateStatusDetail"] == ""
    assert node.runs()[0]["statusDetails"] == ""


def test_detail_of_another_status_is_not_stored(node: Node) -> None:
    node.poll("DOWNLOADING", status_detail=failure("early"))
    assert node.instance()["updateStatusDetail"] == ""


def test_cancelled_plan_closes_its_run(node: Node) -> None:
    node.poll("DOWNLOADING")
    node.poll("UP_TO_DATE", os_image_id="1.0")
    (run,) = node.runs()
    assert run["status"] == "No new updates available"
    assert run["endTime"] < OPEN_END_S


def test_downloaded_alone_opens_no_run(node: Node) -> None:
    node.poll("DOWNLOADED")
    assert node.runs() == []


def test_update_between_two_polls_is_history_once(orchestrator: Orchestrator, node: Node) -> None:
    orchestrator.publish(node.profile, "2.0")
    for _ in range(3):
        node.poll("UPDATED", profile_name=node.profile, os_image_id="2.0")
    (run,) = node.runs()
    assert run["status"] == "Update completed"
    assert node.instance()["os"]["imageId"] == "2.0"


def test_updated_to_unknown_image_closes_the_run_and_says_so(node: Node) -> None:
    node.poll("STARTED")
    node.poll("UPDATED", profile_name=node.profile, os_image_id="9.9")
    instance = node.instance()
    assert instance["updateStatus"] == "Update completed"
    assert "os" not in instance
    assert instance["imageId"] == "9.9"
    assert "no OS resource" in instance["instanceStatusDetail"]
    assert node.runs()[0]["endTime"] < OPEN_END_S


def test_unknown_image_is_linked_once_its_resource_is_published(
    orchestrator: Orchestrator, node: Node
) -> None:
    node.poll("UPDATED", profile_name=node.profile, os_image_id="2.0")
    orchestrator.publish(node.profile, "2.0")
    node.poll("UP_TO_DATE", profile_name=node.profile, os_image_id="2.0")
    instance = node.instance()
    assert instance["os"]["imageId"] == "2.0"
    assert instance["instanceStatusDetail"] == ""


def test_updated_with_another_profile_is_not_linked(orchestrator: Orchestrator, node: Node) -> None:
    orchestrator.publish("stranger", "2.0")
    for _ in range(2):
        node.poll("UPDATED", profile_name="stranger", os_image_id="2.0")
    instance = node.instance()
    assert instance["os"]["imageId"] == "1.0"
    assert "stranger" in instance["instanceStatusDetail"]
    assert node.runs() == []


def test_rolled_back_by_operator_links_the_old_image_again(
    orchestrator: Orchestrator, node: Node
) -> None:
    orchestrator.publish(node.profile, "2.0")
    node.poll("UPDATED", profile_name=node.profile, os_image_id="2.0")
    node.poll(
        "FAILED",
        profile_name=node.profile,
        os_image_id="1.0",
        status_detail=failure("rolled back by the operator"),
    )
    assert node.instance()["os"]["imageId"] == "1.0"


def test_retry_sends_the_released_hash_until_the_node_moves(
    orchestrator: Orchestrator, node: Node
) -> None:
    orchestrator.publish(node.profile, "2.0")
    path = f"compute/instances/{node.instance_id}:retry"
    node.poll("UP_TO_DATE")
    assert orchestrator.rest("POST", path).status_code == 400
    node.poll("FAILED", status_detail=failure("once"))
    assert "no policy wants" in orchestrator.rest("POST", path).json()["detail"]
    node.link(orchestrator.policy("LATEST"))
    (released,) = orchestrator.create(path, None)["released"]
    assert node.poll("FAILED", status_detail=failure("once")).clear_quarantine == (released,)
    assert node.poll("DOWNLOADING").clear_quarantine == ()
    assert node.poll("FAILED", status_detail=failure("twice")).clear_quarantine == ()


def test_host_is_running_after_a_poll_and_unknown_before(
    orchestrator: Orchestrator, node: Node
) -> None:
    path = f"compute/hosts/{node.host_id}"
    assert orchestrator.get(path)["hostStatus"] == "Unknown"
    assert node.instance()["instanceStatus"] == "Unknown"
    node.poll("UP_TO_DATE")
    assert orchestrator.get(path)["hostStatus"] == "Running"
    assert node.instance()["instanceStatus"] == "Running"


def test_host_silent_for_long_has_no_connection(orchestrator: Orchestrator, node: Node) -> None:
    node.poll("UP_TO_DATE")
    with orchestrator.database.writing() as session:
        host = session.get_one(Host, node.host_id)
        host.last_seen_s = int(time.time()) - 3600
    document = orchestrator.get(f"compute/hosts/{node.host_id}")
    assert document["hostStatus"] == "No Connection"
    assert document["hostStatusIndicator"] == "STATUS_INDICATION_ERROR"


def test_poll_that_changes_nothing_writes_nothing(orchestrator: Orchestrator, node: Node) -> None:
    database = orchestrator.database
    orchestrator.publish(node.profile, "2.0")
    node.link(orchestrator.policy("LATEST"))
    with database.reading() as session:
        mine = select(Host.project_uuid).where(Host.uuid == node.guid)
        project_uuid = session.scalars(mine).one()
    statements: list[str] = []
    for engine in database._engines.pools:
        event.listen(
            engine,
            "before_cursor_execute",
            lambda _c, _u, statement, *_rest: statements.append(statement),
        )

    def poll(now_s: int) -> list[str]:
        statements.clear()
        identity = NodeIdentity(node.guid, project_uuid, now_s)
        report = StatusReport(
            StatusType.FAILED,
            status_detail=failure("same"),
            profile_name=node.profile,
            os_image_id="1.0",
        )
        maintenance.answer(database, Poll(identity, node.guid, report, now_s))
        return [s for s in statements if not s.lstrip().startswith(("SELECT", "BEGIN"))]

    start_s = int(time.time())
    assert poll(start_s) != []
    assert poll(start_s + 20) == []
    assert poll(start_s + 40) == []
    (only,) = poll(start_s + 61)
    assert only.startswith("UPDATE host")


def test_concurrent_polls_of_one_node_open_one_run(node: Node) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                assert node.post(
                    {
                        "hostGuid": node.guid,
                        "updateStatus": {"statusType": "STATUS_TYPE_DOWNLOADING"},
                    }
                ).ok
        except BaseException as error:  # noqa: BLE001 - told to the main thread
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    assert len(node.runs()) == 1


def test_concurrent_polls_of_many_nodes_all_count(orchestrator: Orchestrator) -> None:
    orchestrator.publish("crowd", "1.0")
    nodes = [orchestrator.enrol("crowd") for _ in range(20)]

    def work(node: Node) -> None:
        for status in ("DOWNLOADING", "STARTED", "UPDATED"):
            node.poll(status, profile_name="crowd", os_image_id="1.0")

    threads = [threading.Thread(target=work, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert {node.instance()["updateStatus"] for node in nodes} == {"Update completed"}
    assert [len(node.runs()) for node in nodes] == [1] * len(nodes)

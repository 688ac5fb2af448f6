# SPDX-License-Identifier: Apache-2.0
"""The metrics of a server that works, and the ids of its requests."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.errors import SettingsError
from tests.integration.orchestrator_stub.running import Node, Orchestrator, serving


@pytest.fixture
def metrics(orchestrator: Orchestrator) -> Callable[[], dict[str, float]]:
    """What the server tells now, by name and labels."""

    def read() -> dict[str, float]:
        response = orchestrator.session.get(f"{orchestrator.url}metrics", timeout=60)
        assert response.status_code == 200, response.text
        return {
            " ".join((sample.name, *sample.labels.values())): sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        }

    return read


def test_polls_are_counted_by_status_and_timed(
    node: Node, metrics: Callable[[], dict[str, float]]
) -> None:
    before = metrics()
    for _ in range(3):
        node.poll("UP_TO_DATE", os_image_id="1.0")
    node.orchestrator.call({}, "nonsense")
    node.post({"hostGuid": "no uuid"})
    after = metrics()

    def rise(name: str) -> float:
        return after[name] - before[name]

    assert rise("puad_polls_total 200") == 3
    assert rise("puad_polls_total 401") == 1
    assert rise("puad_polls_total 400") == 1
    assert rise("puad_poll_duration_seconds_count") == 5
    assert 0 < rise("puad_poll_duration_seconds_sum") < 300
    assert rise("puad_poll_answers_total writing") >= 1


def test_update_runs_are_counted_by_their_ends(
    orchestrator: Orchestrator, node: Node, metrics: Callable[[], dict[str, float]]
) -> None:
    orchestrator.publish(node.profile, "2.0")
    before = metrics()
    node.poll("STARTED", os_image_id="1.0")
    node.poll("UPDATED", profile_name=node.profile, os_image_id="2.0")
    node.poll("DOWNLOADING", os_image_id="2.0")
    node.poll("FAILED", os_image_id="2.0")
    after = metrics()
    rises = {end: after[end] - before[end] for end in after if "update_runs_ended_total" in end}
    assert rises == {
        "puad_update_runs_ended_total completed": 1,
        "puad_update_runs_ended_total failed": 1,
        "puad_update_runs_ended_total cancelled": 0,
    }


def test_fleet_and_build_are_told(node: Node, metrics: Callable[[], dict[str, float]]) -> None:
    node.poll("UP_TO_DATE", os_image_id="1.0")
    told = metrics()
    assert told["puad_database_up"] == 1
    hosts = {name.split()[1] for name in told if name.startswith("puad_hosts ")}
    assert hosts == {"running", "booting", "no_connection", "unknown", "invalidated"}
    assert any(name.startswith("puad_build_info ") for name in told)
    assert told["process_resident_memory_bytes"] > 0


def test_metrics_name_no_host_and_no_secret(
    orchestrator: Orchestrator, node: Node, metrics: Callable[[], dict[str, float]]
) -> None:
    node.poll("UP_TO_DATE", os_image_id="1.0")
    text = " ".join(metrics())
    directory = orchestrator.directory
    for word in (
        node.guid,
        node.host_id,
        node.token,
        directory.api_token(),
        directory.secret_key(),
    ):
        assert word not in text
    assert len(metrics()) < 200


def test_every_response_has_the_id_of_its_request(orchestrator: Orchestrator, node: Node) -> None:
    for path in ("healthz", "readyz", "v1/projects/default/compute/hosts", "nowhere"):
        answer = requests.get(
            orchestrator.url + path, headers={"X-Request-ID": "from-outside"}, timeout=60
        )
        assert answer.headers["x-request-id"] == "from-outside"
    assert node.post({}).headers["x-request-id"]


def test_server_without_a_release_service_is_ready(orchestrator: Orchestrator) -> None:
    answer = orchestrator.session.get(f"{orchestrator.url}readyz", timeout=60)
    assert (answer.status_code, set(answer.json()["checks"].values())) == (200, {"ok"})


def test_log_as_json_is_one_object_for_each_line_and_holds_no_secret(
    directory: DataDirectory,
) -> None:
    with serving(directory, "--log-format", "json") as orchestrator:
        node = orchestrator.enrol("edge")
        node.poll("UP_TO_DATE", os_image_id="1.0")
        orchestrator.call({}, "not." + node.token)
        headers = {"X-Request-ID": "from-outside"}
        path = f"v1/projects/{node.token}%0Anext/compute/hosts?filter={node.token}"
        answer = orchestrator.session.get(orchestrator.url + path, headers=headers, timeout=60)
        assert answer.status_code == 401
    log = (directory.path / "server.log").read_text()
    records = [json.loads(line) for line in log.splitlines()]
    assert all({"time", "level", "logger", "message"} <= record.keys() for record in records)
    (request,) = (record for record in records if record.get("request_id") == "from-outside")
    assert (request["method"], request["status"], request["level"]) == ("GET", 401, "info")
    for secret in (directory.api_token(), directory.secret_key()):
        assert secret not in log
    assert f"filter={node.token}" not in log


def test_metrics_token_of_the_data_directory_is_needed(directory: DataDirectory) -> None:
    token = "m" * 40
    file = directory.path / "metrics.token"
    file.write_text(token)
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="others than its owner"):
        directory.metrics_token()
    file.chmod(0o600)
    with serving(directory) as orchestrator:
        url = f"{orchestrator.url}metrics"
        assert orchestrator.session.get(url, timeout=60).status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        assert orchestrator.session.get(url, headers=headers, timeout=60).status_code == 200
    assert token not in (directory.path / "server.log").read_text()

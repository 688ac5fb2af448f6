# SPDX-License-Identifier: Apache-2.0
"""The first page as it is served: who may see it, and what it says."""

from __future__ import annotations

import html
import re
import time

import pytest
import requests

from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.tables import Host, Instance, OSResource
from tests.integration.orchestrator_stub.running import Node, Orchestrator, serving
from tests.integration.orchestrator_stub.test_polls import failure


def page(orchestrator: Orchestrator, query: str = "") -> str:
    response = requests.get(
        orchestrator.url + query, auth=("anyone", orchestrator.api_token), timeout=60
    )
    assert response.status_code == 200
    return response.text


def row(orchestrator: Orchestrator, node: Node) -> str:
    """The text of one host's row, without tags."""
    rows = re.findall(r"<tr role=\"row\">(.*?)</tr>", page(orchestrator), re.DOTALL)
    (mine,) = [text for text in rows if node.guid in text]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", mine)).split())


def test_page_asks_for_the_api_token(orchestrator: Orchestrator) -> None:
    wrong = [None, ("x", ""), ("x", "wrong"), (orchestrator.api_token, "")]
    for auth in wrong:
        response = requests.get(orchestrator.url, auth=auth, timeout=60)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Basic ")
        assert "<" not in response.text
    for header in ("Basic", "Basic %%%", "Basic /////w==", "Digest x"):
        response = requests.get(orchestrator.url, headers={"Authorization": header}, timeout=60)
        assert response.status_code == 401


def test_page_takes_a_bearer_token_as_well(orchestrator: Orchestrator) -> None:
    header = {"Authorization": f"Bearer {orchestrator.api_token}"}
    assert requests.get(orchestrator.url, headers=header, timeout=60).ok


def test_page_password_does_not_open_the_rest_api(orchestrator: Orchestrator) -> None:
    response = requests.get(
        f"{orchestrator.url}v1/projects/default/compute/hosts",
        auth=("x", orchestrator.api_token),
        timeout=60,
    )
    assert response.status_code == 401


def test_page_forbids_scripts_and_foreign_parts(orchestrator: Orchestrator) -> None:
    response = requests.get(orchestrator.url, auth=("x", orchestrator.api_token), timeout=60)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert response.headers["cache-control"] == "no-store"
    assert "http://" not in response.text
    assert "https://" not in response.text
    for asset in re.findall(r'(?:href|src)="(/static/[^"]+)"', response.text):
        assert requests.get(orchestrator.url + asset[1:], timeout=60).ok


def test_page_without_hosts_says_what_to_do(directory: DataDirectory) -> None:
    with serving(directory) as orchestrator:
        text = page(orchestrator)
        assert "No hosts yet" in text
        assert "puad-orchestrator enrol NAME --guid UUID --profile PROFILE" in text
        assert "<table" not in text


def test_row_of_a_new_host_says_that_nothing_is_known(orchestrator: Orchestrator) -> None:
    node = orchestrator.enrol(image_id="")
    seen = row(orchestrator, node)
    assert f"Unknown {node.profile} not reported yet none never" in seen
    assert "OS update available" not in seen


def test_marker_comes_and_goes_with_the_newer_version(
    orchestrator: Orchestrator, node: Node
) -> None:
    assert "OS update available" not in row(orchestrator, node)
    orchestrator.publish(node.profile, "2.0")
    assert f"{node.profile} 1.0 OS update available {node.profile} 2.0" in row(orchestrator, node)
    assert 'title="OS update available"' in page(orchestrator)
    node.poll("UPDATED", os_image_id="2.0")
    seen = row(orchestrator, node)
    assert "OS update available" not in seen
    assert f"Running {node.profile} 2.0 Update completed" in seen


def test_row_shows_progress_policy_and_cause(orchestrator: Orchestrator, node: Node) -> None:
    orchestrator.publish(node.profile, "2.0")
    node.link(orchestrator.policy("LATEST", name="newest always"))
    node.poll("DOWNLOADING", progress_percent=42)
    seen = row(orchestrator, node)
    assert "Downloading artifacts 42 %" in seen
    assert "newest always" in seen
    node.poll("FAILED", status_detail=failure("probe web failed <b>&"))
    assert "Update failed probe web failed <b>& under a minute ago" in row(orchestrator, node)


def test_names_are_escaped(orchestrator: Orchestrator, node: Node) -> None:
    with orchestrator.database.writing() as session:
        session.get_one(Host, node.host_id).name = "<script>alert(1)</script>"
        os_id = orchestrator.os_id(node.profile, "1.0")
        session.get_one(OSResource, os_id).name = "<img src=x>"
    text = page(orchestrator)
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_silent_and_invalidated_hosts_stand_out(orchestrator: Orchestrator, node: Node) -> None:
    node.poll("UP_TO_DATE")
    with orchestrator.database.writing() as session:
        long_ago_s = int(time.time()) - 3 * 3600 - 5
        session.get_one(Host, node.host_id).last_seen_s = long_ago_s
        session.get_one(Instance, node.instance_id).update_status_s = long_ago_s
    seen = row(orchestrator, node)
    assert "No Connection" in seen
    assert "3 h ago" in seen
    orchestrator.rest("PUT", f"compute/hosts/{node.host_id}/invalidate")
    assert "Invalidated" in row(orchestrator, node)


def test_last_seen_is_never_before_the_last_status(orchestrator: Orchestrator, node: Node) -> None:
    node.poll("UP_TO_DATE")
    with orchestrator.database.writing() as session:
        session.get_one(Host, node.host_id).last_seen_s = int(time.time()) - 3 * 60
    assert "3 min ago" not in row(orchestrator, node)


@pytest.mark.parametrize(("query", "refreshes"), [("", False), ("?refresh=1", True)])
def test_page_reloads_itself_only_when_asked(
    orchestrator: Orchestrator, query: str, refreshes: bool
) -> None:
    assert ('http-equiv="refresh"' in page(orchestrator, query)) is refreshes

# SPDX-License-Identifier: Apache-2.0
"""What `make demo KEEP=1` leaves up, without the demo before it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.demo.layout import Layout
from tests.demo.left_up import stop_left_up
from tests.demo.orchestrator import Orchestrator
from tests.demo.releases import ReleaseService
from tests.demo.simulated_fleet import HOSTS
from tests.demo.simulated_hosts import SimulatedHosts
from tests.integration.web.html import parse

PATIENCE_S = 120
GUID = "11111111-2222-3333-4444-555555555555"

pytestmark = [pytest.mark.timeout(1200), pytest.mark.minutes(2)]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    folder = tmp_path_factory.mktemp("demo")
    layout = Layout(folder / "cache", folder / "run")
    layout.begin()
    return layout


@pytest.fixture(scope="module")
def server(layout: Layout) -> Iterator[Orchestrator]:
    """The demo's orchestrator with the real host in it."""
    release = ReleaseService(layout.release, layout.run / "keys", layout.logs / "release.log")
    release.init()
    server = Orchestrator(layout)
    server.init()
    server.start(release.folder, release.root_of_trust)
    server.enrol(GUID, "13.1")
    yield server
    server.stop()


@pytest.fixture(scope="module", autouse=True)
def simulator(layout: Layout, server: Orchestrator) -> Iterator[subprocess.Popen[bytes]]:
    """The simulated hosts, all of them as they are to be."""
    release = ReleaseService(layout.release, layout.run / "keys", layout.logs / "release.log")
    simulated = SimulatedHosts(layout, server, release)
    simulated.make()
    with simulated.start() as process:
        try:
            simulated.wait_until_lively()
            yield process
        finally:
            stop_left_up(layout.run)


@pytest.fixture(scope="module")
def page(server: Orchestrator) -> str:
    """The text of the hosts page, as the operator sees it whose password is told."""
    told = server.add_operator()
    password = Path(told.rpartition(" ")[2]).read_text(encoding="ascii").strip()
    with requests.Session() as session:
        session.trust_env = False
        url = f"{server.url}/login"
        form = parse(session.get(url, timeout=60).text).all("form")[0]
        hidden = {one["name"]: one.get("value") for one in form.all("input") if one.get("name")}
        fields = {**hidden, "name": "demo", "password": password}
        answer = session.post(url, data=fields, timeout=60)
        assert answer.url.endswith("/hosts"), answer.url
        return parse(answer.text).text


def hosts(server: Orchestrator) -> dict[str, dict[str, Any]]:
    listed = server.call("GET", "compute/hosts?pageSize=100")["hosts"]
    return {host["name"]: host for host in listed}


def test_twenty_stand_beside_the_real_one(server: Orchestrator) -> None:
    known = hosts(server)
    assert set(known) == {host.name for host in HOSTS} | {"edge-node-1"}
    assert known["edge-node-1"]["site"]["name"] == "Munich store 12"
    assert len({host["site"]["name"] for host in known.values()}) == 4


def test_they_run_different_versions_and_some_have_a_newer_one(server: Orchestrator) -> None:
    instances = [host["instance"] for host in hosts(server).values()]
    assert len({(one["profileName"], one["imageId"]) for one in instances}) >= 6
    assert any(one["osUpdateAvailable"] for one in instances)


def test_one_downloads_one_has_failed_and_one_is_quarantined_with_its_cause(
    server: Orchestrator,
) -> None:
    known = hosts(server)
    downloading = known["till-04"]["instance"]
    assert downloading["updateStatus"] == "Downloading artifacts"
    assert 0 <= downloading["updateProgressPercent"] < 100
    failed, quarantined = known["till-06"]["instance"], known["till-05"]["instance"]
    assert (failed["quarantine"], '"download"' in failed["updateStatusDetail"]) == ([], True)
    assert len(quarantined["quarantine"]) == 1
    assert "criticalservices" in quarantined["updateStatusDetail"]
    assert quarantined["imageId"] == "4.1"


def test_one_has_not_been_seen_for_hours(server: Orchestrator) -> None:
    silent = hosts(server)["cabinet-km140"]
    assert silent["hostStatus"] == "No Connection"
    assert time.time() - silent["hostStatusTimestamp"] > 4 * 3600
    assert silent["instance"]["imageId"] == "4.1"


def test_page_shows_them_and_which_are_in_maintenance(page: str) -> None:
    for host in HOSTS:
        assert host.name in page
    assert page.count("In Maintenance") >= 4


def test_stop_ends_server_and_simulator(
    layout: Layout, server: Orchestrator, simulator: subprocess.Popen[bytes]
) -> None:
    """The last of this file: nothing is up after it."""
    process = server._server
    assert process is not None
    assert server.leave_up() == process.pid
    assert stop_left_up(layout.run) == ["server", "simulator"]
    with process:
        assert process.wait(PATIENCE_S) == 0
    assert simulator.wait(PATIENCE_S) == 0
    assert (layout.logs / "simulator.log").read_text("utf-8") == ""

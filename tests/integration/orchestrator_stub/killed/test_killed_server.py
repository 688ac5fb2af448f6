# SPDX-License-Identifier: Apache-2.0
"""Whole servers that are killed with SIGKILL in the middle of everything, and started again.

Nodes and an operator go on as they do: who is not answered asks again. What was answered holds, and
in the end everything is as if nothing had happened.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests

from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.database import Database
from puad.core.wire import Answer, StatusReport, StatusType, decode_response, encode_request
from tests.databases import Databases
from tests.integration.conftest import wait_until
from tests.integration.orchestrator_stub.killed.truth import check
from tests.integration.orchestrator_stub.pair import together
from tests.integration.orchestrator_stub.running import (
    CALL,
    Node,
    Orchestrator,
    configure,
    new_directory,
    second_directory,
)

pytestmark = pytest.mark.minutes(1)

NODES = 8
AT_ONCE = 3
KILLS = (6, 14, 23, 32, 41)
"""After so many answers the server dies."""

PATIENCE_S = 600


@dataclass
class Mortal:
    """A server process that always comes back at the same address."""

    directory: DataDirectory
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        command = [sys.executable, "-W", "error", "-m", "orchestrator_stub", "serve", "--json"]
        command += ["--data-dir", str(self.directory.path), "--plain-http"]
        with (self.directory.path / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)], stdout=subprocess.PIPE, stderr=log
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.directory.path / "server.log").read_text()
        self.port = int(json.loads(line)["url"].rstrip("/").rpartition(":")[2])

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@dataclass
class Storm:
    """What goes on, and how much of it was answered."""

    servers: list[Mortal]
    database: Database
    random: Random = field(default_factory=lambda: Random(5))
    answers: int = 0
    kills: int = 0
    over: bool = False

    def ask(self, method: str, path: str, token: str, document: object = None) -> Any:
        """Ask a server, and again, until one answers; 409 and 503 say to ask again as well."""
        headers = {"Authorization": f"Bearer {token}"}
        end = time.monotonic() + PATIENCE_S
        while True:
            assert time.monotonic() < end, "nobody answers"
            url = self.random.choice(self.servers).url + path
            try:
                response = once(method, url, json=document, headers=headers)
            except requests.RequestException:
                time.sleep(0.05)
                continue
            if response.status_code in {409, 503}:
                continue
            assert response.status_code == 200, response.text
            self.answers += 1
            return response.json()

    def poll(self, node: Node, status: str, image: str) -> Answer:
        report = StatusReport(
            StatusType(f"STATUS_TYPE_{status}"), os_image_id=image, profile_name=node.profile
        )
        return decode_response(
            self.ask("POST", CALL, node.token, encode_request(node.guid, report))
        )

    def rest(self, method: str, path: str, document: object = None) -> Any:
        token = self.servers[0].directory.api_token()
        return self.ask(method, f"v1/projects/default/{path}", token, document)

    def reap(self) -> None:
        """Kill a server after so many answers, look at what it has left, and start it again."""
        for number, answers in enumerate(KILLS):
            while self.answers < answers:
                if self.over:
                    return
                time.sleep(0.01)
            mortal = self.servers[number % len(self.servers)]
            mortal.kill()
            self.kills += 1
            check(self.database, f"after {self.kills} kills")
            mortal.start()


def once(method: str, url: str, **how: Any) -> requests.Response:
    """One request over a connection of its own."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, timeout=60, **how)


@pytest.fixture(params=["sqlite", "postgresql", "two on postgresql"])
def storm(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Storm]:
    url = databases.upgraded(request.param.rpartition(" ")[2])
    directories = [new_directory(tmp_path / "one", url)]
    configure(directories[0], "[maintenance]", "sweep_period_s = 1")
    if request.param.startswith("two"):
        directories.append(second_directory(tmp_path / "other", directories[0]))
    with ExitStack() as stack:
        servers = [Mortal(directory) for directory in directories]
        for mortal in servers:
            mortal.start()
            stack.callback(mortal.kill)
        yield Storm(servers, stack.enter_context(closing(Database(url))))
    databases.forget(url)
    for directory in directories:
        assert "Traceback" not in (directory.path / "server.log").read_text()


def walk(storm: Storm, node: Node) -> None:
    """A node on its way to the new image."""
    end = time.monotonic() + PATIENCE_S
    while storm.poll(node, "UP_TO_DATE", "1.0").offer is None:
        assert time.monotonic() < end, "it never had its turn"
        time.sleep(0.1)
    for status in ("DOWNLOADING", "DOWNLOADED", "STARTED"):
        storm.poll(node, status, "1.0")
    storm.poll(node, "UPDATED", "2.0")
    storm.poll(node, "UP_TO_DATE", "2.0")


def prepared(storm: Storm) -> tuple[list[Node], dict[str, Any]]:
    """Nodes with a window and a policy in waves, and a window that is moved about."""
    server = storm.servers[0]
    setup = Orchestrator(server.directory, server.url, storm.database)
    with setup.session:
        setup.publish("edge", "1.0", "2.0")
        nodes = [setup.enrol("edge") for _ in range(NODES)]
        rules = {"waves": [{"percent": 50}, {"percent": 100}], "maxAtOnce": AT_ONCE, "maxFailed": 0}
        policy = setup.policy("LATEST", rollout=rules)
        schedules = []
        for node in nodes:
            assert node.link(policy).status_code == 200
            window = {
                "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
                "startSeconds": int(time.time()) + 600,
                "targetHostId": node.host_id,
            }
            schedules.append(setup.create("compute/schedules/single", window))
    return nodes, schedules[0]


def edit(storm: Storm, schedule: dict[str, Any]) -> None:
    """An operator who moves a window again and again; what was answered holds."""
    path, number = f"compute/schedules/single/{schedule['resourceId']}", 0
    while not storm.over:
        number += 1
        wanted = schedule["startSeconds"] + number
        assert storm.rest("PATCH", path, {"startSeconds": wanted})["startSeconds"] == wanted
        assert storm.rest("GET", path)["startSeconds"] == wanted
        time.sleep(0.2)


@pytest.mark.timeout(3600)
def test_rollout_goes_on_over_every_death_of_a_server(storm: Storm) -> None:
    nodes, schedule = prepared(storm)
    others = [
        threading.Thread(target=partial(edit, storm, schedule)),
        threading.Thread(target=storm.reap),
    ]
    for other in others:
        other.start()
    try:
        together(*(partial(walk, storm, node) for node in nodes))
    finally:
        storm.over = True
        for other in others:
            other.join()
    assert storm.kills == len(KILLS)
    check(storm.database, "in the end")
    for node in nodes:
        (run,) = storm.rest("GET", f"os_update_run?instanceId={node.instance_id}")["osUpdateRuns"]
        assert run["status"] == "Update completed"
        assert run["imageId"] == "2.0"
        assert storm.rest("GET", f"compute/instances/{node.instance_id}")["os"]["imageId"] == "2.0"
    wait_until(
        lambda: (
            [r["state"] for r in storm.rest("GET", "compute/rollouts")["rollouts"]]
            == ["ROLLOUT_STATE_DONE"]
        ),
        "the rollout is done",
    )

# SPDX-License-Identifier: Apache-2.0
"""Orchestrator of the demo: the real server in a process of its own, and an operator's REST client.

Everything that the demo knows of the server it reads here, as any client would.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from orchestrator_stub.data_directory import DataDirectory
from tests.demo.images import PROFILE
from tests.demo.layout import REPOSITORY, Layout
from tests.demo.left_up import remember, stop_process
from tests.demo.tool import ToolError, run_tool
from tests.demo.waiting import wait_for
from tests.demo.watch import Sight

_PROJECT: Final = "demo"
_HOST_NAME: Final = "edge-node-1"
_OPERATOR: Final = "demo"
_TIMEOUT_S: Final = 30


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What enrolling a host gives."""

    host_id: str
    instance_id: str
    token: str


class Orchestrator:
    """The server and its client.

    Attributes:
        profile: What its nodes run.
        names: What its certificate vouches for; without any it serves plain HTTP.
    """

    profile = PROFILE
    names: tuple[str, ...] = ()

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._data = layout.run / "orchestrator"
        self._log = layout.logs / "orchestrator.log"
        self._server: subprocess.Popen[str] | None = None
        self._port = 0
        self._session = requests.Session()
        self._session.trust_env = False
        self._enrolled: Enrolled | None = None
        self._planned = False

    # ---- the process ----

    def init(self) -> None:
        """Make its data directory."""
        names = [word for name in self.names for word in ("--name", name)]
        self._tool("init", "--project", _PROJECT, *names)
        self.log_in()

    def log_in(self) -> None:
        """Take the operator's token from its data directory."""
        self.token_file = self._data / "api.token"
        token = self.token_file.read_text(encoding="ascii").strip()
        self._session.headers["Authorization"] = f"Bearer {token}"

    @property
    def directory(self) -> DataDirectory:
        """Its data directory."""
        return DataDirectory(self._data)

    @property
    def ca_file(self) -> Path:
        """What nodes and browsers trust."""
        return self._data / "tls/ca.crt"

    def add_operator(self) -> str:
        """Make an operator who may log in: how, for a person to read."""
        file = self._layout.run / "operator.password"
        if not file.exists():
            password = secrets.token_urlsafe(12)
            file.touch(mode=0o600)
            file.write_text(f"{password}\n", encoding="ascii")
            self._tool("operator", "add", _OPERATOR, "--password-stdin", stdin=password)
        return f"operator {_OPERATOR}; password: cat {file}"

    def enrol(self, guid: str, image_id: str) -> str:
        """Enrol the node: its token."""
        options = ["--guid", guid, "--profile", self.profile, "--image-id", image_id]
        facts = self._tool("enrol", _HOST_NAME, *options)
        self._enrolled = Enrolled(facts["host_id"], facts["instance_id"], facts["token"])
        return self._enrolled.token

    def start(self, release: Path, root_of_trust: Path) -> None:
        """Serve nodes, operators, and a release service's files."""
        options = ["--port", str(self._port), "--release-dir", str(release)]
        if self.names:
            self._session.verify = str(self.ca_file)
        else:
            options.append("--plain-http")
        command = [sys.executable, "-m", "orchestrator_stub", "serve", "--json"]
        command += ["--data-dir", str(self._data), "--release-root", str(root_of_trust), *options]
        with self._log.open("a", encoding="utf-8") as log:
            self._server = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if not line:
            raise ToolError(f"the orchestrator did not start; see {self._log}")
        self.url = str(json.loads(line)["url"]).rstrip("/")
        self._port = int(self.url.rpartition(":")[2])
        wait_for("the orchestrator", self._is_healthy, 60)

    def stop(self) -> None:
        """End the server."""
        if self._server is not None:
            self._session.close()  # the server waits for whoever keeps a connection
            stop_process(self._server.pid)
            self._server.wait(_TIMEOUT_S)
            assert self._server.stdout is not None
            self._server.stdout.close()
        self._server = None

    def leave_up(self) -> int:
        """Let the server go on after the demo: its process id."""
        assert self._server is not None
        pid, self._server = self._server.pid, None
        remember(self._layout.run, "server", pid)
        return pid

    def _is_healthy(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return self._session.get(f"{self.url}/healthz", timeout=_TIMEOUT_S).ok
        return False

    def _tool(self, *words: str, stdin: str = "") -> dict[str, Any]:
        program = [sys.executable, "-m", "orchestrator_stub", *words]
        output = run_tool([*program, "--data-dir", self._data, "--json"], self._log, stdin=stdin)
        facts: dict[str, Any] = json.loads(output)
        return facts

    # ---- an operator ----

    def find_releases(self) -> list[str]:
        """Ask the OS resource manager to look now: the new OS resources."""
        answer = self._call("POST", "compute/operating_systems:refresh")
        return [str(label) for label in answer["created"]]

    def be_ready(self) -> None:
        """Policy and window as step 1 leaves them, when it was not played."""
        if not self._planned:
            self.link_latest()
            self.open_window(2, 3600)

    def link_latest(self) -> None:
        """Make a policy LATEST and link it to the instance."""
        self._planned = True
        self._link({"name": "newest of the profile", "updatePolicy": "UPDATE_POLICY_LATEST"})

    def link_target(self, version: str) -> None:
        """Make a policy TARGET of that version and link it to the instance."""
        known = self._call("GET", "compute/operating_systems")["OperatingSystemResources"]
        (os_id,) = (one["resourceId"] for one in known if one["imageId"] == version)
        policy = {"name": f"just {version}", "updatePolicy": "UPDATE_POLICY_TARGET"}
        self._link({**policy, "targetOsId": os_id})

    def _link(self, policy: dict[str, str]) -> None:
        made = self._call("POST", "os_update_policy", policy)
        link = {"osUpdatePolicyID": made["resourceId"]}
        self._call("PATCH", f"compute/instances/{self._host.instance_id}", link)

    def open_window(self, in_s: int, for_s: int) -> str:
        """Make a single schedule of type OS update; its id."""
        schedule = {
            "name": "demo window",
            "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
            "targetHostId": self._host.host_id,
            **_span(in_s, for_s),
        }
        made = self._call("POST", "compute/schedules/single", schedule)
        return str(made["resourceId"])

    def move_window(self, schedule_id: str, in_s: int, for_s: int) -> None:
        """Have the window of a single schedule open at another time."""
        self._call("PATCH", f"compute/schedules/single/{schedule_id}", _span(in_s, for_s))

    def look(self) -> Sight:
        """What the server says about the node now."""
        instance = self._call("GET", f"compute/instances/{self._host.instance_id}")
        host = self._call("GET", f"compute/hosts/{self._host.host_id}")
        return Sight(
            status=instance["updateStatus"],
            os_name=instance.get("os", {}).get("name", ""),
            available=instance["osUpdateAvailable"],
            host=host["hostStatus"],
        )

    def runs(self) -> list[dict[str, Any]]:
        """The history of update runs, newest first."""
        rows: list[dict[str, Any]] = self._call("GET", "os_update_run")["osUpdateRuns"]
        return rows

    def last_cause(self) -> dict[str, str]:
        """The last entry of the update log that came with the newest run's end; empty without."""
        details = self.runs()[0]["statusDetails"] if self.runs() else ""
        if not details:
            return {}
        entry: dict[str, str] = json.loads(details)["update_log"][-1]
        return entry

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """What REST answers an operator's client."""
        return self._call(method, path, body)

    def stand_at(self, site_id: str) -> None:
        """Say where the host stands."""
        self._call("PATCH", f"compute/hosts/{self._host.host_id}", {"siteId": site_id})

    @property
    def _host(self) -> Enrolled:
        assert self._enrolled is not None
        return self._enrolled

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        url = f"{self.url}/v1/projects/{_PROJECT}/{path}"
        answer = self._session.request(method, url, json=body, timeout=_TIMEOUT_S)
        if not answer.ok:
            raise ToolError(f"{method} {path}: {answer.status_code} {answer.text}")
        document: dict[str, Any] = answer.json()
        return document


def _span(in_s: int, for_s: int) -> dict[str, int]:
    start = int(time.time()) + in_s
    return {"startSeconds": start, "endSeconds": start + for_s}

# SPDX-License-Identifier: Apache-2.0
"""A real orchestrator on the loopback address, and the nodes and operators that call it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select

from orchestrator_stub import commands
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.database import Database
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.os_resources.revision import Selection
from orchestrator_stub.os_resources.taking import Refresh, take
from orchestrator_stub.records import OSResource, Project
from orchestrator_stub.release.catalogue import Catalogue, Withdrawal
from orchestrator_stub.release_service import ProfileEntry, Publication
from puad.core.profile import OSProfile
from puad.core.wire import Answer, StatusReport, StatusType, decode_response, encode_request

CALL = "maintmgr.v1.MaintmgrService/PlatformUpdateStatus"
START_S = 60
YEAR_S = 365 * 86_400


@dataclass(frozen=True)
class Node:
    """An enrolled host as its node knows it."""

    orchestrator: Orchestrator
    profile: str
    guid: str
    host_id: str
    instance_id: str
    token: str

    def post(self, document: object, **changes: Any) -> requests.Response:
        return self.orchestrator.call(document, self.token, **changes)

    def poll(self, status: str, **fields: Any) -> Answer:
        report = StatusReport(StatusType(f"STATUS_TYPE_{status}"), **fields)
        response = self.post(encode_request(self.guid, report))
        assert response.status_code == 200, response.text
        return decode_response(response.json())

    def instance(self) -> dict[str, Any]:
        found: dict[str, Any] = self.orchestrator.get(f"compute/instances/{self.instance_id}")
        return found

    def runs(self) -> list[dict[str, Any]]:
        runs = self.orchestrator.get(f"os_update_run?pageSize=100&instanceId={self.instance_id}")
        return list(runs["osUpdateRuns"])

    def link(self, policy_id: str) -> requests.Response:
        path = f"compute/instances/{self.instance_id}"
        return self.orchestrator.rest("PATCH", path, {"osUpdatePolicyID": policy_id})


@dataclass
class Orchestrator:
    """A running orchestrator: its data directory and its address."""

    directory: DataDirectory
    url: str
    database: Database
    session: requests.Session = field(default_factory=requests.Session)
    told: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.session.trust_env = False

    @property
    def api_token(self) -> str:
        return self.directory.api_token()

    def call(
        self,
        document: object,
        token: str | None,
        *,
        data: bytes | None = None,
        content_type: str = "application/json",
    ) -> requests.Response:
        headers = {"Content-Type": content_type}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        body = json.dumps(document).encode() if data is None else data
        return self.session.post(self.url + CALL, data=body, headers=headers, timeout=60)

    def rest(
        self,
        method: str,
        path: str,
        document: object = None,
        project: str = "default",
        *,
        session: requests.Session | None = None,
        token: str = "",
    ) -> requests.Response:
        return (session or self.session).request(
            method,
            f"{self.url}v1/projects/{project}/{path}",
            json=document,
            headers={"Authorization": f"Bearer {token or self.api_token}"},
            timeout=60,
        )

    def new_session(self) -> requests.Session:
        """Connections of its own, for what goes on at the same time."""
        session = requests.Session()
        session.trust_env = False
        session.verify = self.session.verify
        return session

    def get(self, path: str) -> Any:
        response = self.rest("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    def create(self, path: str, document: object) -> Any:
        response = self.rest("POST", path, document)
        assert response.status_code == 200, response.text
        return response.json()

    def enrol(self, profile: str = "", image_id: str = "1.0", guid: str = "") -> Node:
        profile = profile or f"edge-{uuid.uuid4().hex[:8]}"
        guid = guid or str(uuid.uuid4())
        candidate = Candidate(f"host-{uuid.uuid4().hex[:8]}", guid, profile, image_id)
        facts = commands.enrol(self.directory, candidate, YEAR_S, renew=False)
        return Node(
            self,
            profile,
            candidate.guid,
            facts["host_id"],
            facts["instance_id"],
            facts["token"],
        )

    def publish(
        self, profile: str, *versions: str, withdrawn: tuple[str, ...] = (), salt: str = ""
    ) -> Refresh:
        """Let the OS resource manager see these versions, as if the release service had them."""
        entries = [
            ProfileEntry(f"{profile}/{v}/profile.yaml", os_profile(profile, v, salt))
            for v in versions
        ]
        gone = tuple(Withdrawal(profile, v, "it breaks", "2026-01-01T00:00:00Z") for v in withdrawn)
        catalogue = Catalogue(tuple(entry.path for entry in entries), gone)
        with self.database.writing() as session:
            return take(session, Publication(tuple(entries), catalogue), Selection())

    def os_id(self, profile: str, version: str) -> str:
        # a test may have made a second project, which finds the same releases
        wanted = (
            select(OSResource.id)
            .join(Project, Project.uuid == OSResource.project_uuid)
            .where(
                Project.name == "default",
                OSResource.profile_name == profile,
                OSResource.image_id == version,
            )
        )
        with self.database.reading() as session:
            return session.scalars(wanted).one()

    def policy(self, kind: str, **fields: object) -> str:
        document = {"name": "p", "updatePolicy": f"UPDATE_POLICY_{kind}", **fields}
        return str(self.create("os_update_policy", document)["resourceId"])


def os_profile(profile: str, version: str, salt: str = "") -> OSProfile:
    return OSProfile(
        name=f"{profile} {version}",
        profile_name=profile,
        image_url=f"{profile}/{version}/{profile}-{version}.raw.zst",
        image_id=version,
        file_hash=hashlib.sha256(f"{profile} {version} {salt}".encode()).hexdigest(),
    )


@contextlib.contextmanager
def serving(
    directory: DataDirectory, *options: str, verify: str | bool = True, files: int = 0
) -> Iterator[Orchestrator]:
    """The real server process over a data directory, until the block ends.

    It serves TLS when `verify` says what vouches for it, else plain HTTP; it may have so many
    `files` open, or as many as this process.
    """
    command = ["prlimit", f"--nofile={files}"] if files else []
    command += [sys.executable, "-W", "error", "-m", "orchestrator_stub", "serve", "--json"]
    command += ["--data-dir", str(directory.path), "--port", "0", *options]
    command += [] if isinstance(verify, str) else ["--plain-http"]
    log_path = directory.path / "server.log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    database = Database(directory.settings().database_url)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log_path.read_text()
        told = json.loads(line)
        orchestrator = Orchestrator(directory, told["url"], database, told=told)
        orchestrator.session.verify = verify
        _wait(orchestrator)
        with orchestrator.session:
            yield orchestrator
    finally:
        database.close()
        process.terminate()
        assert process.wait(60) == 0, log_path.read_text()
        assert process.stdout is not None
        process.stdout.close()
    assert "Traceback" not in log_path.read_text(), log_path.read_text()


def _wait(orchestrator: Orchestrator) -> None:
    end = time.monotonic() + START_S
    while True:
        with contextlib.suppress(requests.ConnectionError):
            if orchestrator.session.get(orchestrator.url + "healthz", timeout=10).ok:
                return
        assert time.monotonic() < end, "the orchestrator does not answer"
        time.sleep(0.1)


def new_directory(path: Path, database_url: str = "") -> DataDirectory:
    """A data directory as `init` makes it, over SQLite in it or another database."""
    directory = DataDirectory(path)
    commands.init(directory, "default", database_url=database_url)
    return directory


def second_directory(path: Path, first: DataDirectory) -> DataDirectory:
    """The data directory of another server on the same database, with the same secrets."""
    own = shutil.ignore_patterns("orchestrator.db*", "*.log", "tuf")
    shutil.copytree(first.path, path, ignore=own)
    return DataDirectory(path)


def configure(directory: DataDirectory, *lines: str) -> None:
    """Configure a server on the database that it has."""
    url = directory.settings().database_url
    text = "\n".join([f'database_url = "{url}"', *lines])
    (directory.path / "orchestrator.toml").write_text(text + "\n")

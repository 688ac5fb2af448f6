# SPDX-License-Identifier: Apache-2.0
"""What the orchestrator's commands do, each with the facts that it has to tell."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub import enrolment
from orchestrator_stub.app import create_app
from orchestrator_stub.data_directory import DataDirectory, Settings
from orchestrator_stub.database import Database
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.errors import Code, OrchestratorError, SettingsError
from orchestrator_stub.release_fetcher import is_safe
from orchestrator_stub.release_service import ReleaseService
from orchestrator_stub.resource_manager import Refresh, ResourceManager
from orchestrator_stub.server import Endpoint, Server
from orchestrator_stub.services import Services
from orchestrator_stub.tables import Project

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReleaseOptions:
    """Where the release service is, as the command line says it; empty means: as configured."""

    folder: Path | None = None
    url: str = ""
    root: Path | None = None
    ca_file: str = ""
    period_s: int = 0

    def check(self, configured_root: str) -> None:
        """Refuse options that do not fit together.

        Raises:
            OrchestratorError: `INVALID_ARGUMENT`, naming the options.
        """
        if self.folder is not None and self.url:
            raise OrchestratorError(
                Code.INVALID_ARGUMENT, "--release-dir and --release-url exclude each other"
            )
        option = "--release-dir" if self.folder is not None else "--release-url" * bool(self.url)
        if option and self.root is None and not configured_root:
            raise OrchestratorError(
                Code.INVALID_ARGUMENT,
                f"{option} needs --release-root",
                hint="It is the 1.root.json that `puad-release init` has made.",
            )
        if self.url and not is_safe(self.url):
            raise OrchestratorError(
                Code.INVALID_ARGUMENT,
                f"--release-url {self.url} is not https://, nor http:// to the loopback address",
            )


def init(directory: DataDirectory, project_name: str) -> dict[str, Any]:
    """Make a data directory, its secrets, its database and its project."""
    directory.create()
    project_uuid = str(uuid.uuid4())
    with _database(directory) as database:
        database.create_tables()
        with database.writing() as session:
            session.add(Project(uuid=project_uuid, name=project_name))
    return {
        "data_dir": str(directory.path),
        "project": project_name,
        "project_uuid": project_uuid,
        "api_token_file": str(directory.path / "api.token"),
    }


def enrol(
    directory: DataDirectory, candidate: Candidate, lifetime_s: int, *, renew: bool
) -> dict[str, Any]:
    """Enrol a host, or renew its token, and give what its node needs."""
    key = directory.secret_key()
    with _database(directory) as database, database.writing() as session:
        project = _project(session)
        if renew:
            host = enrolment.renew(session, project, candidate)
        else:
            host = enrolment.enrol(session, project, candidate)
        result = enrolment.token_for(host, key, int(time.time()), lifetime_s)
        name = host.name
    expires_at = datetime.fromtimestamp(result.expires_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "name": name,
        "renewed": renew,
        "guid": result.guid,
        "host_id": result.host_id,
        "instance_id": result.instance_id,
        "os_id": result.os_id,
        "token": result.token,
        "token_expires_at": expires_at,
    }


def refresh(directory: DataDirectory, options: ReleaseOptions) -> dict[str, Any]:
    """Look for new OS profiles once."""
    with _database(directory) as database:
        manager = _resource_manager(directory, database, options)
        if manager is None:
            raise SettingsError(
                "no release service is configured",
                hint="Give --release-dir or --release-url, and --release-root.",
            )
        result: Refresh = manager.refresh()
    return asdict(result)


def prepare_server(directory: DataDirectory, endpoint: Endpoint, options: ReleaseOptions) -> Server:
    """A server that listens already and answers once it runs."""
    endpoint.check()
    if options.folder is not None and not options.folder.is_dir():
        raise SettingsError(f"{options.folder} is no folder", hint="Make it with puad-release.")
    key, token = directory.secret_key(), directory.api_token()
    database = Database(directory.settings().database_url)
    database.create_tables()
    with database.reading() as session:
        _project(session)
    manager = _resource_manager(directory, database, options)
    if manager is None:
        log.warning("no release service is configured: no OS resources will be found")
    services = Services(database, key, token, manager)
    return Server(create_app(services, options.folder), endpoint)


@contextmanager
def _database(directory: DataDirectory) -> Iterator[Database]:
    database = Database(directory.settings().database_url)
    try:
        yield database
    finally:
        database.close()


def _project(session: Session) -> Project:
    project = session.scalars(select(Project).order_by(Project.created_s)).first()
    if project is None:
        raise OrchestratorError(
            Code.FAILED_PRECONDITION,
            "the database has no project",
            hint="Make a new data directory with `init`.",
        )
    return project


def _resource_manager(
    directory: DataDirectory, database: Database, options: ReleaseOptions
) -> ResourceManager | None:
    settings: Settings = directory.settings()
    release = settings.release
    options.check(release.root)
    url = options.folder.absolute().as_uri() if options.folder else options.url or release.url
    root = options.root or (Path(release.root) if release.root else None)
    if not url:
        return None
    if root is None:
        raise SettingsError(
            f"nothing vouches for the release service at {url}",
            hint="Give its root.json with --release-root.",
        )
    if not is_safe(url):
        raise SettingsError(
            f"release.url {url} is not https://, file:///, nor http:// to the loopback address"
        )
    service = ReleaseService(
        url=url,
        trust_root=root,
        cache=directory.tuf_cache,
        ca_file=options.ca_file or release.ca_file,
    )
    period_s = options.period_s or release.refresh_period_s
    return ResourceManager(database, service, release.revision, period_s)

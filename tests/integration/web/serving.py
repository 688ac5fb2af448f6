# SPDX-License-Identifier: Apache-2.0
"""The real application on a real port, in a thread of the test, with its database at hand."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import argon2
import uvicorn
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.access import operators
from orchestrator_stub.access.access import Access
from orchestrator_stub.access.passwords import Passwords
from orchestrator_stub.app import create_app
from orchestrator_stub.database import Database
from orchestrator_stub.maintenance import MaintenanceManager
from orchestrator_stub.maintenance.settings import MaintenanceSettings
from orchestrator_stub.records import Project
from orchestrator_stub.services import Services
from orchestrator_stub.vocabulary import Scope
from tests.integration.web import fleet
from tests.integration.web.fleet import Fleet

API_TOKEN = "the-api-token-of-this-test"
PASSWORD = "the password of this test"
PASSWORDS = Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))  # at once
START_S = 60
PATIENT_S = 600
"""A browser of the tests may think for longer than uvicorn's five seconds: whoever asks just as the
server closes the connection gets no answer."""


@dataclass
class World:
    """A running orchestrator and what its database was filled with."""

    url: str
    database: Database
    services: Services
    fleet: Fleet
    other: Fleet


@contextlib.contextmanager
def serving(services: Services) -> Iterator[str]:
    """Serve the application over these services; gives its address."""
    app = create_app(services)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        loop="asyncio",
        http="h11",
        timeout_keep_alive=PATIENT_S,
    )
    server = uvicorn.Server(config)
    app.state.is_stopping = lambda: server.should_exit
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        end = time.monotonic() + START_S
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_S)
        assert not thread.is_alive()


def add_admin(session: Session) -> None:
    """Make an operator who may change every project that there is."""
    operator = operators.add(session, "admin", PASSWORDS.hash_of(PASSWORD))
    for project in session.scalars(select(Project)):
        operators.admit(session, operator, project, Scope.WRITE)
    session.flush()


def quiet_maintenance(database: Database) -> MaintenanceManager:
    """Maintenance that leaves the fleet as a test has made it: nothing is swept meanwhile."""
    return MaintenanceManager(database, MaintenanceSettings(sweep_period_s=86_400))


def services_over(database: Database) -> Services:
    """What a server has over a database, without a release service."""
    return Services(
        database,
        "k" * 64,
        API_TOKEN,
        quiet_maintenance(database),
        access=Access(database, API_TOKEN, passwords=PASSWORDS),
    )


@contextlib.contextmanager
def world(database: Database) -> Iterator[World]:
    """A server with a lively project, and another project that is as lively."""
    now_s = int(time.time())
    with database.writing() as session:
        made = []
        for name in ("default", "other"):
            project = Project(uuid=str(uuid.uuid4()), name=name)
            session.add(project)
            session.flush()
            made.append(fleet.make(session, project, now_s))
        add_admin(session)
        session.expunge_all()
    services = services_over(database)
    with serving(services) as url:
        yield World(url, database, services, *made)

# SPDX-License-Identifier: Apache-2.0
"""Two projects, one operator, and passwords that cost little."""

from __future__ import annotations

from collections.abc import Iterator

import argon2
import pytest

from orchestrator_stub.access import operators
from orchestrator_stub.access.access import Access
from orchestrator_stub.access.passwords import Passwords
from orchestrator_stub.access.throttle import LoginThrottle
from orchestrator_stub.database import Database
from orchestrator_stub.records import Project
from orchestrator_stub.vocabulary import Scope
from tests.unit.orchestrator_stub.access.given import API_TOKEN, MINE, PASSWORD, THEIRS, Clock


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    opened.upgrade()
    with opened.writing() as session:
        session.add(Project(uuid=MINE, name="mine"))
        session.add(Project(uuid=THEIRS, name="theirs"))
    yield opened
    opened.close()


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(database: Database, passwords: Passwords, clock: Clock) -> Access:
    return Access(database, API_TOKEN, passwords, LoginThrottle(clock))


@pytest.fixture
def ada(database: Database, passwords: Passwords) -> str:
    """An operator who may change what is in her project."""
    with database.writing() as session:
        operator = operators.add(session, "Ada", passwords.hash_of(PASSWORD))
        project = session.get(Project, MINE)
        assert project is not None
        operators.admit(session, operator, project, Scope.WRITE)
    return "ada"

# SPDX-License-Identifier: Apache-2.0
"""A real orchestrator on the loopback address for every test of this folder, on each database."""

from __future__ import annotations

import functools
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestrator_stub.data_directory import DataDirectory
from tests.databases import Databases
from tests.integration.orchestrator_stub.pair import Pair, two_servers
from tests.integration.orchestrator_stub.running import Node, Orchestrator, new_directory, serving


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A command sets the log of its whole process up: not for the tests that follow."""
    kept = logging.root.handlers[:]
    yield
    logging.root.handlers[:] = kept


@pytest.fixture(scope="session")
def orchestrators(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Orchestrator]]:
    """Gives the one orchestrator that runs on each database, for all tests."""
    with ExitStack() as stack:

        def start(dialect: str) -> Orchestrator:
            folder = tmp_path_factory.mktemp(f"orchestrator-{dialect}")
            directory = new_directory(folder / "data", databases.upgraded(dialect))
            return stack.enter_context(serving(directory))

        yield functools.cache(start)


@pytest.fixture(scope="session")
def orchestrator(orchestrators: Callable[[str], Orchestrator], dialect: str) -> Orchestrator:
    """One running orchestrator for all tests: each works on hosts and profiles of its own."""
    return orchestrators(dialect)


@pytest.fixture(scope="session")
def pair(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two servers on one PostgreSQL for all tests: each works on hosts and profiles of its own."""
    with two_servers(databases, tmp_path_factory.mktemp("pair")) as running:
        yield running


@pytest.fixture
def node(orchestrator: Orchestrator) -> Node:
    """A fresh host of a profile of its own, running image 1.0, which is an OS resource."""
    profile = f"edge-{uuid.uuid4().hex[:8]}"
    orchestrator.publish(profile, "1.0")
    return orchestrator.enrol(profile)


@pytest.fixture
def directory(tmp_path: Path, request: pytest.FixtureRequest, dialect: str) -> DataDirectory:
    """A fresh data directory, on each database; SQLite's lies in it, where it does by itself."""
    if dialect == "sqlite":
        return new_directory(tmp_path / "data")
    return new_directory(tmp_path / "data", request.getfixturevalue("database_url"))

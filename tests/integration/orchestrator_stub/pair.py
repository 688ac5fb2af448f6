# SPDX-License-Identifier: Apache-2.0
"""Two server processes on one PostgreSQL, and what goes on at both at the same time."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.databases import Databases
from tests.integration.orchestrator_stub.running import (
    Node,
    Orchestrator,
    configure,
    new_directory,
    second_directory,
    serving,
)

PATIENCE_S = 600


@dataclass(frozen=True)
class Pair:
    """Two servers on one database."""

    one: Orchestrator
    other: Orchestrator

    def node(self) -> Node:
        """A fresh host, enrolled at one, whose image both know."""
        profile = f"edge-{uuid.uuid4().hex[:8]}"
        self.one.publish(profile, "1.0", "2.0")
        return self.one.enrol(profile)

    def both(self, node: Node) -> tuple[Node, Node]:
        """The same node, talking to one and to the other."""
        return node, replace(node, orchestrator=self.other)


@contextlib.contextmanager
def two_servers(databases: Databases, folder: Path) -> Iterator[Pair]:
    """Two real processes, each of which looks after runs and rollouts every second."""
    first = new_directory(folder / "one", databases.upgraded("postgresql"))
    configure(first, "[maintenance]", "sweep_period_s = 1")
    second = second_directory(folder / "other", first)
    with serving(first) as one, serving(second) as other:
        yield Pair(one, other)


def together(*jobs: Callable[[], object]) -> None:
    """Run jobs at the same time; what one of them raises is raised here."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result(PATIENCE_S)


def insist(ask: Callable[[], Any]) -> None:
    """Ask until it is done: 409 says that somebody else was quicker, and nothing else may come."""
    for _ in range(200):
        response = ask()
        if response.status_code == 200:
            return
        assert response.status_code == 409, response.text
    pytest.fail("it was refused 200 times")

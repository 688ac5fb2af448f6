# SPDX-License-Identifier: Apache-2.0
"""SIGKILL before each commit and after it: the records are true, and go on.

What a transaction has written is not there before its commit, so a kill between two of its writes
would be the same one again; only an upgrade is killed there too.

Each step of a story is killed at each of its points, on a copy of the records from before it. Right
then nothing in the records may contradict itself. The world then repeats the step at a server that
has just started, and the records must be those of a server that was never killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from orchestrator_stub.database import Database
from orchestrator_stub.records import Base, Project
from orchestrator_stub.rollouts import ledger
from tests.databases import Databases
from tests.integration.orchestrator_stub.killed import stories
from tests.integration.orchestrator_stub.killed.mortal import UPGRADE
from tests.integration.orchestrator_stub.killed.truth import check, content
from tests.unit.orchestrator_stub.maintenance.fleet import PROJECT, START_S
from tests.unit.orchestrator_stub.test_migrations import first, look, upgraded

pytestmark = pytest.mark.minutes(4)

__all__ = ["first"]  # a fixture

REPOSITORY = Path(__file__).resolve().parents[4]
NEVER = 0
Records = dict[str, list[dict[str, Any]]]


@dataclass
class Mortal:
    """The process whose children are killed."""

    process: subprocess.Popen[str]

    def order(self, url: str, kill_at: int, **order: Any) -> bool:
        """Have a child do something; whether it was killed before it was done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = json.dumps({"url": url, "kill_at": kill_at, **order})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        end = self.process.stdout.readline().strip()
        assert end in {"done", "killed"}, f"{end}: {line}"
        return end == "killed"


@pytest.fixture(scope="module")
def mortal() -> Iterator[Mortal]:
    command = [sys.executable, "-W", "error", "-m", f"{stories.__package__}.mortal"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Mortal(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


@dataclass(frozen=True)
class Moment:
    """The records before one step, and what the world is like."""

    records: Records
    order: dict[str, Any]


def moments(database: Database, story: str) -> Iterator[tuple[Moment, Any]]:
    """Each step of a story with what it leads to, at a server that is never killed."""
    with database.writing() as session:
        session.add(Project(uuid=PROJECT, name="default"))
    world = stories.town(database, START_S, [], {})
    for number, step in enumerate(stories.STORIES[story]):
        names, before = step.choose(world), records(database)
        order = {
            "story": story,
            "step": number,
            "names": names,
            "now_s": world.now_s,
            "versions": stories.versions_of(world),
            "withdrawn": dict(world.withdrawn),
        }
        step.act(world, names)
        check(database, f"{step.what}, unharmed")
        yield Moment(before, order), content(database)


def records(database: Database) -> Records:
    """Every row of every table."""
    with database.reading() as session:
        return {
            table.name: [row._asdict() for row in session.execute(select(table))]
            for table in Base.metadata.sorted_tables
        }


def restore(database: Database, known: Records) -> None:
    """Let a database have these rows and no others."""
    with database.writing() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
        for table in Base.metadata.sorted_tables:
            if known[table.name]:
                session.execute(table.insert(), known[table.name])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("story", stories.STORIES)
def test_killed_anywhere_the_records_are_true_and_go_on(
    database: Database,
    database_url: str,
    mortal: Mortal,
    monkeypatch: pytest.MonkeyPatch,
    story: str,
) -> None:
    monkeypatch.setattr(ledger, "_STARTED_S", START_S - 100_000)
    kills = 0
    with stories.same_waves(), closing(Database(database_url)) as harmed:
        for moment, expected in moments(database, story):
            what = stories.STORIES[story][moment.order["step"]].what
            kill_at, was_killed = 1, True
            while was_killed:
                restore(harmed, moment.records)
                was_killed = mortal.order(database_url, kill_at, **moment.order)
                check(harmed, f"{what}, killed at point {kill_at}")
                if was_killed:
                    assert not mortal.order(database_url, NEVER, **moment.order)
                assert content(harmed) == expected, f"{what}, point {kill_at}"
                kills += was_killed
                kill_at += 1
    assert kills > 2 * len(stories.STORIES[story])


def test_killed_migration_is_begun_anew(
    databases: Databases, dialect: str, mortal: Mortal, first: str
) -> None:
    """Before each statement: the records are the old ones, all of them, or the new ones."""
    before = look(first)
    reference = databases.copied(dialect, first)
    upgraded(reference).close()
    after = look(reference)
    kill_at, was_killed, ends = 1, True, set()
    while was_killed:
        url = databases.copied(dialect, first)
        was_killed = mortal.order(url, kill_at, story=UPGRADE)
        found = look(url)
        assert found in (before, after), kill_at
        ends.add(found == after)
        upgraded(url).close()
        assert look(url) == after, kill_at
        databases.forget(url)
        kill_at += 1
    assert ends == {True, False}
    assert kill_at > len(Base.metadata.tables)
    databases.forget(reference)

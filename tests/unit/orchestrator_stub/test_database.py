# SPDX-License-Identifier: Apache-2.0
"""The database's transactions, and the enrolment that runs in them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from orchestrator_stub import enrolment
from orchestrator_stub.database import Database
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.errors import Code, OrchestratorError, SettingsError
from orchestrator_stub.tables import Host, Project

GUID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'test.db'}")
    opened.create_tables()
    with opened.writing() as session:
        session.add(Project(uuid="aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", name="default"))
    yield opened
    opened.close()


def test_database_is_in_wal_mode_with_foreign_keys(database: Database) -> None:
    with database.reading() as session:
        connection = session.connection()
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_error_in_a_writing_session_leaves_nothing_behind(database: Database) -> None:
    def write_and_fail() -> None:
        with database.writing() as session:
            session.add(Project(uuid="x", name="x"))
            session.flush()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write_and_fail()
    with database.reading() as session:
        assert session.get(Project, "x") is None


def test_reading_goes_on_while_another_writes(database: Database) -> None:
    with database.writing() as writer:
        writer.add(Project(uuid="x", name="x"))
        writer.flush()
        with database.reading() as reader:
            assert reader.get(Project, "x") is None
    with database.reading() as reader:
        assert reader.get(Project, "x") is not None


def test_writers_wait_for_each_other(database: Database) -> None:
    def add_ten(number: int) -> None:
        for n in range(10):
            with database.writing() as session:
                count = session.scalar(select(func.count()).select_from(Project))
                session.add(Project(uuid=f"{number}-{n}", name=f"{count}"))

    threads = [threading.Thread(target=add_ten, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Project)) == 41


def test_record_that_breaks_a_constraint_is_a_clear_error(database: Database) -> None:
    def add_twin() -> None:
        with database.writing() as session:
            session.add(Project(uuid="y", name="default"))

    with pytest.raises(OrchestratorError) as caught:
        add_twin()
    assert caught.value.code is Code.ALREADY_EXISTS


@pytest.mark.parametrize(
    "url", ["", "nonsense", "oracle://x", "sqlite3:///x", "mysql+nodriver://x"]
)
def test_unusable_url_is_a_settings_error(url: str) -> None:
    with pytest.raises(SettingsError, match="database_url"):
        Database(url)


def test_enrolled_host_is_unique_by_guid_and_by_name(database: Database) -> None:
    def enrol(name: str, guid: str) -> None:
        with database.writing() as session:
            project = session.scalars(select(Project)).one()
            enrolment.enrol(session, project, Candidate(name, guid, "edge"))

    enrol("edge-1", GUID)
    other = GUID.replace("1", "9")
    for name, guid in (("edge-2", GUID), ("edge-1", other)):
        with pytest.raises(OrchestratorError) as caught:
            enrol(name, guid)
        assert caught.value.code is Code.ALREADY_EXISTS
    enrol("edge-2", other)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Host)) == 2

# SPDX-License-Identifier: Apache-2.0
"""The database's transactions, and the enrolment that runs in them."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import bindparam, delete, func, literal, literal_column, select, text
from sqlalchemy.orm import Session

from orchestrator_stub import enrolment
from orchestrator_stub.database import TRIES, Database
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.errors import Code, OrchestratorError, SettingsError
from orchestrator_stub.records import Host, Instance, Project
from tests.databases import Databases

GUID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def database(database: Database) -> Database:
    with database.writing() as session:
        session.add(Project(uuid="aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", name="default"))
    return database


def test_sqlite_is_in_wal_mode_with_foreign_keys(databases: Databases) -> None:
    with databases.fresh("sqlite") as database, database.reading() as session:
        connection = session.connection()
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_reading_sees_one_state_and_may_not_write(database: Database) -> None:
    with database.reading() as reader:
        before = reader.scalar(select(func.count()).select_from(Project))
        with database.writing() as writer:
            writer.add(Project(uuid="x", name="x"))
        assert reader.scalar(select(func.count()).select_from(Project)) == before
    if database.dialect == "postgresql":
        with pytest.raises(OrchestratorError), database.reading() as reader:
            reader.execute(delete(Project))


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


def enrol(database: Database, name: str = "edge-1", guid: str = GUID) -> None:
    with database.writing() as session:
        project = session.scalars(select(Project)).one()
        enrolment.enrol(session, project, Candidate(name, guid, "edge"))


def test_writers_of_one_record_lose_no_change(database: Database) -> None:
    """Each reads what it changes; on PostgreSQL nearly every one loses races and starts again."""
    enrol(database)
    with database.reading() as session:
        before_s = session.scalars(select(Host)).one().tokens_valid_from_s

    def raise_by_one(session: Session) -> None:
        session.scalars(select(Host)).one().tokens_valid_from_s += 1

    def raise_by_ten(_number: int) -> None:
        for _ in range(10):
            database.write(raise_by_one)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(raise_by_ten, range(8)))
    with database.reading() as session:
        host = session.scalars(select(Host)).one()
    assert (host.tokens_valid_from_s, host.version) == (before_s + 80, 81)


def test_glance_asks_once_outside_of_any_transaction(database: Database) -> None:
    one = select(literal(1)).where(bindparam("wanted"))
    assert [tuple(row) for row in database.glance(one, {"wanted": True})] == [(1,)]
    assert list(database.glance(one, {"wanted": False})) == []
    count = select(func.count()).select_from(Project)
    with database.writing() as session:
        session.add(Project(uuid="x", name="x"))
        rows = database.glance(count, {})
        assert [tuple(row) for row in rows] == [(1,)]  # what is not committed is not seen
    assert [tuple(row) for row in database.glance(count, {})] == [(2,)]


def test_glance_at_a_database_that_does_not_answer_has_no_row(database: Database) -> None:
    assert list(database.glance(select(literal_column("no_such_column")), {})) == []


def test_writers_of_one_process_wait_for_each_other_before_they_ask_the_database(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite that waits for nobody refuses whoever comes while another writes."""
    impatient = {"sqlite": {"connect_args": {"timeout": 0}}}
    monkeypatch.setattr("orchestrator_stub.engines._ARGUMENTS", impatient)
    together = threading.Barrier(4)

    def write(database: Database, number: int) -> None:
        together.wait()
        with database.writing() as session:
            session.add(Project(uuid=str(number), name=str(number)))
            session.flush()

    with databases.fresh("sqlite") as database, ThreadPoolExecutor(4) as pool:
        list(pool.map(write, [database] * 4, range(4)))
        with database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Project)) == 4


def test_writer_whose_turn_does_not_come_is_told_so(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator_stub.database.BUSY_TIMEOUT_S", 0.01)

    def write(database: Database) -> None:
        with database.writing():
            pass

    with databases.fresh("sqlite") as database, database.writing():
        with ThreadPoolExecutor(1) as pool, pytest.raises(OrchestratorError) as caught:
            pool.submit(write, database).result()
        assert caught.value.code is Code.UNAVAILABLE
        assert database.errors()[Code.UNAVAILABLE] == 1


def test_stale_change_is_told_and_leaves_what_the_other_wrote(database: Database) -> None:
    enrol(database)
    with database.reading() as session:
        stale = session.scalars(select(Host)).one()
        session.expunge_all()
    with database.writing() as session:
        session.scalars(select(Host)).one().note = "first"

    def change_late() -> None:
        with database.writing() as session:
            session.add(stale)
            stale.note = "second"

    with pytest.raises(OrchestratorError) as caught:
        change_late()
    assert caught.value.code is Code.ABORTED
    with database.reading() as session:
        assert session.scalars(select(Host)).one().note == "first"


def test_change_that_loses_every_race_ends(database: Database) -> None:
    tries = 0

    def lose(_session: Session) -> None:
        nonlocal tries
        tries += 1
        raise OrchestratorError(Code.ABORTED, "somebody else was quicker")

    with pytest.raises(OrchestratorError) as caught:
        database.write(lose)
    assert caught.value.code is Code.ABORTED
    assert tries == TRIES


def test_change_that_is_refused_is_tried_once(database: Database) -> None:
    tries = 0

    def refuse(_session: Session) -> None:
        nonlocal tries
        tries += 1
        raise OrchestratorError(Code.NOT_FOUND, "it is not there")

    with pytest.raises(OrchestratorError):
        database.write(refuse)
    assert tries == 1


def test_id_that_is_drawn_twice_is_drawn_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(database)
    with database.reading() as session:
        taken = session.scalars(select(Instance)).one().id.removeprefix("inst-")
    drawn = ["00000001", taken, "00000002", "00000003"]
    monkeypatch.setattr(secrets, "token_hex", lambda _: drawn.pop(0))

    def add(session: Session) -> str:
        project = session.scalars(select(Project)).one()
        host = Host(project_uuid=project.uuid, uuid=GUID.replace("1", "9"), name="edge-2")
        host.instance = Instance(project_uuid=project.uuid, name="edge-2", profile_name="edge")
        session.add(host)
        session.flush()
        return host.instance.id

    assert database.write(add) == "inst-00000003"
    assert database.errors()[Code.ABORTED] == 1


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


def test_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match="not installed") as caught:
        Database("postgresql+psycopg://db.example.org/puad")
    assert "python3-psycopg" in caught.value.hint


def test_enrolled_host_is_unique_by_guid_and_by_name(database: Database) -> None:
    enrol(database)
    other = GUID.replace("1", "9")
    for name, guid in (("edge-2", GUID), ("edge-1", other)):
        with pytest.raises(OrchestratorError) as caught:
            enrol(database, name, guid)
        assert caught.value.code is Code.ALREADY_EXISTS
    enrol(database, "edge-2", other)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Host)) == 2


def test_callers_are_not_told_where_the_database_is() -> None:
    database = Database("postgresql+psycopg://puad@127.0.0.1:1/inventory")
    with pytest.raises(OrchestratorError) as caught:
        database.check()
    assert (caught.value.code, caught.value.what) == (
        Code.UNAVAILABLE,
        "the database does not answer",
    )
    assert "127.0.0.1" in str(caught.value)


def test_no_error_has_what_a_statement_was_given(database: Database) -> None:
    given = {"name": "s3" + "cret"}  # a trace shows the lines of this file as well
    with pytest.raises(OrchestratorError) as caught, database.reading() as session:
        session.execute(text("SELECT name FROM nowhere WHERE name = :name"), given)
    assert "nowhere" in str(caught.value.__cause__)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url", ["postgresql//u:s3cret@h/d", "s3cret", "postgresql+psycopg://u:p@h:s3cret/d"]
)
def test_url_that_is_none_is_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Database(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    assert "database_url cannot be used: it is no URL" in str(caught.value)


def test_file_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        database = Database(f"sqlite:///{tmp_path}/orchestrator.db")
        database.upgrade()
        with database.writing() as session:
            session.add(Project(uuid="x", name="x"))
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
        database.close()
    assert modes.keys() >= {"orchestrator.db", "orchestrator.db-wal"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    ("url", "told", "hint"),
    [
        (
            "postgresql+psycopg://puad:s3cret@127.0.0.1:1/inventory?sslpassword=s3cret",
            "postgresql+psycopg://puad:***@127.0.0.1:1/inventory: ",
            "PostgreSQL runs there",
        ),
        ("sqlite:////nowhere/x.db", "sqlite:////nowhere/x.db: unable to open", "the file"),
    ],
)
def test_database_that_does_not_answer_is_named_on_one_line_without_its_password(
    url: str, told: str, hint: str
) -> None:
    with pytest.raises(OrchestratorError) as caught:
        Database(url).check()
    assert str(caught.value).startswith(f"the database does not answer: {told}")
    assert str(caught.value).isprintable()
    assert "s3cret" not in str(caught.value)
    assert hint in caught.value.hint


def test_url_of_another_kind_of_database_says_which_there_are() -> None:
    with pytest.raises(SettingsError, match="mysql is neither sqlite nor postgresql"):
        Database("mysql://h/d")

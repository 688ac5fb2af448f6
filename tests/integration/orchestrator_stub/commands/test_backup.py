# SPDX-License-Identifier: Apache-2.0
"""`backup`: one consistent file, while the server writes."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from orchestrator_stub.backup import back_up
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.database import Database
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Project
from tests.integration.orchestrator_stub.commands.given import Facts, Told
from tests.integration.orchestrator_stub.running import new_directory, serving


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    """A fresh data directory, on SQLite: of PostgreSQL its own program makes backups."""
    return new_directory(tmp_path / "data")


def names(file: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [name for (name,) in connection.execute("SELECT name FROM project ORDER BY name")]


def test_backup_is_one_file_that_a_server_starts_from(
    directory: DataDirectory, facts: Facts, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    with serving(directory) as orchestrator:
        node = orchestrator.enrol("edge")
        told = facts("backup", str(copy))
        assert told == {"file": str(copy), "bytes": copy.stat().st_size}
        orchestrator.enrol("edge")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == ["copy.db"]
    assert names(copy) == ["default"]
    for file in directory.path.glob("orchestrator.db*"):
        file.unlink()
    copy.rename(directory.path / "orchestrator.db")
    with serving(directory) as orchestrator:
        assert orchestrator.get("compute/hosts")["totalElements"] == 1
        assert orchestrator.get("compute/hosts")["hosts"][0]["uuid"] == node.guid


def test_backup_sees_whole_transactions_only(directory: DataDirectory, tmp_path: Path) -> None:
    database = Database(directory.settings().database_url)
    stop, pairs = threading.Event(), 0

    def add_pair(session: Session) -> None:
        session.add(Project(uuid=f"a-{pairs}", name=f"a-{pairs}"))
        session.flush()
        session.add(Project(uuid=f"b-{pairs}", name=f"b-{pairs}"))

    def write() -> None:
        nonlocal pairs
        while not stop.is_set():
            database.write(add_pair)
            pairs += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(20):
            copy = tmp_path / f"{number}.db"
            back_up(database, copy)
            found = names(copy)
            first = {name[2:] for name in found if name.startswith("a-")}
            second = {name[2:] for name in found if name.startswith("b-")}
            assert first == second
    finally:
        stop.set()
        writer.join(60)
        database.close()
    assert pairs > 0


def test_backup_replaces_the_one_before_and_leaves_it_when_it_fails(
    directory: DataDirectory, told: Told, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("the one before")
    copy.chmod(0o644)
    assert told("backup", str(copy))[0] == 0
    assert names(copy) == ["default"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    before = copy.read_bytes()
    for file in directory.path.glob("orchestrator.db*"):
        file.write_bytes(b"no database" * 1000)
    assert told("backup", str(copy))[0] == os.EX_UNAVAILABLE
    assert copy.read_bytes() == before


def test_backup_into_a_folder_that_is_not_there_says_so(told: Told, tmp_path: Path) -> None:
    status, out, err = told("backup", str(tmp_path / "absent" / "copy.db"))
    assert (status, out) == (os.EX_NOPERM, "")
    assert "cannot be written" in err


def test_backup_of_postgresql_is_left_to_its_own_program(tmp_path: Path) -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/puad")
    with pytest.raises(OrchestratorError, match="postgresql") as caught:
        back_up(database, tmp_path / "copy.db")
    database.close()
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert "pg_dump" in caught.value.hint
    assert list(tmp_path.iterdir()) == []

# SPDX-License-Identifier: Apache-2.0
"""A copy of the database as it is at one moment, made while the server goes on."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from orchestrator_stub.database import Database
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.whole_file import sync_folder

_MODE: Final = 0o600


def back_up(database: Database, file: Path) -> int:
    """Copy the database into a file, in place of what it held, for its owner alone: its bytes.

    SQLite copies page by page what one transaction sees; writers go on meanwhile.

    Raises:
        OrchestratorError: `FAILED_PRECONDITION` for PostgreSQL, which has a program of its own for
            it; `PERMISSION_DENIED`, when the file cannot be written.
    """
    if database.dialect != "sqlite":
        raise OrchestratorError(
            Code.FAILED_PRECONDITION,
            f"the database is one of {database.dialect}",
            hint="Use pg_dump, with the name in database_url.",
        )
    new = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _MODE))
        _copy(database, new)
        with new.open("rb") as copy:
            os.fsync(copy.fileno())
        new.replace(file)
        sync_folder(file.parent)
        return file.stat().st_size
    except (OSError, sqlite3.OperationalError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise OrchestratorError(
            Code.PERMISSION_DENIED,
            f"the backup cannot be written to {file}: {reason}",
            hint="Check that the folder exists, is writable for this user, and has room.",
        ) from error
    finally:
        with suppress(FileNotFoundError):
            new.unlink()


def _copy(database: Database, new: Path) -> None:
    with database.reading() as session:
        source = session.connection().connection.driver_connection
        if not isinstance(source, sqlite3.Connection):
            raise TypeError("the driver of SQLite is Python's own")
        with closing(sqlite3.connect(new)) as target:
            source.backup(target)
            # a copy has no companions: whoever takes the one file has everything
            target.execute("PRAGMA journal_mode=DELETE")

# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's database: SQLite in WAL mode by default, another one by its URL.

Two kinds of transaction. *Reading* sees one consistent state and never waits for a writer.
*Writing* takes SQLite's only write lock at its start: a transaction that turned from reading to
writing half-way would fail when another writer was quicker, and waiting could not help it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError, SettingsError
from orchestrator_stub.tables import Base

BUSY_TIMEOUT_S: Final = 30
CONNECTIONS: Final = 40
"""As many as there are worker threads to use them."""

_BEGIN: Final = "puad_begin"


class Database:
    """The store of every record."""

    def __init__(self, url: str) -> None:
        self._reader = _engine(url)
        self._writer = self._reader.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})

    def create_tables(self) -> None:
        """Make the tables that are not there yet."""
        with _translated():
            Base.metadata.create_all(self._writer)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session whose changes are thrown away."""
        with _translated(), Session(self._reader, autoflush=False) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed at the end, or rolled back when an error leaves it."""
        with _translated(), Session(self._writer) as session, session.begin():
            yield session

    def check(self) -> None:
        """Ask the database for an answer.

        Raises:
            OrchestratorError: `UNAVAILABLE`, when it gives none.
        """
        with self.reading() as session:
            session.execute(text("SELECT count(*) FROM project"))

    def close(self) -> None:
        """Close every connection."""
        self._reader.dispose()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise OrchestratorError(
            Code.ALREADY_EXISTS, f"the records do not allow it: {error.orig}"
        ) from error
    except (DatabaseError, PoolTimeoutError) as error:
        raise OrchestratorError(
            Code.UNAVAILABLE,
            f"the database does not answer: {getattr(error, 'orig', error)}",
            hint="Check its disk and its URL; `init` makes it.",
        ) from error


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_size=CONNECTIONS, pool_pre_ping=True)
        engine = create_engine(
            parsed, pool_size=CONNECTIONS, connect_args={"timeout": BUSY_TIMEOUT_S}
        )
    except (ArgumentError, ImportError) as error:
        raise SettingsError(
            f"database_url cannot be used: {error}",
            hint="Write it as sqlite:////path/to/file or postgresql+psycopg://host/name.",
        ) from error
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own types
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

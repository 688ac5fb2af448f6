# SPDX-License-Identifier: Apache-2.0
"""Engines: how SQLAlchemy speaks to the database, for each way of asking it.

A *reader* sees one consistent state, a *writer* takes SQLite's write lock at its start, a *glancer*
asks one question outside of any transaction.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from orchestrator_stub.errors import SettingsError

_BEGIN: Final = "puad_begin"
BUSY_TIMEOUT_S: Final = 30
CONNECTIONS: Final = 40
"""As many as there are worker threads to use them."""

_ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "sqlite": {"connect_args": {"timeout": BUSY_TIMEOUT_S}},
    "postgresql": {"max_overflow": 0, "pool_pre_ping": True},
}
_GLANCES: Final[dict[str, Any]] = {
    "isolation_level": "AUTOCOMMIT",
    "pool_pre_ping": False,
    "pool_reset_on_return": None,
    "pool_size": 8,
}
"""For PostgreSQL: connections that are in no transaction, and of which nothing has to be undone."""


class Engines:
    """The engines of one database.

    Args:
        url: The database.

    Attributes:
        plain: With what the driver does by itself.
        reader: For reading transactions.
        writer: For writing ones.
        glancer: For single questions.

    Raises:
        SettingsError: When the URL cannot be used.
    """

    def __init__(self, url: str) -> None:
        self.plain = _make(url)
        if self.dialect == "sqlite":
            self.reader: Engine = self.plain
            self.writer: Engine = self.plain.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
            self.glancer: Engine = self.plain.execution_options(**{_BEGIN: ""})
        else:
            self.reader = self.plain.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self.writer = self.plain
            self.glancer = _make(url, **_GLANCES)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return str(self.plain.dialect.name)

    @property
    def url(self) -> URL:
        """Where the database is."""
        return self.plain.url

    @property
    def pools(self) -> tuple[Engine, ...]:
        """Those that have connections of their own."""
        return (self.plain,) if self.dialect == "sqlite" else (self.plain, self.glancer)

    def close(self) -> None:
        """Close every connection."""
        for engine in self.pools:
            engine.dispose()


def _make(url: str, **more: Any) -> Engine:  # noqa: ANN401 - SQLAlchemy's own
    parsed = _parsed(url)
    try:
        arguments = {"pool_size": CONNECTIONS} | _ARGUMENTS[parsed.get_backend_name()] | more
        # what a statement was given is never part of an error's text: it may be a secret's hash
        engine = create_engine(parsed, hide_parameters=True, **arguments)
    except ImportError as error:
        raise SettingsError(
            f"database_url needs a driver that is not installed: {error}",
            hint="Write it as postgresql+psycopg://host/name, and install python3-psycopg.",
        ) from error
    except KeyError:
        raise _unusable(f"{parsed.drivername} is neither sqlite nor postgresql") from None
    except ArgumentError as error:
        raise _unusable(str(error)) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # what SQLAlchemy says has the URL in it, and the URL may have a password
        raise _unusable("it is no URL of a database") from None


def _unusable(why: str) -> SettingsError:
    return SettingsError(
        f"database_url cannot be used: {why}",
        hint="Write it as sqlite:////path/to/file or postgresql+psycopg://host/name.",
    )


def has_password(url: str) -> bool:
    """Whether the URL of a database has its password in it.

    Raises:
        SettingsError: When it is no URL.
    """
    parsed = _parsed(url)
    return bool(parsed.password) or "password" in parsed.query


def _prepare_sqlite(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own types
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    if begin := connection.get_execution_options().get(_BEGIN, "BEGIN"):
        connection.exec_driver_sql(begin)

# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's database: SQLite in WAL mode by default, PostgreSQL by its URL.

Two kinds of transaction. *Reading* sees one consistent state and never waits for a writer.
*Writing* takes SQLite's only write lock at its start: a transaction that turned from reading to
writing half-way would fail when another writer was quicker, and waiting could not help it. The
writers of one process wait for each other before they ask for it, because SQLite's own waiting is a
look now and then, the more seldom the longer it lasts, so that late comers overtake. On
PostgreSQL writers lock the rows that they change; records with a version notice that another was
quicker, and the caller is told to look again (`Code.ABORTED`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Executable, Row, text
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from orchestrator_stub import migrations
from orchestrator_stub.engines import BUSY_TIMEOUT_S, Engines
from orchestrator_stub.errors import Code, OrchestratorError

_HINTS: Final = {
    "sqlite": "Check the file, its owner and its disk; `init` makes it.",
    "postgresql": "Check that PostgreSQL runs there, has that database, and lets this user in.",
}
TRIES: Final = 12
"""How often a change is made again when another writer was quicker."""

_OWNER_ALONE: Final = 0o600
_QUEUE: Final = 0x70756165  # the advisory lock of those who have lost a race
# serialization_failure, deadlock_detected
_LOST_RACES: Final = frozenset({"40001", "40P01"})
_UNIQUE_VIOLATION: Final = "23505"
_CODES: Final = (Code.ABORTED, Code.ALREADY_EXISTS, Code.UNAVAILABLE)
_Result = TypeVar("_Result")

log = logging.getLogger(__name__)


class Database:
    """The store of every record.

    Attributes:
        sessions: Makes its sessions; who wants to know what happens in them listens there.
    """

    def __init__(self, url: str) -> None:
        self._engines = Engines(url)
        self.sessions = sessionmaker()
        self._errors = Counter(dict.fromkeys(_CODES, 0))
        self._counting = threading.Lock()
        self._pen = threading.Lock()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engines.dialect

    def upgrade(self) -> None:
        """Make the tables, or bring those of an older version up to date.

        A file that is made for them is its owner's alone; so are SQLite's files beside it.

        Raises:
            SettingsError: When a newer version has made them.
        """
        file = self._engines.url.database if self.dialect == "sqlite" else None
        if file and not file.startswith((":", "file:")):
            with contextlib.suppress(OSError):  # it is there, or SQLite says what is wrong
                os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, _OWNER_ALONE))
        with self._translated():
            migrations.upgrade(self._engines.plain)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Give the database's errors the orchestrator's words, and count them."""
        try:
            yield
        except (DatabaseError, PoolTimeoutError, StaleDataError) as error:
            told = _translation(error, self._engines.url)
            with self._counting:
                self._errors[told.code] += told.code in _CODES
            raise told from error

    @contextlib.contextmanager
    def _with_the_pen(self) -> Iterator[None]:
        """Be the only writer of this process, where the database has room for one."""
        if self.dialect != "sqlite":
            yield
            return
        if not self._pen.acquire(timeout=BUSY_TIMEOUT_S):
            raise PoolTimeoutError(f"it was not this writer's turn within {BUSY_TIMEOUT_S} s")
        try:
            yield
        finally:
            self._pen.release()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session whose changes are thrown away."""
        with (
            self._translated(),
            self.sessions(bind=self._engines.reader, autoflush=False) as session,
        ):
            yield session

    def glance(self, statement: Executable, parameters: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """The rows of one query, without a transaction around it; none when it fails.

        It is the cheapest way to ask: no session, and on PostgreSQL one exchange in place of five.
        Nobody looks before whether the connection still works: when it does not, there is no row.
        """
        try:
            with self._engines.glancer.connect() as connection:
                return connection.execute(statement, parameters).all()
        except (DatabaseError, PoolTimeoutError) as error:
            log.debug("a glance at the records failed: %s", error)
            return ()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed at the end, or rolled back when an error leaves it."""
        with (
            self._translated(),
            self._with_the_pen(),
            self.sessions(bind=self._engines.writer) as session,
            session.begin(),
        ):
            yield session

    def write(self, change: Callable[[Session], _Result]) -> _Result:
        """Make a change, and make it again when another writer was quicker.

        Args:
            change: It may be called more than once, each time on what the records then say.

        Raises:
            OrchestratorError: `ABORTED`, when others were quicker every time.
        """
        for tries in range(TRIES):
            try:
                with self.writing() as session:
                    self._wait_in_line(session, tries)
                    return change(session)
            except OrchestratorError as error:
                if error.code is not Code.ABORTED or tries == TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")

    def _wait_in_line(self, session: Session, tries: int) -> None:
        """Let those who have lost a race try one at a time: together they would lose again."""
        if tries and self.dialect == "postgresql":
            session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _QUEUE})

    def check(self) -> None:
        """Ask the database for an answer.

        Raises:
            OrchestratorError: `UNAVAILABLE`, when it gives none.
        """
        with self.reading() as session:
            session.execute(text("SELECT count(*) FROM project"))

    def is_current(self) -> bool:
        """Whether it answers with the tables of this version.

        Raises:
            OrchestratorError: `UNAVAILABLE`, when it does not answer.
        """
        with self.reading() as session:
            return migrations.is_current(session.connection())

    def errors(self) -> dict[Code, int]:
        """How often it has refused something or not answered since the start, by code."""
        return dict(self._errors)

    def close(self) -> None:
        """Close every connection."""
        self._engines.close()


def _translation(error: Exception, url: URL) -> OrchestratorError:
    """A database's error in the orchestrator's words."""
    if isinstance(error, StaleDataError):
        return _lost_race()
    cause = getattr(error, "orig", error)
    if isinstance(error, IntegrityError):
        if _is_id_taken(cause):
            return _lost_race()
        return OrchestratorError(
            Code.ALREADY_EXISTS, "the records do not allow it", inside=str(cause)
        )
    if isinstance(error, DataError):
        return OrchestratorError(
            Code.INVALID_ARGUMENT, "a value is none that a record can have", inside=str(cause)
        )
    if isinstance(error, OperationalError) and _state(cause) in _LOST_RACES:
        return _lost_race()
    where = url.set(query={}).render_as_string(hide_password=True)
    return OrchestratorError(
        Code.UNAVAILABLE,
        "the database does not answer",
        hint=_HINTS[url.get_backend_name()],
        inside=f"{where}: {' '.join(str(cause).split())}",
    )


def _lost_race() -> OrchestratorError:
    return OrchestratorError(
        Code.ABORTED,
        "somebody else has changed it meanwhile",
        hint="Look at it again, and repeat what is still wanted.",
    )


def _is_id_taken(cause: object) -> bool:
    """Whether a new record has drawn the id of another one.

    An id has 32 bits at random, as the original's has. Among ten thousand hosts two of a hundred
    fleets draw one twice; another try draws another.
    """
    constraint = getattr(getattr(cause, "diag", None), "constraint_name", None) or ""
    return (_state(cause) == _UNIQUE_VIOLATION and constraint.startswith("pk_")) or (
        getattr(cause, "sqlite_errorname", "") == "SQLITE_CONSTRAINT_PRIMARYKEY"
        and str(cause).endswith(".id")
    )


def _state(cause: object) -> str:
    return str(getattr(cause, "sqlstate", "") or "")

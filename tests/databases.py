# SPDX-License-Identifier: Apache-2.0
"""Fresh databases of the orchestrator for tests, on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator_stub.database import Database
from tests.postgres import Postgres

DIALECTS = ("sqlite", "postgresql")


@dataclass
class Databases:
    """Makes databases, each for one test; the tables are made once and copied.

    Attributes:
        folder: Where SQLite's files are.
        server: Gives the running PostgreSQL; it is started when it is asked for.
    """

    folder: Path
    server: Callable[[], Postgres]
    _templates: dict[str, str] = field(default_factory=dict)
    _made: int = 0

    def empty(self, dialect: str) -> str:
        """The URL of a database without tables."""
        if dialect == "postgresql":
            return self.server().url(self.server().create())
        return f"sqlite:///{self._file()}"

    def upgraded(self, dialect: str) -> str:
        """The URL of a database with the tables of this version."""
        if dialect not in self._templates:
            url = self.empty(dialect)
            database = Database(url)
            database.upgrade()
            database.close()
            self._templates[dialect] = url
        return self.copied(dialect, self._templates[dialect])

    def copied(self, dialect: str, url: str) -> str:
        """The URL of a copy of a database that nobody uses meanwhile."""
        if dialect == "postgresql":
            return self.server().url(self.server().create(_name(url)))
        file = self._file()
        shutil.copy(url.removeprefix("sqlite:///"), file)
        return f"sqlite:///{file}"

    @contextlib.contextmanager
    def fresh(self, dialect: str) -> Iterator[Database]:
        """An open database with the tables of this version, for the length of the block."""
        url = self.upgraded(dialect)
        database = Database(url)
        try:
            yield database
        finally:
            database.close()
            self.forget(url)

    def forget(self, url: str) -> None:
        """Drop a database, whoever still uses it."""
        if url.startswith("postgresql"):
            self.server().drop(_name(url))
            return
        for file in self.folder.glob(Path(url).name + "*"):
            file.unlink()

    def _file(self) -> Path:
        self._made += 1
        return self.folder / f"test-{self._made}.db"


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]

# SPDX-License-Identifier: Apache-2.0
"""Migrations: the tables as each version has them, and the way from one to the next.

Alembic does it. A database from before the first migration is known by its tables: it is taken for
what migration 0001 makes.
"""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from orchestrator_stub.errors import SettingsError

FIRST: Final = "0001"
_LOCK: Final = 0x70756164  # any number that only we use
_FOLDER: Final = Path(__file__).parent

log = logging.getLogger(__name__)


def upgrade(engine: Engine) -> None:
    """Bring a database to this version's tables; processes that start together wait in line.

    Raises:
        SettingsError: When a newer version has been at it.
    """
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.connect().execution_options(puad_begin="BEGIN IMMEDIATE") as connection:
        if is_sqlite:
            # a table cannot be made anew while others refer to it; counts outside transactions only
            connection.connection.execute("PRAGMA foreign_keys=OFF")
        with connection.begin():
            if not is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            _upgrade(connection)
        if is_sqlite:
            connection.connection.execute("PRAGMA foreign_keys=ON")


def is_current(connection: Connection) -> bool:
    """Whether a database has this version's tables."""
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found == _head()


@functools.cache
def _head() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None and inspect(connection).has_table("project"):
        command.stamp(config, FIRST)
    elif current is not None and current not in known:
        raise SettingsError(
            f"a newer version has made the database (its tables are {current})",
            hint="Use that version, or the database as it was before.",
        )
    command.upgrade(config, "head")
    if current != _head():
        log.info("the database has the tables of version %s now", _head())

# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of the tests' own: Debian's, in a temporary folder, on a unix socket.

It listens nowhere else. PostgreSQL refuses root, so root runs it as somebody else. What it holds is
thrown away at the end, so it never waits for the disk, unless it is to be as slow as a real one.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

ROLE = "puad"
USERS = ("postgres", "nobody")
PATIENCE_S = 180
STOP_S = 60
FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "400",
    "shared_buffers": "64MB",
    "log_timezone": "UTC",
    # what a machine in another zone would have: no answer may depend on it
    "timezone": "America/New_York",
}


@dataclass
class Postgres:
    """A running server."""

    folder: Path
    made: int = field(default=0)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://{ROLE}@/{name}?host={self.folder}"

    def create(self, template: str = "template0") -> str:
        """A new database: its name."""
        self.made += 1
        name = f"test_{self.made}"
        self.run(
            "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy",
            sql.Identifier(name),
            sql.Identifier(template),
        )
        return name

    def drop(self, name: str) -> None:
        """Forget a database, whoever still uses it."""
        self.run("DROP DATABASE {} WITH (FORCE)", sql.Identifier(name))

    def run(self, statement: LiteralString, *parts: sql.Identifier) -> None:
        address = f"host={self.folder} user={ROLE} dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*parts))


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """A server for the length of the block; it ends with this process, however that ends.

    Args:
        durable: Whether it waits for the disk, as it does by default.
    """
    folder = Path(tempfile.mkdtemp(prefix="puad-postgres-"))  # a socket's path must be short
    user = _user()
    try:
        shutil.chown(folder, user.pw_uid, user.pw_gid)
        _initialise(folder, user)
        settings = SETTINGS if durable else SETTINGS | FORGETFUL
        with _process(folder, user, settings) as process:
            _wait(folder, process)
            yield Postgres(folder)
    finally:
        shutil.rmtree(folder)


def program(name: str) -> str:
    """One of PostgreSQL's programs; Debian keeps them out of PATH."""
    found = [
        (int(path.parts[-3]), path) for path in Path("/").glob(f"usr/lib/postgresql/*/bin/{name}")
    ]
    path = str(max(found)[1]) if found else shutil.which(name)
    assert path, f"there is no {name}: run PUAD_SETUP_DATABASE=1 .ci/setup"
    return path


def _user() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    known = {row.pw_name: row for row in pwd.getpwall()}
    return next(known[name] for name in USERS if name in known)


def _as_user(user: pwd.struct_passwd, *command: str | Path) -> list[str | Path]:
    """A command as that user, which gets SIGINT, a fast shutdown, when we are killed."""
    wrapped: list[str | Path] = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        wrapped += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [*wrapped, "--", *command]


def _initialise(folder: Path, user: pwd.struct_passwd) -> None:
    command: list[str | Path] = [program("initdb"), "--pgdata", folder / "data", "--username", ROLE]
    command += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run(
        _as_user(user, *command), cwd=folder, check=True, capture_output=True, timeout=PATIENCE_S
    )


@contextmanager
def _process(
    folder: Path, user: pwd.struct_passwd, settings: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    command: list[str | Path] = [program("postgres"), "-D", folder / "data", "-k", folder]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(_as_user(user, *command), cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            status = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            status = process.wait(STOP_S)
        assert status == 0, (folder / "log").read_text()


def _wait(folder: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE_S
    ready = re.compile(r"database system is ready")
    while not ready.search((folder / "log").read_text()):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < until, "PostgreSQL does not come up"
        time.sleep(0.05)

# SPDX-License-Identifier: Apache-2.0
"""A server's work in processes that are killed with SIGKILL at one exact point.

`python -m tests.integration.orchestrator_stub.killed.mortal` takes one order a line on standard
input, forks, lets the child do the work, and answers with a line how that ended. A point is just
before a commit, or just after one, when the caller has not been answered yet. In an upgrade it is
also just before a statement that writes: there a database may keep half a transaction.

Each order is followed by a server that has just started: it has nothing of the one before but the
database. An order that kills nobody is followed without a child.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import traceback
from contextlib import closing
from typing import Any

import psycopg  # noqa: F401 - once, and not in each child
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session, configure_mappers

from orchestrator_stub.database import Database
from tests.integration.orchestrator_stub.killed import stories

UPGRADE = "upgrade"
READS = ("SELECT", "BEGIN", "WITH", "PRAGMA", "SHOW", "ROLLBACK")


class Reaper:
    """Counts the points that are passed, and ends the process at one of them."""

    def __init__(self, kill_at: int) -> None:
        self._kill_at = kill_at
        self._passed = 0

    def lie_in_wait(self, *, at_statements: bool) -> None:
        if at_statements:
            event.listen(Engine, "before_cursor_execute", self._statement)
        event.listen(Engine, "commit", self._pass)
        event.listen(Session, "after_commit", self._pass)

    def _statement(self, _c: Any, _u: Any, statement: str, *_rest: Any) -> None:
        if not statement.lstrip().upper().startswith(READS):
            self._pass()

    def _pass(self, *_: Any) -> None:
        self._passed += 1
        if self._passed == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def work(order: dict[str, Any]) -> None:
    """Do what an order says, in this process."""
    with closing(database_at(order["url"])) as database:
        if order["story"] == UPGRADE:
            database.upgrade()
        else:
            stories.play(database, order)


@functools.cache
def database_at(url: str) -> Database:
    """A database without a connection yet: what was learnt of its statements is for each child."""
    return Database(url)


def follow(order: dict[str, Any]) -> str:
    """Have a child do it; `done`, or `killed`."""
    if not order["kill_at"]:
        work(order)
        return "done"
    child = os.fork()
    if child == 0:
        status = 1
        try:
            Reaper(order["kill_at"]).lie_in_wait(at_statements=order["story"] == UPGRADE)
            work(order)
            status = 0
        except BaseException:  # noqa: BLE001 - told, and never passed on: this process ends here
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed" if os.WTERMSIG(status) == signal.SIGKILL else "crashed"
    return "done" if os.WEXITSTATUS(status) == 0 else "failed"


def main() -> None:
    configure_mappers()  # once, and not in each child
    for line in sys.stdin:
        sys.stdout.write(follow(json.loads(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Presence: when each node was last seen, kept in memory and written down in batches.

A poll that changes nothing writes nothing. So each host's last-seen time is written at most once a
minute, all that are due in one statement. It does not touch the host's version: that a node was
seen is no change that anybody could collide with. Several processes may write of the same host;
a time never goes back.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, Final, cast

from sqlalchemy import Table, bindparam, or_, update
from sqlalchemy.orm import Session

from orchestrator_stub.database import Database
from orchestrator_stub.records import Host

WRITTEN_EVERY_S: Final = 60
_FORGOTTEN_AFTER_S: Final = 3600
_AT_ONCE: Final = 100
"""Rows in one transaction, so that no other writer waits for long."""
_APART_S: Final = 0.05
"""Between two transactions: they keep the interpreter busy while polls are to be answered."""

_HOST: Final = cast("Table", Host.__table__)
_SEEN: Final = (
    update(_HOST)
    .where(
        _HOST.c.id == bindparam("host_id"),
        or_(_HOST.c.last_seen_s.is_(None), _HOST.c.last_seen_s < bindparam("seen_s")),
    )
    .values(last_seen_s=bindparam("seen_s"), updated_s=_HOST.c.updated_s)
)


@dataclass(frozen=True, slots=True)
class _Sighting:
    """When a node was last seen, and what the database knows of it."""

    seen_s: int
    written_s: int | None

    @property
    def is_due(self) -> bool:
        return self.written_s is None or self.seen_s - self.written_s >= WRITTEN_EVERY_S


class Presence:
    """When each node was last seen by this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sightings: dict[str, _Sighting] = {}
        self._lock = threading.Lock()

    def note(self, host_id: str, now_s: int, written_s: int | None = None) -> None:
        """A node was seen.

        Args:
            host_id: Its host.
            now_s: When.
            written_s: What the database says of it, as far as the caller has just read it.
        """
        with self._lock:
            known = self._sightings.get(host_id)
            times = [known.written_s if known else None, written_s]
            latest = max((time for time in times if time is not None), default=None)
            seen_s = max(now_s, known.seen_s if known else 0)
            self._sightings[host_id] = _Sighting(seen_s, latest)

    def seen_s(self, host_id: str) -> int | None:
        """When this process has last seen a node; None when it has not of late."""
        known = self._sightings.get(host_id)
        return known.seen_s if known else None

    def flush(self, now_s: int, *, everything: bool = False) -> int:
        """Write down what is due, or everything that is new.

        Returns:
            How many hosts were written.
        """
        # polls wait for the lock: what takes long with ten thousand hosts is done without it
        with self._lock:
            sightings = list(self._sightings.items())
        due = [
            {"host_id": host_id, "seen_s": one.seen_s}
            for host_id, one in sorted(sightings, key=itemgetter(0))
            if one.is_due or (everything and one.seen_s != one.written_s)
        ]
        for start in range(0, len(due), _AT_ONCE):
            if start and not everything:
                time.sleep(_APART_S)
            self._write(due[start : start + _AT_ONCE])
        for host_id, one in sightings:
            if now_s - one.seen_s >= _FORGOTTEN_AFTER_S:
                self._forget(host_id, now_s)
        return len(due)

    def _forget(self, host_id: str, now_s: int) -> None:
        with self._lock:
            one = self._sightings.get(host_id)
            if one is not None and now_s - one.seen_s >= _FORGOTTEN_AFTER_S:
                del self._sightings[host_id]

    def _write(self, rows: list[dict[str, Any]]) -> None:
        with self._database.writing() as session:
            write(session, rows)
        with self._lock:
            for row in rows:
                known = self._sightings[row["host_id"]]
                self._sightings[row["host_id"]] = replace(known, written_s=row["seen_s"])


def write(session: Session, rows: list[dict[str, Any]]) -> None:
    """Write down when hosts were seen, each as `host_id` and `seen_s`."""
    session.connection().execute(_SEEN, rows)

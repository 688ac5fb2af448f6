# SPDX-License-Identifier: Apache-2.0
"""The fleet in numbers, read from the records when the metrics are asked for.

One statement counts all hosts by their status. What was read is kept for some seconds, so that
asking often costs nothing. When the database does not answer, the numbers are left out and
`puad_database_up` says why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from orchestrator_stub.database import Database
from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.maintenance.host_status import HOST_STATUSES, text_in_sql
from orchestrator_stub.records import Host, Instance, OperatorSession

KEPT_S: Final = 5.0
STATES: Final = tuple(status.text for status in HOST_STATUSES)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the records say: hosts by state, and how many operators are logged in."""

    hosts: dict[str, int] = field(default_factory=dict)
    sessions: int = 0


def count(session: Session, now_s: int) -> Numbers:
    """Count hosts and sessions."""
    state = text_in_sql(now_s).label("state")
    by_state = select(state, func.count()).outerjoin(Instance, Instance.host_id == Host.id)
    hosts = dict.fromkeys(STATES, 0)
    for text, number in session.execute(by_state.group_by(state)):
        hosts[text] = number
    live = select(func.count()).where(OperatorSession.expires_s > now_s)
    return Numbers(hosts, session.scalar(live) or 0)


class Fleet(Collector):
    """The numbers as metrics."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: Numbers | None = None
        self._read_at = float("-inf")

    def describe(self) -> Iterable[Metric]:
        """Nothing: whoever registers it must not ask the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read the records, unless that was just done."""
        numbers = self._numbers()
        up = GaugeMetricFamily("puad_database_up", "Whether the database answers.")
        up.add_metric([], numbers is not None)
        yield up
        if numbers is None:
            return
        hosts = GaugeMetricFamily("puad_hosts", "Hosts, by state.", labels=["state"])
        for state, number in numbers.hosts.items():
            hosts.add_metric([state.lower().replace(" ", "_")], number)
        yield hosts
        yield GaugeMetricFamily("puad_sessions", "Operators' live sessions.", numbers.sessions)

    def _numbers(self) -> Numbers | None:
        with self._lock:
            if time.monotonic() - self._read_at < KEPT_S:
                return self._known
            try:
                with self._database.reading() as session:
                    self._known = count(session, int(time.time()))
            except OrchestratorError:
                self._known = None  # the database has told why
            self._read_at = time.monotonic()
            return self._known

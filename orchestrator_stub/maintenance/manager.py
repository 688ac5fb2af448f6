# SPDX-License-Identifier: Apache-2.0
"""The maintenance manager: it takes a node's status and answers what to install, and when.

`MaintenanceManager.answer` is the one unary call of protocol.md §1 over the values of
`puad.core.wire`; HTTP, or gRPC later, only carries them. A poll goes one of three ways: answered
from memory (`maintenance.steady`); read from the records, when nothing has to be written; or, when
something is new, done again in a session that writes, on what the records say by then.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from orchestrator_stub.database import Database
from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.maintenance import answering, presence
from orchestrator_stub.maintenance.answering import Found
from orchestrator_stub.maintenance.pace import Pace
from orchestrator_stub.maintenance.poll import Call, Poll
from orchestrator_stub.maintenance.presence import Presence
from orchestrator_stub.maintenance.settings import MaintenanceSettings
from orchestrator_stub.maintenance.shelf import Shelf, Shelves
from orchestrator_stub.maintenance.steady import Steady
from orchestrator_stub.maintenance.sweeping import Sweeper
from puad.core.wire import Answer

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tally:
    """How polls were answered since the start: from memory, by reading, by writing, or refused."""

    remembered: int = 0
    read: int = 0
    written: int = 0
    refused: int = 0


class MaintenanceManager:
    """Answers the polls of every node, and looks after runs that no poll moves on.

    Attributes:
        presence: When each node was last seen.
        tally: How polls were answered.
    """

    def __init__(
        self,
        database: Database,
        settings: MaintenanceSettings | None = None,
        since_s: int | None = None,
    ) -> None:
        self._database = database
        self._steady = Steady(database)
        self._shelves = Shelves()
        self._pace = Pace()
        self._counting = threading.Lock()
        self.tally = Tally()
        self.presence = Presence(database)
        started_s = int(time.time()) if since_s is None else since_s
        self._sweeper = Sweeper(
            database, self.presence, settings or MaintenanceSettings(), started_s
        )

    def start(self) -> None:
        """Look after runs and rollouts, from now on."""
        self._sweeper.start()

    def stop(self) -> None:
        """End that, and write down when each node was last seen."""
        self._sweeper.stop()

    def sweep(self, now_s: int) -> None:
        """Look after runs and rollouts once."""
        self._sweeper.sweep(now_s)

    def answer(self, poll: Poll) -> Answer:
        """Take a node's status, and answer with its plan.

        Raises:
            OrchestratorError: With the code that protocol.md §1 gives each refusal.
        """
        try:
            answering.check_subject(poll)
            (recalled,) = self.recall([poll])
            return recalled or self._read(poll) or self._written(poll)
        except OrchestratorError:
            self._count("refused")
            raise

    def knows(self, call: Call) -> bool:
        """Whether it is worth asking `recall` for the answer to a call."""
        return self._steady.knows(call)

    def recall(self, calls: Sequence[Call | Poll]) -> list[Answer | None]:
        """The answers to calls that are like the last ones of their nodes, for one small query.

        Returns:
            For each call its answer; None when that is not known, or not any more: then `answer`
            says it.
        """
        answers: list[Answer | None] = []
        for call, recalled in zip(calls, self._steady.recall(calls), strict=True):
            if recalled is None:
                answers.append(None)
                continue
            host_id, answer = recalled
            self.presence.note(host_id, call.now_s)
            self._count("remembered")
            answers.append(answer)
        return answers

    def _read(self, poll: Poll) -> Answer | None:
        """The answer, unless something has to be written."""
        with self._database.reading() as session:
            found = answering.find(session, poll)
            told = answering.take(session, found, poll, self._shelf(session, found, poll))
            if found.host.last_seen_s is None or _has_changes(session):
                return None
            self._steady.remember(poll, found, told)
            self.presence.note(found.host.id, poll.now_s, found.host.last_seen_s)
        self._count("read")
        return told.at(poll.now_s)

    def _written(self, poll: Poll) -> Answer:
        self._pace.take(poll)
        self._steady.forget(poll)
        found_id, answer = self._database.write(lambda session: self._write(session, poll))
        self.presence.note(found_id, poll.now_s, poll.now_s)
        self._count("written")
        return answer

    def _write(self, session: Session, poll: Poll) -> tuple[str, Answer]:
        answering.lock(session, poll)
        found = answering.find(session, poll)
        known_detail = found.instance.detail
        told = answering.take(session, found, poll, self._shelf(session, found, poll))
        if found.instance.detail not in {"", known_detail}:
            log.warning("instance %s: %s", found.instance.id, found.instance.detail)
        session.flush()
        presence.write(session, [{"host_id": found.host.id, "seen_s": poll.now_s}])
        return found.host.id, told.at(poll.now_s)

    def _shelf(self, session: Session, found: Found, poll: Poll) -> Shelf:
        return self._shelves.of(session, found.host.project_uuid, found.revision, poll.now_s)

    def _count(self, way: str) -> None:
        with self._counting:
            setattr(self.tally, way, getattr(self.tally, way) + 1)


def answer(database: Database, poll: Poll) -> Answer:
    """Answer one poll, without anything that is remembered from poll to poll.

    Raises:
        OrchestratorError: With the code that protocol.md §1 gives each refusal.
    """
    manager = MaintenanceManager(database)
    result = manager.answer(poll)
    manager.presence.flush(poll.now_s)
    return result


def _has_changes(session: Session) -> bool:
    return bool(session.new) or any(map(session.is_modified, session.dirty))

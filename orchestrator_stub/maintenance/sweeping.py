# SPDX-License-Identifier: Apache-2.0
"""Sweeping: what has to happen although no node polls.

Now and then one thread writes down who was seen, cancels runs whose image is not wanted any more,
gives up those whose nodes are silent after STARTED, moves rollouts on, and deletes old runs. Every
process does it. A project is swept by one at a time: whoever finds its row locked leaves it to the
other. Runs are changed under the locks of their instances and only as they are found there, so to
come second is to find nothing to do.

What a node is just reporting on is passed over. Its poll may have read what was wanted before a
change, so each change is looked at in two sweeps.

Silence counts only from this process's own start: while no orchestrator runs, nobody can report.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub import rollouts
from orchestrator_stub.database import Database
from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.maintenance import retention, silence, unwanted
from orchestrator_stub.maintenance.presence import Presence
from orchestrator_stub.maintenance.settings import MaintenanceSettings
from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.os_resources.newest import keep_available
from orchestrator_stub.records import Project

RETENTION_PERIOD_S: Final = 3600
_PRESENCE_PERIOD_S: Final = 5.0  # the more often, the less at once
_STOP_WAIT_S: Final = 10.0

_Result = TypeVar("_Result")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Look:
    """The project's revision that a sweep has found, and whether the one before found it too."""

    revision: int | None = None
    was_second: bool = False


class Sweeper:
    """The thread that looks after runs, rollouts and last-seen times."""

    def __init__(
        self, database: Database, presence: Presence, settings: MaintenanceSettings, since_s: int
    ) -> None:
        self._database = database
        self._presence = presence
        self._settings = settings
        self._since_s = since_s
        self._looked: dict[str, _Look] = {}
        self._tidied_s = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Sweep now and then, from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End that, and write down when each node was last seen."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_WAIT_S)
        self._attempt(lambda: self._presence.flush(int(time.time()), everything=True))

    def sweep(self, now_s: int) -> None:
        """Do everything once.

        Raises:
            OrchestratorError: When the database does not answer.
        """
        self._presence.flush(now_s)
        with self._database.reading() as session:
            projects = session.scalars(select(Project.uuid).order_by(Project.uuid)).all()
        for project_uuid in projects:
            self._sweep_project(project_uuid, now_s)
        if projects:
            self._alone(projects[0], lambda session, _: rollouts.sweep(session, now_s))
        if now_s - self._tidied_s >= RETENTION_PERIOD_S:
            self._tidied_s = now_s
            retention.tidy(self._database, now_s - self._settings.retention_s)

    def _sweep_project(self, project_uuid: str, now_s: int) -> None:
        last = self._looked.get(project_uuid, _Look())

        def keep(session: Session, revision: int) -> int:
            if revision != last.revision:
                keep_available(session, project_uuid, OSResources(session, project_uuid))
            return revision

        revision = self._alone(project_uuid, keep)
        again = revision == last.revision
        everything = revision is not None and not (again and last.was_second)
        self._in_batches(
            lambda session, after: unwanted.sweep(
                session, project_uuid, after, now_s, everything=everything
            )
        )
        silence_s = self._settings.silence_s
        if now_s - self._since_s > silence_s:
            self._in_batches(
                lambda session, after: silence.sweep(
                    session, project_uuid, after, now_s, silence_s=silence_s
                )
            )
        if revision is not None:
            self._looked[project_uuid] = _Look(revision, again)

    def _in_batches(self, step: Callable[[Session, str], str]) -> None:
        """Do a step again and again, each time after the run at which the last one ended."""
        after = ""
        while True:
            after = self._database.write(partial(_call, step, after))
            if not after or self._stopping.is_set():
                return

    def _alone(self, project_uuid: str, work: Callable[[Session, int], _Result]) -> _Result | None:
        """Do something while no other process sweeps that project; None when one does."""

        def alone(session: Session) -> _Result | None:
            locked = select(Project.revision).where(Project.uuid == project_uuid)
            revision = session.scalar(locked.with_for_update(skip_locked=True))
            return None if revision is None else work(session, revision)

        return self._database.write(alone)

    def _run(self) -> None:
        period_s = self._settings.sweep_period_s
        swept_at = time.monotonic()
        while not self._stopping.wait(min(period_s, _PRESENCE_PERIOD_S)):
            if time.monotonic() - swept_at >= period_s:
                swept_at = time.monotonic()
                self._attempt(lambda: self.sweep(int(time.time())))
            else:
                self._attempt(lambda: self._presence.flush(int(time.time())))

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OrchestratorError as error:
            # the message says it all; a trace is for what nobody foresaw
            log.error("runs and rollouts were not looked after: %s", error)  # noqa: TRY400
        except Exception:
            log.exception("runs and rollouts were not looked after")


def _call(step: Callable[[Session, str], str], after: str, session: Session) -> str:
    return step(session, after)

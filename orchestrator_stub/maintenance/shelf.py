# SPDX-License-Identifier: Apache-2.0
"""The shelf of a project: what the answers to all its nodes are made from, at hand.

It is read once for each revision of the project (`records.revision`): whoever changes any of it
raises the revision, in whichever process.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Self

from sqlalchemy.orm import Session

from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.schedules.timetable import Timetable


@dataclass(frozen=True, slots=True)
class Shelf:
    """The OS resources of a project, and the windows of its hosts."""

    resources: OSResources
    timetable: Timetable

    @classmethod
    def read(cls, session: Session, project_uuid: str, now_s: int) -> Self:
        """Read it all, so that it can be used after the session."""
        resources = OSResources(session, project_uuid).load()
        return cls(resources, Timetable(session, project_uuid, now_s))


class Shelves:
    """The shelf of each project, of the newest revision that was asked for."""

    def __init__(self) -> None:
        self._shelves: dict[str, tuple[int, Shelf]] = {}
        self._reading = threading.Lock()

    def of(self, session: Session, project_uuid: str, revision: int, now_s: int) -> Shelf:
        """The shelf of a project.

        Args:
            session: Where it is read, when it is not at hand.
            project_uuid: The project.
            revision: Its revision in that session.
            now_s: The time.
        """
        shelf = self._known(project_uuid, revision)
        if shelf is not None:
            return shelf
        with self._reading:  # one reads for all who wait for the same
            shelf = self._known(project_uuid, revision)
            if shelf is None:
                shelf = Shelf.read(session, project_uuid, now_s)
                self._shelves[project_uuid] = (revision, shelf)
            return shelf

    def _known(self, project_uuid: str, revision: int) -> Shelf | None:
        known = self._shelves.get(project_uuid)
        return known[1] if known is not None and known[0] == revision else None

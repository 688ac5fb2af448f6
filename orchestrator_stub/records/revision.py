# SPDX-License-Identifier: Apache-2.0
"""The project's revision: it rises with every change of a record that shapes what nodes are told.

A poll that finds the revision and its own instance as they were is answered from memory. So no
writer needs to know who remembers what, and none can forget to tell.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import event, update
from sqlalchemy.orm import Session

from orchestrator_stub.records.location import Region, Site
from orchestrator_stub.records.os_resource import OSResource
from orchestrator_stub.records.policy import Policy
from orchestrator_stub.records.project import Project
from orchestrator_stub.records.rollout import Rollout
from orchestrator_stub.records.schedule import RepeatedSchedule, SingleSchedule

SHAPING: Final = (OSResource, Policy, Region, RepeatedSchedule, Rollout, SingleSchedule, Site)


def raise_revision(session: Session, project_uuid: str) -> None:
    """Let every node of a project be answered anew."""
    session.execute(
        update(Project)
        .where(Project.uuid == project_uuid)
        .values(revision=Project.revision + 1)
        .execution_options(synchronize_session=False)
    )


@event.listens_for(Session, "before_flush")
def _raise_for_changes(session: Session, _context: Any, _instances: Any) -> None:  # noqa: ANN401
    changed = [*session.new, *session.deleted, *filter(session.is_modified, session.dirty)]
    shaping = (row for row in changed if isinstance(row, SHAPING))
    # in one order, so that two writers cannot wait for each other
    for project_uuid in sorted({row.project_uuid for row in shaping if row.project_uuid}):
        raise_revision(session, project_uuid)

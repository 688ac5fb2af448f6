# SPDX-License-Identifier: Apache-2.0
"""Silence: runs that are given up because their node did not come back after STARTED.

Only silence counts. A node that says STARTED again and again is on its way, however long it takes.
"""

from __future__ import annotations

import logging
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, lazyload

from orchestrator_stub.maintenance.update_run import give_up
from orchestrator_stub.records import OPEN_END_S, Host, Instance, UpdateRun

BATCH: Final = 200

log = logging.getLogger(__name__)


def sweep(session: Session, project_uuid: str, after: str, now_s: int, *, silence_s: int) -> str:
    """Give up the runs of a project whose nodes are silent, some of them at a time.

    Args:
        session: One that writes.
        project_uuid: The project.
        after: The id of the run at which the last batch ended; empty at first.
        now_s: The time.
        silence_s: How long a node may be silent.

    Returns:
        The id of the run at which this batch ended; empty when it was the last.
    """
    deadline_s = now_s - silence_s
    wanted = (
        select(UpdateRun)
        .join(Instance, Instance.id == UpdateRun.instance_id)
        .join(Host, Host.id == Instance.host_id)
        .where(
            UpdateRun.project_uuid == project_uuid,
            UpdateRun.end_s == OPEN_END_S,
            UpdateRun.started_s > 0,
            UpdateRun.status_s < deadline_s,
            func.coalesce(Host.last_seen_s, 0) < deadline_s,
            UpdateRun.id > after,
        )
        # what a node is just reporting on is not silent
        .with_for_update(of=[Instance, UpdateRun], skip_locked=True)
    )
    runs = session.scalars(wanted.order_by(UpdateRun.id).limit(BATCH).options(lazyload("*"))).all()
    for run in runs:
        give_up(session, run, silence_s, now_s)
        log.warning("run %s of instance %s: %s", run.id, run.instance_id, run.status)
    return runs[-1].id if len(runs) == BATCH else ""

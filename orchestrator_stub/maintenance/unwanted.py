# SPDX-License-Identifier: Apache-2.0
"""Runs whose image is not wanted any more: cancelled, unless their node has already begun.

Before STARTED the node itself gives up what the plan no longer wants; its run says why. Who comes
first cancels: the node's next poll, or the sweeper when the node is silent. A run that nobody's
policy asked for, an install by hand at the node, is the node's own.
"""

from __future__ import annotations

import logging
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, lazyload

from orchestrator_stub.maintenance.plan import Assignment, assign
from orchestrator_stub.maintenance.poll import Poll
from orchestrator_stub.maintenance.update_run import cancel, is_open, last_run
from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.records import OPEN_END_S, Instance, Policy, UpdateRun
from puad.core.wire import StatusType

_TRUTH: Final = frozenset({StatusType.STARTED, StatusType.UPDATED, StatusType.FAILED})
"""What the node itself makes of its run, whatever is wanted."""

_BEFORE_STARTED: Final = frozenset({StatusType.DOWNLOADING, StatusType.DOWNLOADED})

BATCH: Final = 200
_ALONE: Final = (
    lazyload(Instance.os),
    lazyload(Instance.available_os),
    joinedload(Instance.policy).lazyload(Policy.target_os),
)

log = logging.getLogger(__name__)


def drop(
    session: Session,
    instance: Instance,
    resources: OSResources,
    assignment: Assignment,
    poll: Poll,
) -> None:
    """Cancel the open run of a node that reports, when its image is not wanted any more."""
    if poll.report.status_type in _TRUTH:
        return
    run = last_run(session, instance)
    if run is not None and is_open(run):
        if poll.report.status_type in _BEFORE_STARTED:
            run.started_s = 0  # its reboot was put off
        settle(run, instance, resources, assignment, poll.now_s)


def sweep(session: Session, project_uuid: str, after: str, now_s: int, *, everything: bool) -> str:
    """Cancel the runs of a project whose image is not wanted any more, some of them at a time.

    Args:
        session: One that writes.
        project_uuid: The project.
        after: The id of the run at which the last batch ended; empty at first.
        now_s: The time.
        everything: Whether more than links to policies may have changed since the last time.

    Returns:
        The id of the run at which this batch ended; empty when it was the last.
    """
    wanted = (
        select(UpdateRun)
        .join(Instance, Instance.id == UpdateRun.instance_id)
        .where(
            UpdateRun.project_uuid == project_uuid,
            UpdateRun.end_s == OPEN_END_S,
            UpdateRun.started_s == 0,
            UpdateRun.policy_id.is_not(None),
            UpdateRun.id > after,
        )
    )
    if not everything:
        wanted = wanted.where(Instance.policy_id.is_distinct_from(UpdateRun.policy_id))
    # what a node is just reporting on is left to its poll
    locked = wanted.with_for_update(of=[Instance, UpdateRun], skip_locked=True)
    runs = session.scalars(locked.order_by(UpdateRun.id).limit(BATCH).options(lazyload("*"))).all()
    resources = OSResources(session, project_uuid) if runs else None
    for run in runs:
        assert resources is not None  # noqa: S101 - for the type checker
        instance = session.get_one(Instance, run.instance_id, options=_ALONE)
        assignment = assign(session, instance, resources, now_s)
        if settle(run, instance, resources, assignment, now_s):
            log.info("run %s of instance %s: %s", run.id, instance.id, run.status)
    return runs[-1].id if len(runs) == BATCH else ""


def settle(
    run: UpdateRun,
    instance: Instance,
    resources: OSResources,
    assignment: Assignment,
    now_s: int,
) -> bool:
    """Cancel an open run whose image is not wanted any more; whether it was.

    A run whose image another policy wants by now goes on, for that one.
    """
    if run.started_s or run.policy_id is None:
        return False
    reason = _reason(run, instance, resources, assignment)
    if reason:
        cancel(run, reason, now_s)
    elif run.policy_id != instance.policy_id:
        run.policy_id = instance.policy_id
    return bool(reason)


def _reason(
    run: UpdateRun, instance: Instance, resources: OSResources, assignment: Assignment
) -> str:
    if instance.policy_id is None:
        return "the OS update policy was unlinked"
    image = resources.with_image(instance.profile_name, run.image_id)
    if image is not None and image.withdrawn_reason is not None:
        return f"image {run.image_id} was withdrawn: {image.withdrawn_reason}"
    changed = run.policy_id != instance.policy_id
    offered = assignment.offered
    if offered is not None and run.image_id in {"", offered.image_id}:
        return ""
    if offered is None and assignment.wanted is not None:
        return "the rollout does not offer it now"
    wants = f"{offered.image_id} is wanted now" if offered else "no image is wanted now"
    return f"the OS update policy was changed: {wants}" if changed else wants

# SPDX-License-Identifier: Apache-2.0
"""Answering: who may report for what, and what a poll is answered from the records.

The order of the checks is the protocol's (protocol.md §1): who calls (role, then subject), the
tenant, host and instance, trust, provisioned; then the status is written and the plan is answered.
What this needs of the records takes a handful of small queries, whatever the number of hosts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, bindparam, select
from sqlalchemy.orm import Session, joinedload, lazyload

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.maintenance import plan, unwanted
from orchestrator_stub.maintenance.plan import Openings
from orchestrator_stub.maintenance.poll import Poll
from orchestrator_stub.maintenance.reporting import Reporting
from orchestrator_stub.maintenance.shelf import Shelf
from orchestrator_stub.records import Host, Instance, Policy, Project
from orchestrator_stub.vocabulary import HostState, InstanceState
from puad.core.model import Offer
from puad.core.wire import Answer, OSType

_FIND: Final = (  # made once: making it takes as long as the database does
    select(Project.revision, Host)
    .outerjoin(Host, and_(Host.project_uuid == Project.uuid, Host.uuid == bindparam("guid")))
    .where(Project.uuid == bindparam("project_uuid"))
    .options(
        lazyload(Host.site),
        joinedload(Host.instance).options(
            lazyload(Instance.os),
            lazyload(Instance.available_os),
            joinedload(Instance.policy).lazyload(Policy.target_os),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a node is told until something changes; only the closest schedule moves with time."""

    offer: Offer | None
    openings: Openings
    clear_quarantine: tuple[str, ...]

    def at(self, now_s: int) -> Answer:
        """The answer at a time."""
        return Answer(
            offer=self.offer,
            schedules=self.openings.told_at(now_s),
            os_type=OSType.IMMUTABLE,
            clear_quarantine=self.clear_quarantine,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Whose poll it is, and the revision of its project."""

    host: Host
    instance: Instance
    revision: int


def check_subject(poll: Poll) -> None:
    """Refuse a token that was made for another host.

    Raises:
        OrchestratorError: `PERMISSION_DENIED`.
    """
    if poll.node.subject != poll.host_guid:
        raise OrchestratorError(
            Code.PERMISSION_DENIED, f"the token was not made for host {poll.host_guid}"
        )


def find(session: Session, poll: Poll) -> Found:
    """The host and instance of a poll.

    Raises:
        OrchestratorError: With the code that protocol.md §1 gives each refusal.
    """
    whose = {"guid": poll.host_guid, "project_uuid": poll.node.project_uuid}
    row = session.execute(_FIND, whose).first()
    if row is None:
        raise OrchestratorError(Code.UNAUTHENTICATED, "the token names no project that is here")
    host: Host | None = row.Host
    if host is None or host.instance is None:
        missing = "host" if host is None else "instance on host"
        raise OrchestratorError(Code.NOT_FOUND, f"there is no {missing} {poll.host_guid}")
    if host.state is not HostState.ONBOARDED or poll.node.issued_s < host.tokens_valid_from_s:
        raise OrchestratorError(Code.UNAUTHENTICATED, f"host {poll.host_guid} has been invalidated")
    if host.instance.state is not InstanceState.RUNNING:
        raise OrchestratorError(
            Code.FAILED_PRECONDITION, f"the instance on host {poll.host_guid} is not provisioned"
        )
    return Found(host, host.instance, row.revision)


def lock(session: Session, poll: Poll) -> None:
    """Let nobody else change the instance of a poll, nor its runs, until the session ends."""
    wanted = select(Instance.id).join(Host, Host.id == Instance.host_id)
    session.execute(
        wanted.where(
            Host.project_uuid == poll.node.project_uuid, Host.uuid == poll.host_guid
        ).with_for_update(of=Instance)
    )


def take(session: Session, found: Found, poll: Poll, shelf: Shelf) -> Told:
    """Take a node's status into the records of a session, and give what it is told."""
    instance, resources = found.instance, shelf.resources
    if poll.node.expires_s and found.host.token_expires_s != poll.node.expires_s:
        found.host.token_expires_s = poll.node.expires_s
    reporting = Reporting(session, instance, resources, poll.report)
    before = plan.assign(session, instance, resources, poll.now_s)
    if not reporting.is_old:
        unwanted.drop(session, instance, resources, before, poll)
    reporting.write(before, poll.now_s)
    assignment = plan.assign(session, instance, resources, poll.now_s)
    return Told(
        assignment.offer,
        plan.openings(shelf.timetable, found.host, assignment, poll.now_s),
        tuple(instance.released),
    )

# SPDX-License-Identifier: Apache-2.0
"""The maintenance manager: it takes a node's status and answers what to install, and when.

`answer` is the one unary call of protocol.md §1 over the values of `puad.core.wire`; HTTP, or
gRPC later, only carries them. The order of the checks is the protocol's: who calls (role, then
subject), the tenant, host and instance, trust, provisioned; then the status is written and the
plan is answered.

What differs from the original, so that the records are always true:

1. A node that has come to rest (UP_TO_DATE, UPDATED, FAILED) says which image it runs, and the
   instance's OS resource follows it. When there is no such OS resource, or the node reports
   another profile, the status still counts and the instance's `detail` says what is wrong.
2. A status that is not new is not written again: a poll that changes nothing only reads, and its
   host's last-seen time is written once a minute.
3. A malformed detail is dropped, the status is kept.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub import plan, update_run
from orchestrator_stub.database import Database
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.node_token import NodeIdentity
from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.status import UPDATE_STATUS
from orchestrator_stub.tables import Host, Instance, Project
from orchestrator_stub.vocabulary import HostState, InstanceState
from puad.core.errors import WireError
from puad.core.update_log import parse_detail
from puad.core.wire import Answer, OSType, StatusReport, StatusType

LAST_SEEN_EVERY_S: Final = 60
_AT_REST: Final = frozenset({StatusType.UP_TO_DATE, StatusType.UPDATED, StatusType.FAILED})
_DETAILED: Final = frozenset({StatusType.UPDATED, StatusType.FAILED})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Poll:
    """One call of one node.

    Attributes:
        node: Who calls, by its token.
        host_guid: The host that it reports for.
        report: What it reports.
        now_s: When, Unix time.
    """

    node: NodeIdentity
    host_guid: str
    report: StatusReport
    now_s: int


def answer(database: Database, poll: Poll) -> Answer:
    """Take a node's status, and answer with its plan.

    Raises:
        OrchestratorError: With the code that protocol.md §1 gives each refusal.
    """
    with database.reading() as session:
        result = _take(session, _find(session, poll), poll)
        if not session.new and not any(map(session.is_modified, session.dirty)):
            return result
    # Something is new: do it again under the write lock, on what the records say by then.
    with database.writing() as session:
        instance = _find(session, poll)
        known_detail = instance.detail
        result = _take(session, instance, poll)
        if instance.detail not in {"", known_detail}:
            log.warning("instance %s: %s", instance.id, instance.detail)
        return result


def _take(session: Session, instance: Instance, poll: Poll) -> Answer:
    host = instance.host
    resources = OSResources(session, host.project_uuid)
    if host.last_seen_s is None or poll.now_s - host.last_seen_s >= LAST_SEEN_EVERY_S:
        host.last_seen_s = poll.now_s
    _write_status(session, instance, resources, poll)
    return Answer(
        offer=plan.offer(instance, resources),
        schedules=plan.schedules(session, host.id, poll.now_s),
        os_type=OSType.IMMUTABLE,
        clear_quarantine=(instance.released_hash,) if instance.released_hash else (),
    )


def _find(session: Session, poll: Poll) -> Instance:
    if poll.node.subject != poll.host_guid:
        raise OrchestratorError(
            Code.PERMISSION_DENIED, f"the token was not made for host {poll.host_guid}"
        )
    if session.get(Project, poll.node.project_uuid) is None:
        raise OrchestratorError(Code.UNAUTHENTICATED, "the token names no project that is here")
    host = session.scalars(
        select(Host).where(Host.project_uuid == poll.node.project_uuid, Host.uuid == poll.host_guid)
    ).first()
    if host is None or host.instance is None:
        missing = "host" if host is None else "instance on host"
        raise OrchestratorError(Code.NOT_FOUND, f"there is no {missing} {poll.host_guid}")
    if host.state is HostState.UNTRUSTED or poll.node.issued_s < host.tokens_valid_from_s:
        raise OrchestratorError(Code.UNAUTHENTICATED, f"host {poll.host_guid} has been invalidated")
    if host.instance.state is not InstanceState.RUNNING:
        raise OrchestratorError(
            Code.FAILED_PRECONDITION, f"the instance on host {poll.host_guid} is not provisioned"
        )
    return host.instance


def _write_status(session: Session, instance: Instance, resources: OSResources, poll: Poll) -> None:
    report = poll.report
    detail, cause = _detail(report)
    moved = _of_profile(instance, report) and report.os_image_id not in {"", instance.image_id}
    update_run.follow(
        session,
        instance,
        update_run.Occasion(
            status_type=report.status_type,
            detail=detail,
            cause=cause,
            moved=moved,
            now_s=poll.now_s,
        ),
    )
    _set_status(instance, poll, detail, cause)
    if report.status_type in _AT_REST and report.os_image_id:
        _follow_image(instance, resources, report)


def _set_status(instance: Instance, poll: Poll, detail: str, cause: str) -> None:
    status = UPDATE_STATUS[poll.report.status_type]
    kept = instance.update_status_detail
    if instance.update_status != status.text:
        instance.update_status, instance.update_status_indicator = status.text, status.indicator
        instance.update_status_s = poll.now_s
        instance.update_status_detail = detail
    elif detail != kept and (
        not kept or (cause and cause != update_run.cause_of(parse_detail(kept)))
    ):
        # the same failure told with another time is not news
        instance.update_status_detail = detail
    instance.update_progress_percent = poll.report.progress_percent
    if poll.report.status_type is not StatusType.FAILED:
        instance.released_hash = ""


def _follow_image(instance: Instance, resources: OSResources, report: StatusReport) -> None:
    if not _of_profile(instance, report):
        instance.detail = (
            f"The node runs profile {report.profile_name} {report.os_image_id}, "
            f"but this instance has profile {instance.profile_name}."
        )
        return
    instance.image_id = report.os_image_id
    instance.os = resources.with_image(instance.profile_name, report.os_image_id)
    instance.detail = (
        ""
        if instance.os is not None
        else f"The node runs {instance.profile_name} {report.os_image_id}, "
        "which is no OS resource here."
    )


def _of_profile(instance: Instance, report: StatusReport) -> bool:
    return report.profile_name in {"", instance.profile_name}


def _detail(report: StatusReport) -> tuple[str, str]:
    """The detail to keep and the cause that it names; both empty when there is nothing to keep."""
    if report.status_type not in _DETAILED or not report.status_detail:
        return "", ""
    try:
        entries = parse_detail(report.status_detail)
    except WireError as error:
        log.info("a status detail was dropped: %s", error)
        return "", ""
    failed = report.status_type is StatusType.FAILED
    return report.status_detail, update_run.cause_of(entries) if failed else ""

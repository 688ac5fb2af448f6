# SPDX-License-Identifier: Apache-2.0
"""The history of an instance's update runs: opened, followed and closed by what its node reports.

Rules (protocol.md §3a, with its flaws mended):

1. DOWNLOADING and STARTED open a run when none is open; every report is noted in the open one.
2. UPDATED, FAILED, and UP_TO_DATE (the node has given it up) close it. An UPDATED that is not what
   was wanted closes it with the reason.
3. UPDATED to another image, and FAILED, leave a closed run behind even when none was open: an
   update that ended between two polls is history as well.
4. A failure is one run, however often it is told (see `maintenance.failure`).
5. The server closes a run itself when its image is not wanted any more before STARTED (`cancel`),
   or when the node is silent after STARTED (`give_up`). Both are conclusions: a late report
   restores the truth in the same run.
6. What a node still downloads after its run was cancelled is no new run until it has had the time
   to hear of the new plan.

Whoever changes a run changes its instance in the same transaction, or holds its lock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, lazyload

from orchestrator_stub.maintenance.failure import Detail, said_by_server
from orchestrator_stub.maintenance.retention import make_room
from orchestrator_stub.maintenance.status import (
    NOT_BACK,
    UPDATE_STATUS,
    Status,
    cancelled,
    is_by_server,
    is_cancelled,
    rejected,
)
from orchestrator_stub.records import IMAGE_ID_CHARS, OPEN_END_S, Instance, OSResource, UpdateRun
from orchestrator_stub.rollouts.gate import note
from orchestrator_stub.vocabulary import Indication, MemberState
from puad.core.wire import StatusType

OPENING: Final = frozenset({StatusType.DOWNLOADING, StatusType.STARTED})
CLOSING: Final = frozenset({StatusType.UPDATED, StatusType.FAILED, StatusType.UP_TO_DATE})
HEARD_AFTER_S: Final = 60
"""A node polls every 20 s: after so long it has heard of a new plan, and follows it."""

_AT_WORK: Final = frozenset({StatusType.DOWNLOADING, StatusType.DOWNLOADED, StatusType.STARTED})
_RESTED: Final = frozenset(UPDATE_STATUS[status].text for status in CLOSING)
_COMPLETED: Final = UPDATE_STATUS[StatusType.UPDATED]
_FAILED: Final = UPDATE_STATUS[StatusType.FAILED]
_NAME_CHARS: Final = 13
_DESCRIPTION_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Occasion:
    """One report as the history sees it.

    Attributes:
        status_type: Where the update stands.
        now_s: When it was reported.
        image_id: The image of the instance's profile that the node says it runs; empty when it
            says none, or one of another profile.
        moved: Whether that is another image than before.
        target: The image that the node is about to run; empty when it does not show.
        offered: The image that the node is offered now; empty when there is none.
        detail: The update log to keep.
        rejection: Why UPDATED is not what it says; empty when it is.
    """

    status_type: StatusType
    now_s: int
    image_id: str = ""
    moved: bool = False
    target: str = ""
    offered: str = ""
    detail: Detail = field(default_factory=Detail)
    rejection: str = ""


def last_run(session: Session, instance: Instance) -> UpdateRun | None:
    """The newest run of an instance."""
    wanted = select(UpdateRun).where(UpdateRun.instance_id == instance.id)
    newest = wanted.order_by(UpdateRun.number.desc()).limit(1).options(lazyload("*"))
    return session.scalars(newest).first()


def is_open(run: UpdateRun | None) -> bool:
    """Whether a run goes on."""
    return run is not None and run.end_s == OPEN_END_S


def follow(
    session: Session, instance: Instance, last: UpdateRun | None, occasion: Occasion
) -> None:
    """Note a report in the history of an instance, whose newest run is `last`.

    The instance still has the status that it had before the report.
    """
    run = _concerned(session, instance, last, occasion)
    if run is None:
        return
    _learn_target(run, occasion)
    _set_status(run, _status(run, occasion), occasion.now_s)
    if occasion.status_type in CLOSING:
        run.status_details, run.failure = occasion.detail.text, ""
        if occasion.status_type is StatusType.FAILED:
            run.failure = occasion.detail.failure
        if not run.status_details and run.status_indicator is Indication.ERROR:
            run.status_details = _reason(run, occasion)
        run.end_s = occasion.now_s
        _tell_rollout(session, instance, run, occasion.now_s)
    elif occasion.status_type in _AT_WORK:
        started = occasion.status_type is StatusType.STARTED
        run.started_s = (run.started_s or occasion.now_s) if started else 0
        if not is_open(run):
            run.end_s, run.status_details, run.failure = OPEN_END_S, "", ""


def cancel(run: UpdateRun, reason: str, now_s: int) -> None:
    """Close a run whose image is not wanted any more."""
    _set_status(run, cancelled(reason), now_s)
    run.end_s = now_s


def give_up(session: Session, run: UpdateRun, waited_s: int, now_s: int) -> None:
    """Close a run whose node fell silent after STARTED, and say so of its instance."""
    instance = run.instance
    what = f"node did not come back: it has not reported for {waited_s // 60} min after it began"
    _set_status(run, NOT_BACK, now_s)
    run.end_s = now_s
    run.status_details = said_by_server(run.image_id, what, now_s)
    instance.update_status, instance.update_status_indicator = NOT_BACK.text, NOT_BACK.indicator
    instance.update_status_s, instance.update_status_detail = now_s, run.status_details
    instance.update_progress_percent, instance.phase = None, ""
    _tell_rollout(session, instance, run, now_s)


def _concerned(
    session: Session, instance: Instance, last: UpdateRun | None, occasion: Occasion
) -> UpdateRun | None:
    """The run that a report is about: the open one, one that it corrects, a new one, or none."""
    if last is not None and (is_open(last) or _corrects(session, instance, last, occasion)):
        return last
    if not _leaves_a_run(session, instance, last, occasion):
        return None
    run = _new_run(session, instance, occasion, number=last.number + 1 if last else 1)
    session.add(run)
    make_room(session, instance, run.number)
    return run


def _corrects(session: Session, instance: Instance, last: UpdateRun, occasion: Occasion) -> bool:
    if not is_by_server(last.status) or instance.update_status in _RESTED:
        return False
    match occasion.status_type:
        case StatusType.STARTED:
            told_other = is_cancelled(last.status) and _heard_of_another(last, occasion)
            return occasion.target in {"", last.image_id} and not told_other
        case StatusType.UPDATED:
            return occasion.moved and last.image_id in {"", occasion.image_id}
        case StatusType.UP_TO_DATE:
            return occasion.moved and last.image_id == occasion.image_id
        case StatusType.FAILED:
            same = not last.image_id or occasion.detail.image_id in {"", last.image_id}
            return same and not _is_known(session, instance, None, occasion)
        case _:
            return False


def _leaves_a_run(
    session: Session, instance: Instance, last: UpdateRun | None, occasion: Occasion
) -> bool:
    if occasion.status_type is StatusType.UPDATED:
        return occasion.moved
    if occasion.status_type is StatusType.FAILED:
        return not _is_known(session, instance, last, occasion)
    if occasion.status_type not in OPENING:
        return False
    if last is None or not is_cancelled(last.status) or instance.update_status in _RESTED:
        return True
    if occasion.target not in {"", last.image_id}:
        return True
    return occasion.offered == last.image_id != "" or _heard_of_another(last, occasion)


def _heard_of_another(last: UpdateRun, occasion: Occasion) -> bool:
    """Whether a node that has gone on since its run was cancelled is at work on another image."""
    return (
        occasion.offered not in {"", last.image_id} and occasion.now_s - last.end_s >= HEARD_AFTER_S
    )


def _is_known(
    session: Session, instance: Instance, last: UpdateRun | None, occasion: Occasion
) -> bool:
    failure = occasion.detail.failure
    if not failure:
        return last is not None and last.status.startswith(_FAILED.text)
    told = exists().where(UpdateRun.instance_id == instance.id, UpdateRun.failure == failure)
    return bool(session.scalar(select(told)))


def _status(run: UpdateRun, occasion: Occasion) -> Status:
    if occasion.status_type is StatusType.UPDATED:
        if occasion.rejection:
            return rejected(occasion.rejection)
        if not occasion.moved and occasion.image_id != run.image_id:
            return rejected(f"the node runs {occasion.image_id} as before")
    arrived = occasion.moved and run.image_id == occasion.image_id
    if occasion.status_type is StatusType.UP_TO_DATE and arrived:
        return _COMPLETED  # UPDATED itself got lost
    return UPDATE_STATUS[occasion.status_type]


def _set_status(run: UpdateRun, status: Status, now_s: int) -> None:
    if run.status != status.text:
        run.status, run.status_indicator, run.status_s = status.text, status.indicator, now_s


def _reason(run: UpdateRun, occasion: Occasion) -> str:
    if occasion.status_type is StatusType.FAILED:
        return ""
    return said_by_server(occasion.image_id, run.status, occasion.now_s)


def _learn_target(run: UpdateRun, occasion: Occasion) -> None:
    """Take the image that shows for the run's, whoever had it installed.

    It shows on a slot, or in the end by what the node runs then.
    """
    target = occasion.image_id if _has_arrived(run, occasion) else occasion.target
    if target and target != run.image_id:
        run.image_id = target
        if target != occasion.offered:
            run.policy_id = None


def _has_arrived(run: UpdateRun, occasion: Occasion) -> bool:
    """Whether the node says at the end of a run that it runs another image than before it."""
    if occasion.status_type is StatusType.UP_TO_DATE:
        return occasion.moved and not run.image_id
    return occasion.moved and occasion.status_type is StatusType.UPDATED and not occasion.rejection


def _tell_rollout(session: Session, instance: Instance, run: UpdateRun, now_s: int) -> None:
    if not run.image_id:
        return
    if run.status_indicator is Indication.ERROR:
        note(session, instance, run.image_id, MemberState.FAILED, now_s)
    elif run.status == _COMPLETED.text:
        note(session, instance, run.image_id, MemberState.UPDATED, now_s)


def _new_run(session: Session, instance: Instance, occasion: Occasion, number: int) -> UpdateRun:
    started = datetime.fromtimestamp(occasion.now_s, UTC)
    image_id = {
        StatusType.UPDATED: occasion.image_id,
        StatusType.FAILED: occasion.detail.image_id or occasion.offered,
    }.get(occasion.status_type, occasion.offered)
    runs = session.get(OSResource, instance.os_id) if instance.os_id else None
    os_name = runs.name if runs else f"{instance.profile_name} {instance.image_id}"
    asked_for = bool(occasion.offered) or occasion.status_type in CLOSING
    return UpdateRun(
        project_uuid=instance.project_uuid,
        instance_id=instance.id,
        number=number,
        # what goes on although nothing is offered is the node's own
        policy_id=instance.policy_id if asked_for else None,
        image_id=image_id[:IMAGE_ID_CHARS],
        name=f"{instance.host.name[:_NAME_CHARS]} update {started:%Y%m%d-%H%M%S}",
        description=f"OS update for {os_name}".rstrip()[:_DESCRIPTION_CHARS],
        status="",
        status_indicator=Indication.UNSPECIFIED,
        status_details="",
        failure="",
        status_s=occasion.now_s,
        start_s=occasion.now_s,
        started_s=0,
        end_s=OPEN_END_S,
    )

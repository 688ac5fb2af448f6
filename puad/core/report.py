# SPDX-License-Identifier: Apache-2.0
"""What the maintenance manager is told: the wire status of a run (design.md, "The update run")."""

from __future__ import annotations

from typing import Final

from puad.core.decision import Decision
from puad.core.errors import EXPLANATIONS, Code
from puad.core.model import Offer
from puad.core.rules.waiting import judge
from puad.core.run import Cause, Run, State
from puad.core.update_log import LogStatus, UpdateLogEntry, dump_detail
from puad.core.wire import StatusReport, StatusType

_STATUS: Final = {
    State.IDLE: StatusType.UP_TO_DATE,
    State.DOWNLOADING: StatusType.DOWNLOADING,
    State.STAGED: StatusType.DOWNLOADED,
    State.ARMED: StatusType.STARTED,
    State.ASSESSING: StatusType.STARTED,
    State.DONE: StatusType.UPDATED,
    State.ROLLED_BACK: StatusType.FAILED,
    State.FAILED: StatusType.FAILED,
}


def wire_status(run: Run) -> StatusType:
    """The status word for a run.

    IDLE is FAILED while the wanted image is quarantined here, and DONE is UP_TO_DATE once the
    server has taken UPDATED.
    """
    if run.state is State.IDLE and judge(run, run.plan.offer) is Decision.QUARANTINED:
        return StatusType.FAILED
    if run.state is State.DONE and run.told:
        return StatusType.UP_TO_DATE
    return _STATUS[run.state]


def status_report(run: Run, *, progress_percent: int | None = None) -> StatusReport:
    """The whole report: status, cause, and what this node runs.

    Args:
        run: What the node is doing.
        progress_percent: How far the download is, 0..100, while there is one.
    """
    facts = run.facts
    return StatusReport(
        status_type=wire_status(run),
        status_detail=_detail(run),
        profile_name=facts.profile if facts else "",
        os_image_id=facts.image_id if facts else "",
        progress_percent=progress_percent,
    )


def _detail(run: Run) -> str:
    if run.state is State.DONE and run.goal is not None:
        return _entry(run.goal.offer, None, LogStatus.INSTALLED)
    if run.cause is not None and run.goal is not None:
        rolled_back = run.state is State.ROLLED_BACK
        status = LogStatus.ROLLEDBACK if rolled_back else LogStatus.FAILED
        return _entry(run.goal.offer, run.cause, status)
    quarantined = run.quarantined(run.plan.offer) if run.plan.offer else None
    if run.state is State.IDLE and quarantined is not None and run.plan.offer is not None:
        return _entry(run.plan.offer, quarantined.cause, LogStatus.ROLLEDBACK)
    return ""


def _entry(offer: Offer, cause: Cause | None, status: LogStatus) -> str:
    code = cause.code if cause else None
    return dump_detail(
        [
            UpdateLogEntry(
                status=status,
                version=offer.image_id,
                update_time=cause.at if cause else None,
                failure_reason=EXPLANATIONS[code or Code.NOTHING_TO_DO].failure_reason,
                failure_log=f"{cause.code}: {cause.text}" if cause else "",
            )
        ]
    )

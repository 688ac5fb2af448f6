# SPDX-License-Identifier: Apache-2.0
"""What the maintenance manager is told: the wire status of a run.

The table of both stands in docs/architecture.md, "The update run".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from puad.core.decision import Decision
from puad.core.errors import EXPLANATIONS
from puad.core.model import Offer, Verdict
from puad.core.rules.waiting import judge
from puad.core.run import Cause, Run, State
from puad.core.update_log import LogStatus, UpdateLogEntry, dump_detail
from puad.core.wire import SlotReport, StatusReport, StatusType

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
_STEPS: Final = {"fetch": "writing", "seal": "sealing"}


def wire_status(run: Run) -> StatusType:
    """The status word for a run.

    IDLE is FAILED while the wanted image is quarantined here, and DONE is UP_TO_DATE once the
    server has taken UPDATED. Until the facts of this start are known, success is only remembered
    (invariants 4 and 6 of docs/architecture.md): DONE is then still STARTED.
    """
    if run.state is State.IDLE and judge(run, run.plan.offer) is Decision.QUARANTINED:
        return StatusType.FAILED
    if run.state is State.DONE and run.told:
        return StatusType.UP_TO_DATE
    if run.state is State.DONE and run.facts is None:
        return StatusType.STARTED
    return _STATUS[run.state]


def status_report(
    run: Run,
    *,
    trouble: Cause | None = None,
    progress_percent: int | None = None,
    step: str = "",
) -> StatusReport:
    """The whole report: status, cause, and what this node runs.

    Args:
        run: What the node is doing.
        trouble: What keeps the node from going on, e.g. a full disk; reported as FAILED unless
            the node is on its way through a reboot. Its time tells one trouble from the next.
        progress_percent: How far the download is, 0..100, while there is one.
        step: What the install under way does, `fetch` or `seal`; empty when there is none.
    """
    facts = run.facts
    status, detail = wire_status(run), _detail(run)
    if trouble is not None and run.state not in {State.ARMED, State.ASSESSING, State.DONE}:
        offer = run.goal.offer if run.goal else run.plan.offer
        status = StatusType.FAILED
        detail = _entry(offer, trouble, LogStatus.FAILED)
    return StatusReport(
        status_type=status,
        status_detail=detail,
        profile_name=facts.profile if facts else "",
        os_image_id=facts.image_id if facts else "",
        progress_percent=progress_percent if status is StatusType.DOWNLOADING else None,
        phase="" if status is StatusType.FAILED else _phase(run, step),
        slots=tuple(map(SlotReport.of, facts.slots)) if facts else (),
        quarantine=tuple(dict.fromkeys(_not_tried_again(run))),
    )


def _phase(run: Run, step: str) -> str:
    goal = run.goal
    if goal is None:
        return ""
    downloading = _STEPS.get(step, "preparing")
    staged = "about to reboot" if goal.by_operator else "waiting for the window"
    return {
        State.DOWNLOADING: downloading if goal.retry_at is None else "waiting to try again",
        State.STAGED: "held at the node" if goal.hold and goal.hold.until is None else staged,
        State.ARMED: "rebooting",
        State.ASSESSING: "assessing",
    }.get(run.state, "")


def _not_tried_again(run: Run) -> Iterator[str]:
    """File hashes of the images that only an operator's word has tried again here."""
    offer = run.plan.offer
    for entry in run.quarantine:
        if entry.file_hash:
            yield entry.file_hash
        elif offer is not None and entry.covers(offer):
            yield offer.file_hash  # the store was lost: the server knows the image by this name
    if run.held:
        yield run.held


def _detail(run: Run) -> str:
    if run.state is State.DONE and run.goal is not None and run.facts is not None:
        return _installed(run.goal.offer, run.facts.verdict)
    if run.cause is not None and run.goal is not None:
        rolled_back = run.state is State.ROLLED_BACK
        status = LogStatus.ROLLEDBACK if rolled_back else LogStatus.FAILED
        return _entry(run.goal.offer, run.cause, status)
    quarantined = run.quarantined(run.plan.offer) if run.plan.offer else None
    if run.state is State.IDLE and quarantined is not None:
        return _entry(run.plan.offer, quarantined.cause, LogStatus.ROLLEDBACK)
    return ""


def _installed(offer: Offer, verdict: Verdict | None) -> str:
    at = verdict.finished_at if verdict else None
    return dump_detail([UpdateLogEntry(LogStatus.INSTALLED, offer.image_id, at)])


def _entry(offer: Offer | None, cause: Cause, status: LogStatus) -> str:
    return dump_detail(
        [
            UpdateLogEntry(
                status=status,
                version=offer.image_id if offer else "",
                update_time=cause.at,
                failure_reason=EXPLANATIONS[cause.code].failure_reason,
                failure_log=f"{cause.code}: {cause.text}\n{cause.log}".rstrip(),
            )
        ]
    )

# SPDX-License-Identifier: Apache-2.0
"""The history of an instance's update runs: opened, followed and closed by what its node reports.

Rules (protocol.md §3a, with its flaws mended):

1. DOWNLOADING and STARTED open a run when none is open; every report is noted in the open one.
2. UPDATED, FAILED, and UP_TO_DATE (the plan was cancelled) close it.
3. UPDATED to another image, and FAILED, leave a closed run behind even when none was open: an
   update that ended between two polls is history as well.
4. A node repeats FAILED while the image is quarantined. The same cause is one run, however often
   it is told and whatever times stand in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.status import UPDATE_STATUS
from orchestrator_stub.tables import OPEN_END_S, Instance, UpdateRun
from puad.core.update_log import UpdateLogEntry
from puad.core.wire import StatusType

OPENING: Final = frozenset({StatusType.DOWNLOADING, StatusType.STARTED})
CLOSING: Final = frozenset({StatusType.UPDATED, StatusType.FAILED, StatusType.UP_TO_DATE})
_NAME_CHARS: Final = 13
_DESCRIPTION_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Occasion:
    """One report as the history sees it.

    Attributes:
        status_type: Where the update stands.
        detail: The update log to keep, as JSON; empty when there is none.
        cause: What went wrong, without times; empty when nothing did.
        moved: Whether the node now runs another image than before.
        now_s: When it was reported.
    """

    status_type: StatusType
    detail: str
    cause: str
    moved: bool
    now_s: int


def cause_of(entries: Sequence[UpdateLogEntry]) -> str:
    """What an update log says went wrong, the same for each telling of the same failure."""
    return "\n".join(f"{e.version} {e.failure_reason} {e.failure_log}" for e in entries)


def follow(session: Session, instance: Instance, occasion: Occasion) -> None:
    """Note a report in the history of an instance."""
    last = session.scalars(
        select(UpdateRun)
        .where(UpdateRun.instance_id == instance.id)
        .order_by(UpdateRun.number.desc())
        .limit(1)
    ).first()
    if last is not None and last.end_s == OPEN_END_S:
        _note(last, occasion)
    elif _leaves_a_run(last, occasion):
        run = _new_run(instance, occasion, number=last.number + 1 if last else 1)
        session.add(run)
        _note(run, occasion)


def _leaves_a_run(last: UpdateRun | None, occasion: Occasion) -> bool:
    if occasion.status_type is StatusType.UPDATED:
        return occasion.moved
    if occasion.status_type is StatusType.FAILED:
        if last is None or last.status != UPDATE_STATUS[StatusType.FAILED].text:
            return True
        return occasion.cause not in {"", last.cause}
    return occasion.status_type in OPENING


def _note(run: UpdateRun, occasion: Occasion) -> None:
    status = UPDATE_STATUS[occasion.status_type]
    if run.status != status.text:
        run.status, run.status_indicator = status.text, status.indicator
        run.status_s = occasion.now_s
    if occasion.status_type in CLOSING:
        run.status_details, run.cause = occasion.detail, occasion.cause
        run.end_s = occasion.now_s


def _new_run(instance: Instance, occasion: Occasion, number: int) -> UpdateRun:
    status = UPDATE_STATUS[occasion.status_type]
    started = datetime.fromtimestamp(occasion.now_s, UTC)
    os_name = instance.os.name if instance.os else f"{instance.profile_name} {instance.image_id}"
    return UpdateRun(
        project_uuid=instance.project_uuid,
        instance=instance,
        number=number,
        policy=instance.policy,
        name=f"{instance.host.name[:_NAME_CHARS]} update {started:%Y%m%d-%H%M%S}",
        description=f"OS update for {os_name}".rstrip()[:_DESCRIPTION_CHARS],
        status=status.text,
        status_indicator=status.indicator,
        status_s=occasion.now_s,
        start_s=occasion.now_s,
        end_s=OPEN_END_S,
    )

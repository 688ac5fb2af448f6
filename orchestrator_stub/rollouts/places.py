# SPDX-License-Identifier: Apache-2.0
"""Places whose maintenance window is open or opens soon, for all hosts of a project at once.

A rollout that lets only so many hosts at once must not give their turns to hosts that cannot use
them before next week. A turn may begin some time ahead of the window, for the download.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, lazyload

from orchestrator_stub.records import RepeatedSchedule, SingleSchedule
from orchestrator_stub.schedules.places import Places, places_of
from orchestrator_stub.schedules.windows import repeated_schedule
from orchestrator_stub.vocabulary import ScheduleStatus
from puad.core import model
from puad.core.errors import WireError
from puad.core.windows import next_window

AHEAD_S: Final = 3600
"""So long before its window opens a host may be offered the image."""


def soon(session: Session, project_uuid: str, now_s: int) -> Places:
    """The places of a project where a window for OS updates is open, or opens soon."""
    return places_of(session, project_uuid, _schedules(session, project_uuid, now_s))


def _schedules(
    session: Session, project_uuid: str, now_s: int
) -> Iterator[SingleSchedule | RepeatedSchedule]:
    single = select(SingleSchedule).where(
        SingleSchedule.project_uuid == project_uuid,
        SingleSchedule.schedule_status == ScheduleStatus.OS_UPDATE,
        SingleSchedule.start_s <= now_s + AHEAD_S,
        or_(SingleSchedule.end_s == 0, SingleSchedule.end_s > now_s),
    )
    yield from session.scalars(single.options(lazyload("*")))
    repeated = select(RepeatedSchedule).where(
        RepeatedSchedule.project_uuid == project_uuid,
        RepeatedSchedule.schedule_status == ScheduleStatus.OS_UPDATE,
    )
    now = datetime.fromtimestamp(now_s, UTC)

    @cache  # many hosts have the same
    def opens_soon(schedule: model.RepeatedSchedule) -> bool:
        try:
            window = next_window(model.Schedules(repeated=(schedule,)), now)
        except WireError:
            return False  # the node cannot read it either
        return window is not None and window.start <= now + timedelta(seconds=AHEAD_S)

    for row in session.scalars(repeated.options(lazyload("*"))):
        if opens_soon(repeated_schedule(row)):
            yield row

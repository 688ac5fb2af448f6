# SPDX-License-Identifier: Apache-2.0
"""Single and repeated schedules in one list."""

from __future__ import annotations

from orchestrator_stub.records import RepeatedSchedule, SingleSchedule
from orchestrator_stub.rest import documents, fields
from orchestrator_stub.rest.context import Caller
from orchestrator_stub.rest.documents import RepeatedScheduleResource, SingleScheduleResource
from orchestrator_stub.rest.lists import ListDocument, WantedPart
from orchestrator_stub.rest.repeated_schedules import found_repeated
from orchestrator_stub.rest.routing import Router
from orchestrator_stub.rest.schedules import WantedWhere
from orchestrator_stub.rest.single_schedules import found_single

router = Router(tags=["schedules"])


class ScheduleList(ListDocument):
    """A part of the single and of the repeated schedules; `totalElements` counts both."""

    single_schedules: list[SingleScheduleResource]
    repeated_schedules: list[RepeatedScheduleResource]


@router.get("")
def list_schedules(caller: Caller, wanted: WantedPart, where: WantedWhere) -> ScheduleList:
    """List single and repeated schedules, each by the same page."""
    with caller.reading() as session:
        single = found_single(caller, session, wanted, where, fields.scheduled(SingleSchedule))
        repeated = found_repeated(
            caller, session, wanted, where, fields.scheduled(RepeatedSchedule)
        )
        return ScheduleList(
            single_schedules=[documents.single_schedule(row) for row in single.items],
            repeated_schedules=[documents.repeated_schedule(row) for row in repeated.items],
            total_elements=single.total + repeated.total,
            has_next=single.has_next or repeated.has_next,
        )

# SPDX-License-Identifier: Apache-2.0
"""Update runs over REST: the history, read and tidied. The maintenance manager makes them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import OPEN_END_S, Instance, UpdateRun
from orchestrator_stub.rest import documents, fields
from orchestrator_stub.rest.bodies import LINE
from orchestrator_stub.rest.context import Caller
from orchestrator_stub.rest.documents import OSUpdateRun
from orchestrator_stub.rest.documents.base import Nothing
from orchestrator_stub.rest.lists import IdFilter, ListDocument, WantedPart, part
from orchestrator_stub.rest.routing import PROJECT, RecordId, Router

router = Router(prefix=f"{PROJECT}/os_update_run", tags=["OS update runs"])


class RunList(ListDocument):
    """A part of the update runs."""

    os_update_runs: list[OSUpdateRun]


@router.get("")
def list_runs(
    caller: Caller,
    wanted: WantedPart,
    instance_id: Annotated[IdFilter, Query(alias="instanceId")] = "",
    host_id: Annotated[IdFilter, Query(alias="hostId")] = "",
    status: Annotated[
        str, Query(max_length=100, pattern=LINE, description="The status text, as it is shown.")
    ] = "",
) -> RunList:
    """List the update runs, newest first unless told otherwise."""
    rows = select(UpdateRun).where(UpdateRun.project_uuid == caller.project_uuid)
    if instance_id:
        rows = rows.where(UpdateRun.instance_id == instance_id)
    if host_id:
        of_host = select(Instance.id).where(Instance.host_id == host_id)
        rows = rows.where(UpdateRun.instance_id.in_(of_host))
    if status:
        rows = rows.where(UpdateRun.status == status)
    newest_first = (UpdateRun.start_s.desc(), UpdateRun.number.desc(), UpdateRun.id)
    with caller.reading() as session:
        found = part(session, wanted, rows, fields.RUNS, newest_first)
        return RunList(
            os_update_runs=[documents.run(row) for row in found.items],
            total_elements=found.total,
            has_next=found.has_next,
        )


@router.get("/{run_id:id}")
def get_run(caller: Caller, run_id: RecordId) -> OSUpdateRun:
    """Read one update run."""
    with caller.reading() as session:
        return documents.run(caller.mine(session, UpdateRun, run_id))


@router.delete("/{run_id:id}")
def delete_run(caller: Caller, run_id: RecordId) -> Nothing:
    """Delete an update run that has come to its end from the history."""

    def change(session: Session) -> Nothing:
        row = caller.mine(session, UpdateRun, run_id)
        if row.end_s == OPEN_END_S:
            raise OrchestratorError(
                Code.FAILED_PRECONDITION, f"{run_id} cannot be deleted: it goes on"
            )
        session.delete(row)
        return Nothing()

    return caller.write(change)

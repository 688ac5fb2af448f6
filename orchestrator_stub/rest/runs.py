# SPDX-License-Identifier: Apache-2.0
"""Update runs over REST: the history, read and tidied. The maintenance manager makes them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select

from orchestrator_stub.rest import documents
from orchestrator_stub.rest.context import Caller, WantedPage, listing
from orchestrator_stub.tables import UpdateRun

router = APIRouter(prefix="/v1/projects/{project}/os_update_run", tags=["OS update runs"])


@router.get("")
def list_runs(
    caller: Caller,
    page: WantedPage,
    instance_id: Annotated[str, Query(alias="instanceId", max_length=64)] = "",
) -> dict[str, Any]:
    """List the update runs, newest first; of one instance with `instanceId`."""
    wanted = select(UpdateRun).where(UpdateRun.project_uuid == caller.project_uuid)
    if instance_id:
        wanted = wanted.where(UpdateRun.instance_id == instance_id)
    newest_first = wanted.order_by(UpdateRun.start_s.desc(), UpdateRun.number.desc(), UpdateRun.id)
    with caller.reading() as session:
        return listing(session, page, "osUpdateRuns", newest_first, documents.run)


@router.get("/{run_id}")
def get_run(caller: Caller, run_id: str) -> dict[str, Any]:
    """Read one update run."""
    with caller.reading() as session:
        return documents.run(caller.mine(session, UpdateRun, run_id))


@router.delete("/{run_id}")
def delete_run(caller: Caller, run_id: str) -> dict[str, Any]:
    """Delete one update run from the history."""
    with caller.writing() as session:
        session.delete(caller.mine(session, UpdateRun, run_id))
    return {}

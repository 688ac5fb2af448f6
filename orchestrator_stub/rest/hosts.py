# SPDX-License-Identifier: Apache-2.0
"""Hosts over REST: read, and invalidate. The command `enrol` makes them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select

from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.rest import documents
from orchestrator_stub.rest.context import Caller, WantedPage, listing
from orchestrator_stub.tables import Host
from orchestrator_stub.vocabulary import HostState

router = APIRouter(prefix="/v1/projects/{project}/compute/hosts", tags=["hosts"])


@router.get("")
def list_hosts(caller: Caller, page: WantedPage) -> dict[str, Any]:
    """List the hosts by name."""
    with caller.reading() as session:
        resources = OSResources(session, caller.project_uuid)
        now_s = caller.now_s()
        wanted = select(Host).where(Host.project_uuid == caller.project_uuid)
        return listing(
            session,
            page,
            "hosts",
            wanted.order_by(Host.name, Host.id),
            lambda row: documents.host(row, resources, now_s),
        )


@router.get("/{host_id}")
def get_host(caller: Caller, host_id: str) -> dict[str, Any]:
    """Read one host."""
    with caller.reading() as session:
        row = caller.mine(session, Host, host_id)
        return documents.host(row, OSResources(session, caller.project_uuid), caller.now_s())


@router.put("/{host_id}/invalidate")
def invalidate_host(
    caller: Caller, host_id: str, note: Annotated[str, Query(max_length=500)] = ""
) -> dict[str, Any]:
    """Trust a host no more: its node is refused, with every token made up to now."""
    with caller.writing() as session:
        row = caller.mine(session, Host, host_id)
        row.state = HostState.UNTRUSTED
        row.note = note
        row.tokens_valid_from_s = caller.now_s() + 1
    return {}

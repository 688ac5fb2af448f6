# SPDX-License-Identifier: Apache-2.0
"""OS resources over REST: read, and look for new ones now. The OS resource manager makes them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.rest import documents
from orchestrator_stub.rest.context import Caller, WantedPage, listing
from orchestrator_stub.tables import OSResource

router = APIRouter(
    prefix="/v1/projects/{project}/compute/operating_systems", tags=["operating systems"]
)


@router.get("")
def list_operating_systems(caller: Caller, page: WantedPage) -> dict[str, Any]:
    """List the OS resources, in the order they were found."""
    with caller.reading() as session:
        wanted = select(OSResource).where(OSResource.project_uuid == caller.project_uuid)
        return listing(
            session,
            page,
            "OperatingSystemResources",
            wanted.order_by(OSResource.created_s, OSResource.id),
            documents.operating_system,
        )


@router.get("/{os_id}")
def get_operating_system(caller: Caller, os_id: str) -> dict[str, Any]:
    """Read one OS resource."""
    with caller.reading() as session:
        return documents.operating_system(caller.mine(session, OSResource, os_id))


# Starlette matches a path's text, so this stands on a router path of its own, not below "/{os_id}".
@router.post(":refresh")
def refresh_operating_systems(caller: Caller) -> dict[str, Any]:
    """Look for new OS profiles at the release service now, and say what changed."""
    manager = caller.services.resource_manager
    if manager is None:
        raise OrchestratorError(
            Code.FAILED_PRECONDITION, "no release service is configured for this orchestrator"
        )
    return asdict(manager.refresh())

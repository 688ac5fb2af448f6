# SPDX-License-Identifier: Apache-2.0
"""OS resources over REST: read, look for new ones now, and let a failed image be tried again.

The OS resource manager makes and withdraws them as the release service says; nothing else does.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Final, NoReturn

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import OSResource
from orchestrator_stub.rest import documents, fields
from orchestrator_stub.rest.context import AUTHORISED, Caller
from orchestrator_stub.rest.documents import OperatingSystemResource
from orchestrator_stub.rest.documents.base import Document, Nothing
from orchestrator_stub.rest.lists import ListDocument, WantedPart, part
from orchestrator_stub.rest.routing import PROJECT, RecordId, Router, unimplemented
from orchestrator_stub.rollouts import control

_READ_ONLY: Final = "OS resources come from the release service: publish or withdraw there"
router = Router(prefix=f"{PROJECT}/compute/operating_systems", tags=["operating systems"])


class OperatingSystemList(ListDocument):
    """A part of the OS resources; the original spells its name like this."""

    operating_system_resources: list[OperatingSystemResource] = Field(
        alias="OperatingSystemResources"
    )


class RefreshResult(Document):
    """What a look at the release service changed; `refused` and `incomplete` say why."""

    created: list[str]
    withdrawn: list[str]
    refused: list[str]
    incomplete: list[str]
    known: int


class QuarantineCleared(Document):
    """On how many instances the image may be tried again."""

    instances: int


@router.get("")
def list_operating_systems(caller: Caller, wanted: WantedPart) -> OperatingSystemList:
    """List the OS resources, in the order they were found unless told otherwise."""
    rows = select(OSResource).where(OSResource.project_uuid == caller.project_uuid)
    order = (OSResource.created_s, OSResource.id)
    with caller.reading() as session:
        found = part(session, wanted, rows, fields.OPERATING_SYSTEMS, order)
        return OperatingSystemList(
            OperatingSystemResources=[documents.operating_system(row) for row in found.items],
            total_elements=found.total,
            has_next=found.has_next,
        )


@router.post("", status_code=501, dependencies=AUTHORISED)
def create_operating_system() -> Nothing:
    """OS resources come from the release service: publish there."""
    raise unimplemented(_READ_ONLY)


@router.get("/{os_id:id}")
def get_operating_system(caller: Caller, os_id: RecordId) -> OperatingSystemResource:
    """Read one OS resource."""
    with caller.reading() as session:
        return documents.operating_system(caller.mine(session, OSResource, os_id))


@router.put("/{os_id:id}", status_code=501)
def replace_operating_system(caller: Caller, os_id: RecordId) -> Nothing:
    """OS resources come from the release service and are not changed."""
    _refuse(caller, os_id)


@router.patch("/{os_id:id}", status_code=501)
def change_operating_system(caller: Caller, os_id: RecordId) -> Nothing:
    """OS resources come from the release service and are not changed."""
    _refuse(caller, os_id)


@router.delete("/{os_id:id}", status_code=501)
def delete_operating_system(caller: Caller, os_id: RecordId) -> Nothing:
    """OS resources come from the release service: withdraw there."""
    _refuse(caller, os_id)


@router.post("/{os_id:id}:clearQuarantine")
def clear_quarantine(caller: Caller, os_id: RecordId) -> QuarantineCleared:
    """Have this image tried again wherever it has failed."""

    def change(session: Session) -> QuarantineCleared:
        row = caller.mine(session, OSResource, os_id)
        return QuarantineCleared(instances=control.release_everywhere(session, row))

    return caller.write(change)


@router.post(":refresh")
def refresh_operating_systems(caller: Caller) -> RefreshResult:
    """Look for new OS profiles at the release service now, and say what changed."""
    manager = caller.services.resource_manager
    if manager is None:
        raise OrchestratorError(
            Code.FAILED_PRECONDITION, "no release service is configured for this orchestrator"
        )
    return RefreshResult.model_validate(asdict(manager.refresh()))


def _refuse(caller: Caller, os_id: RecordId) -> NoReturn:
    with caller.reading() as session:
        caller.mine(session, OSResource, os_id)
    raise unimplemented(_READ_ONLY)

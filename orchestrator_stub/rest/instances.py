# SPDX-License-Identifier: Apache-2.0
"""Instances over REST: read, link to an OS update policy, and let a failed image be tried again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub import plan
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.rest import documents
from orchestrator_stub.rest.context import Caller, WantedPage, listing
from orchestrator_stub.tables import Instance, Policy
from orchestrator_stub.vocabulary import Indication, PolicyKind

router = APIRouter(prefix="/v1/projects/{project}/compute/instances", tags=["instances"])


class InstanceChange(BaseModel):
    """What a PATCH may change; an empty `osUpdatePolicyID` takes the policy away."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str | None, Field(min_length=1, max_length=50)] = None
    policy_id: Annotated[str | None, Field(alias="osUpdatePolicyID", max_length=64)] = None


@router.get("")
def list_instances(caller: Caller, page: WantedPage) -> dict[str, Any]:
    """List the instances by name."""
    with caller.reading() as session:
        resources = OSResources(session, caller.project_uuid)
        wanted = select(Instance).where(Instance.project_uuid == caller.project_uuid)
        return listing(
            session,
            page,
            "instances",
            wanted.order_by(Instance.name, Instance.id),
            lambda row: documents.instance(row, resources),
        )


@router.get("/{instance_id}")
def get_instance(caller: Caller, instance_id: str) -> dict[str, Any]:
    """Read one instance."""
    with caller.reading() as session:
        row = caller.mine(session, Instance, instance_id)
        return documents.instance(row, OSResources(session, caller.project_uuid))


@router.patch("/{instance_id}")
def change_instance(caller: Caller, instance_id: str, change: InstanceChange) -> dict[str, Any]:
    """Link an instance to an OS update policy, or rename it."""
    with caller.writing() as session:
        row = caller.mine(session, Instance, instance_id)
        if change.name is not None:
            row.name = change.name
        if "policy_id" in change.model_fields_set:
            row.policy = _usable_policy(caller, session, row, change.policy_id)
        session.flush()
        return documents.instance(row, OSResources(session, caller.project_uuid))


@router.post("/{instance_id}:retry")
def retry_instance(caller: Caller, instance_id: str) -> dict[str, Any]:
    """Have the node try the image of its policy again although it failed there."""
    with caller.writing() as session:
        row = caller.mine(session, Instance, instance_id)
        if row.update_status_indicator is not Indication.ERROR:
            raise OrchestratorError(
                Code.FAILED_PRECONDITION, f"the last update of {instance_id} has not failed"
            )
        wanted = plan.wanted_os(row, OSResources(session, caller.project_uuid))
        if wanted is None:
            raise OrchestratorError(
                Code.FAILED_PRECONDITION, f"no policy wants an image on {instance_id}"
            )
        row.released_hash = wanted.file_hash
        return {"released": wanted.file_hash}


def _usable_policy(
    caller: Caller, session: Session, row: Instance, policy_id: str | None
) -> Policy | None:
    if not policy_id:
        return None
    policy = caller.mine(session, Policy, policy_id)
    if policy.kind is PolicyKind.TARGET and policy.target_os is None:
        raise OrchestratorError(
            Code.FAILED_PRECONDITION,
            f"{policy_id} names no target OS: it is not for an immutable OS",
        )
    if policy.target_os is not None and policy.target_os.profile_name != row.profile_name:
        raise OrchestratorError(
            Code.FAILED_PRECONDITION,
            f"{policy_id} wants profile {policy.target_os.profile_name}, "
            f"but the instance has profile {row.profile_name}",
        )
    return policy

# SPDX-License-Identifier: Apache-2.0
"""OS update policies over REST: make, read, delete. A policy is never changed (protocol.md §5)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.rest import documents
from orchestrator_stub.rest.context import Caller, WantedPage, listing
from orchestrator_stub.tables import Instance, OSResource, Policy, UpdateRun
from orchestrator_stub.vocabulary import PolicyKind

router = APIRouter(prefix="/v1/projects/{project}/os_update_policy", tags=["OS update policies"])


class NewPolicy(BaseModel):
    """An OS update policy to make."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=50)]
    description: Annotated[str, Field(max_length=200)] = ""
    kind: Annotated[PolicyKind, Field(alias="updatePolicy")] = PolicyKind.UNSPECIFIED
    target_os_id: Annotated[
        str, Field(alias="targetOsId", pattern=r"^(os-[0-9a-f]{8})?$", max_length=64)
    ] = ""
    update_packages: Annotated[str, Field(alias="updatePackages", max_length=10_000)] = ""
    update_sources: Annotated[
        list[Annotated[str, Field(max_length=10_000)]], Field(alias="updateSources", max_length=100)
    ] = []
    update_kernel_command: Annotated[
        str,
        Field(alias="updateKernelCommand", max_length=500, pattern=r"^[A-Za-z0-9\-_=.,/ ]*$"),
    ] = ""

    def check(self) -> None:
        """Check the rules of protocol.md §5, with its messages.

        Raises:
            OrchestratorError: `INVALID_ARGUMENT`, with the rule that is broken.
        """
        mutable = bool(self.update_packages or self.update_sources)
        anything = bool(self.target_os_id or mutable or self.update_kernel_command)
        if self.kind is PolicyKind.UNSPECIFIED:
            _refuse("OS Update Policy type cannot be unspecified")
        if self.kind is PolicyKind.LATEST and anything:
            _refuse("With Policy LATEST, no fields should be set")
        if self.kind is PolicyKind.TARGET and self.target_os_id and mutable:
            _refuse("Fields for mutable and immutable OSes are mutually exclusive")
        if self.kind is PolicyKind.TARGET and not anything:
            _refuse("With Policy TARGET, at least one field must be set")


def _refuse(rule: str) -> None:
    raise OrchestratorError(Code.INVALID_ARGUMENT, rule)


@router.get("")
def list_policies(caller: Caller, page: WantedPage) -> dict[str, Any]:
    """List the policies, in the order they were made."""
    with caller.reading() as session:
        wanted = select(Policy).where(Policy.project_uuid == caller.project_uuid)
        return listing(
            session,
            page,
            "osUpdatePolicies",
            wanted.order_by(Policy.created_s, Policy.id),
            documents.policy,
        )


@router.post("")
def create_policy(caller: Caller, new: NewPolicy) -> dict[str, Any]:
    """Make a policy."""
    new.check()
    with caller.writing() as session:
        target = caller.mine(session, OSResource, new.target_os_id) if new.target_os_id else None
        row = Policy(
            project_uuid=caller.project_uuid,
            name=new.name,
            description=new.description,
            kind=new.kind,
            target_os=target,
            update_packages=new.update_packages,
            update_sources=new.update_sources,
            update_kernel_command=new.update_kernel_command,
        )
        session.add(row)
        session.flush()
        return documents.policy(row)


@router.get("/{policy_id}")
def get_policy(caller: Caller, policy_id: str) -> dict[str, Any]:
    """Read one policy."""
    with caller.reading() as session:
        return documents.policy(caller.mine(session, Policy, policy_id))


@router.delete("/{policy_id}")
def delete_policy(caller: Caller, policy_id: str) -> dict[str, Any]:
    """Delete a policy that no instance and no update run refers to."""
    with caller.writing() as session:
        row = caller.mine(session, Policy, policy_id)
        _refuse_while_used(session, row, Instance, "an instance")
        _refuse_while_used(session, row, UpdateRun, "an update run")
        session.delete(row)
    return {}


def _refuse_while_used(
    session: Session, row: Policy, table: type[Instance | UpdateRun], user: str
) -> None:
    uses = select(func.count()).select_from(table).where(table.policy_id == row.id)
    if session.scalar(uses):
        raise OrchestratorError(
            Code.FAILED_PRECONDITION, f"{row.id} cannot be deleted: {user} refers to it"
        )

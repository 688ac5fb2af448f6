# SPDX-License-Identifier: Apache-2.0
"""OS update policies over REST: make, read, delete. A policy is never changed (protocol.md §5)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub import names
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Instance, OSResource, Policy, UpdateRun
from orchestrator_stub.rest import documents, fields
from orchestrator_stub.rest.bodies import LINE, LINES, Body
from orchestrator_stub.rest.context import Caller
from orchestrator_stub.rest.documents import OSUpdatePolicy
from orchestrator_stub.rest.documents.base import Nothing
from orchestrator_stub.rest.lists import ListDocument, WantedPart, part
from orchestrator_stub.rest.removal import refuse_used
from orchestrator_stub.rest.routing import PROJECT, RecordId, Router
from orchestrator_stub.rollouts import control
from orchestrator_stub.rollouts.rules import RolloutRules
from orchestrator_stub.vocabulary import PolicyKind

router = Router(prefix=f"{PROJECT}/os_update_policy", tags=["OS update policies"])


_Source = Annotated[str, Field(max_length=10_000, pattern=LINES)]


class PolicyList(ListDocument):
    """A part of the policies."""

    os_update_policies: list[OSUpdatePolicy]


class PolicyBody(Body):
    """An OS update policy to make; `rollout`, ours, lets it go in waves."""

    answer = OSUpdatePolicy

    name: Annotated[str, Field(min_length=1, max_length=names.MAX_CHARS, pattern=LINE)]
    description: Annotated[str, Field(max_length=200, pattern=LINE)] = ""
    update_policy: PolicyKind = PolicyKind.UNSPECIFIED
    target_os_id: Annotated[str, Field(pattern=r"^(os-[0-9a-f]{8})?$", max_length=64)] = ""
    update_packages: Annotated[str, Field(max_length=10_000, pattern=LINES)] = ""
    update_sources: Annotated[list[_Source], Field(max_length=100, default_factory=list)]
    update_kernel_command: Annotated[
        str, Field(max_length=500, pattern=r"^[A-Za-z0-9\-_=.,/ ]*$")
    ] = ""
    rollout: RolloutRules | None = None

    def check(self) -> None:
        """Check the rules of protocol.md §5, with its messages.

        Raises:
            OrchestratorError: `INVALID_ARGUMENT`, with the rule that is broken.
        """
        kind = self.update_policy
        mutable = bool(self.update_packages or self.update_sources)
        anything = bool(self.target_os_id or mutable or self.update_kernel_command)
        if kind is PolicyKind.UNSPECIFIED:
            _refuse("OS Update Policy type cannot be unspecified")
        if kind is PolicyKind.LATEST and anything:
            _refuse("With Policy LATEST, no fields should be set")
        if kind is PolicyKind.TARGET and self.target_os_id and mutable:
            _refuse("Fields for mutable and immutable OSes are mutually exclusive")
        if kind is PolicyKind.TARGET and not anything:
            _refuse("With Policy TARGET, at least one field must be set")
        if kind is PolicyKind.TARGET and self.rollout and not self.target_os_id:
            _refuse("rollout: only an immutable OS is rolled out in waves")


def _refuse(rule: str) -> None:
    raise OrchestratorError(Code.INVALID_ARGUMENT, rule)


@router.get("")
def list_policies(caller: Caller, wanted: WantedPart) -> PolicyList:
    """List the policies, in the order they were made unless told otherwise."""
    rows = select(Policy).where(Policy.project_uuid == caller.project_uuid)
    order = (Policy.created_s, Policy.id)
    with caller.reading() as session:
        found = part(session, wanted, rows, fields.POLICIES, order)
        return PolicyList(
            os_update_policies=[documents.policy(row) for row in found.items],
            total_elements=found.total,
            has_next=found.has_next,
        )


@router.post("")
def create_policy(caller: Caller, body: PolicyBody) -> OSUpdatePolicy:
    """Make a policy."""
    body.check()

    def change(session: Session) -> OSUpdatePolicy:
        target = caller.mine(session, OSResource, body.target_os_id) if body.target_os_id else None
        row = Policy(
            project_uuid=caller.project_uuid,
            name=body.name,
            description=body.description,
            kind=body.update_policy,
            target_os=target,
            update_packages=body.update_packages,
            update_sources=body.update_sources,
            update_kernel_command=body.update_kernel_command,
            rollout=body.rollout.stored() if body.rollout else {},
        )
        session.add(row)
        session.flush()
        return documents.policy(row)

    return caller.write(change)


@router.get("/{policy_id:id}")
def get_policy(caller: Caller, policy_id: RecordId) -> OSUpdatePolicy:
    """Read one policy."""
    with caller.reading() as session:
        return documents.policy(caller.mine(session, Policy, policy_id))


@router.delete("/{policy_id:id}")
def delete_policy(caller: Caller, policy_id: RecordId) -> Nothing:
    """Delete a policy that no instance and no update run refers to, with its rollouts."""

    def change(session: Session) -> Nothing:
        row = caller.mine(session, Policy, policy_id)
        refuse_used(session, row, Instance.policy_id, "an instance")
        refuse_used(session, row, UpdateRun.policy_id, "an update run")
        control.forget(session, row)
        session.delete(row)
        return Nothing()

    return caller.write(change)

# SPDX-License-Identifier: Apache-2.0
"""Instances over REST: read, link to an OS update policy, and let a failed image be tried again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Body as JsonBody
from pydantic import Field
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from orchestrator_stub import enrolment
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.maintenance import plan
from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.policies import check_fit
from orchestrator_stub.records import Instance, OSResource, Policy
from orchestrator_stub.rest import documents, fields, removal
from orchestrator_stub.rest.bodies import LINE, Body, FieldMask, Id, change_of, changed
from orchestrator_stub.rest.context import AUTHORISED, Caller
from orchestrator_stub.rest.documents import InstanceResource
from orchestrator_stub.rest.documents.base import Document, Nothing
from orchestrator_stub.rest.lists import ListDocument, WantedPart, part
from orchestrator_stub.rest.routing import PROJECT, RecordId, Router, unimplemented
from orchestrator_stub.rollouts import control
from orchestrator_stub.rollouts.quarantine import holding
from orchestrator_stub.vocabulary import HostState, Indication

router = Router(prefix=f"{PROJECT}/compute/instances", tags=["instances"])


class InstanceList(ListDocument):
    """A part of the instances."""

    instances: list[InstanceResource]


class Released(Document):
    """The file hashes that the node may try again."""

    released: list[str]


class InstanceBody(Body):
    """An instance as it may be changed; an empty `osUpdatePolicyID` takes the policy away.

    `hostID` and `osID` may be repeated, but are changed by enrolment and by updates only.
    """

    answer = InstanceResource

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=LINE)]
    kind: Literal["INSTANCE_KIND_METAL"] = "INSTANCE_KIND_METAL"
    policy_id: Annotated[Id, Field(alias="osUpdatePolicyID")] = ""
    host_id: Annotated[Id, Field(alias="hostID")] = ""
    os_id: Annotated[Id, Field(alias="osID")] = ""

    def write(self, caller: Caller, session: Session, row: Instance) -> InstanceResource:
        """Check the rules, and write the fields into an instance's record."""
        if self.host_id not in {"", row.host_id} or self.os_id not in {"", row.os_id}:
            raise OrchestratorError(
                Code.INVALID_ARGUMENT, "hostID and osID of an instance cannot be changed"
            )
        row.name = self.name
        if self.policy_id != (row.policy_id or ""):
            row.policy = _usable_policy(caller, session, row, self.policy_id)
        session.flush()
        return documents.instance(row)


@router.get("")
def list_instances(caller: Caller, wanted: WantedPart) -> InstanceList:
    """List the instances, by name unless told otherwise."""
    with caller.reading() as session:
        order = (Instance.name, Instance.id)
        found = part(session, wanted, _all(caller), fields.INSTANCES, order)
        return InstanceList(
            instances=[documents.instance(row) for row in found.items],
            total_elements=found.total,
            has_next=found.has_next,
        )


@router.post("", status_code=501, dependencies=AUTHORISED)
def create_instance() -> Nothing:
    """Enrolment makes the instance of a host: `puad-orchestrator enrol`."""
    raise unimplemented("enrolment makes the instance of a host: `puad-orchestrator enrol`")


@router.get("/{instance_id:id}")
def get_instance(caller: Caller, instance_id: RecordId) -> InstanceResource:
    """Read one instance."""
    with caller.reading() as session:
        return documents.instance(caller.mine(session, Instance, instance_id))


@router.put("/{instance_id:id}")
def replace_instance(caller: Caller, instance_id: RecordId, body: InstanceBody) -> InstanceResource:
    """Replace what can be changed of an instance."""

    def change(session: Session) -> InstanceResource:
        return body.write(caller, session, caller.mine(session, Instance, instance_id))

    return caller.write(change)


@router.patch("/{instance_id:id}", openapi_extra=change_of(InstanceBody))
def change_instance(
    caller: Caller,
    instance_id: RecordId,
    fields_sent: Annotated[dict[str, Any], JsonBody()],
    field_mask: FieldMask = "",
) -> InstanceResource:
    """Link an instance to an OS update policy, or rename it."""

    def change(session: Session) -> InstanceResource:
        row = caller.mine(session, Instance, instance_id)
        current = {"name": row.name, "osUpdatePolicyID": row.policy_id or ""}
        form = changed(InstanceBody, current, fields_sent, field_mask)
        return form.write(caller, session, row)

    return caller.write(change)


@router.delete("/{instance_id:id}")
def delete_instance(caller: Caller, instance_id: RecordId) -> Nothing:
    """Forget the OS of a host with its update runs, as before it is installed anew.

    The host stays, registered; its tokens are refused, and `enrol` gives it an instance again.
    """

    def change(session: Session) -> Nothing:
        row = caller.mine(session, Instance, instance_id)
        host = row.host
        removal.delete_instance(session, row)
        host.state = HostState.REGISTERED
        enrolment.refuse_tokens(host, caller.now_s())
        return Nothing()

    return caller.write(change)


@router.put("/{instance_id:id}/invalidate")
def invalidate_instance(caller: Caller, instance_id: RecordId) -> Nothing:
    """Trust the host of an instance no more: both present the same token."""

    def change(session: Session) -> Nothing:
        host = caller.mine(session, Instance, instance_id).host
        enrolment.invalidate(host, host.note, caller.now_s())
        return Nothing()

    return caller.write(change)


@router.post("/{instance_id:id}:retry")
def retry_instance(caller: Caller, instance_id: RecordId) -> Released:
    """Have the node try again what failed there: every image that it has in quarantine."""

    def change(session: Session) -> Released:
        row = caller.mine(session, Instance, instance_id)
        if row.quarantine:
            for file_hash in row.quarantine:
                control.release(session, row, file_hash)
        elif row.update_status_indicator is Indication.ERROR:
            _release_wanted(caller, session, row)
        else:
            raise OrchestratorError(
                Code.FAILED_PRECONDITION, f"the last update of {instance_id} has not failed"
            )
        return Released(released=row.released)

    return caller.write(change)


def _release_wanted(caller: Caller, session: Session, row: Instance) -> None:
    """Release the image of the policy: a node that tells no quarantine may have it there."""
    wanted = plan.wanted_os(row, OSResources(session, caller.project_uuid))
    if wanted is None:
        raise OrchestratorError(Code.FAILED_PRECONDITION, f"no policy wants an image on {row.id}")
    image = session.get_one(OSResource, wanted.id)
    if session.scalar(holding(image).where(Instance.id == row.id)) is not None:
        control.release(session, row, wanted.file_hash)
    else:
        row.released = sorted({*row.released, wanted.file_hash})
        session.flush()


def _all(caller: Caller) -> Select[Any]:
    return select(Instance).where(Instance.project_uuid == caller.project_uuid)


def _usable_policy(
    caller: Caller, session: Session, row: Instance, policy_id: str
) -> Policy | None:
    if not policy_id:
        return None
    policy = caller.mine(session, Policy, policy_id)
    check_fit(policy, row.profile_name)
    return policy

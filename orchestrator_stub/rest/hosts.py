# SPDX-License-Identifier: Apache-2.0
"""Hosts over REST: made, read, changed, trusted no more, deleted.

A host that is made here has no instance yet: `enrol` gives it one, and its node's token.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body as JsonBody
from fastapi import Query
from pydantic import Field
from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from orchestrator_stub import enrolment, names
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.maintenance import host_status
from orchestrator_stub.records import Host, Instance, Site
from orchestrator_stub.records.base import new_id
from orchestrator_stub.rest import documents, fields, removal
from orchestrator_stub.rest.bodies import LINE, Body, FieldMask, Id, change_of, changed
from orchestrator_stub.rest.context import Caller
from orchestrator_stub.rest.documents import HostResource
from orchestrator_stub.rest.documents.base import Document, Nothing
from orchestrator_stub.rest.filtering import narrowed
from orchestrator_stub.rest.lists import Filter, ListDocument, WantedPart, part
from orchestrator_stub.rest.routing import PROJECT, RecordId, Router
from orchestrator_stub.vocabulary import HostState, Indication

GUID = f"^{names.HOST_GUID}$"
HOST_NAME = f"^{names.HOST}$"
router = Router(prefix=f"{PROJECT}/compute/hosts", tags=["hosts"])

Note = Annotated[str, Query(max_length=512, pattern=LINE)]


class HostList(ListDocument):
    """A part of the hosts."""

    hosts: list[HostResource]


class HostSummary(Document):
    """How many hosts there are; one with an error is not counted as running."""

    total: int
    error: int
    running: int
    unallocated: int


class _HostFields(Body):
    name: Annotated[str, Field(pattern=HOST_NAME)]
    site_id: Id = ""
    note: Annotated[str, Field(max_length=512, pattern=LINE)] = ""


class HostBody(_HostFields):
    """A host as it may be changed."""

    answer = HostResource

    def write(self, caller: Caller, session: Session, row: Host) -> HostResource:
        """Write the fields into a host's record."""
        if row.name != self.name:
            _refuse_taken(caller, session, Host.name == self.name)
        row.name = self.name
        row.note = self.note
        row.site = caller.mine(session, Site, self.site_id) if self.site_id else None
        session.add(row)
        session.flush()
        return documents.host(row, caller.now_s())


class NewHostBody(_HostFields):
    """A host to make; its node reports with the `uuid`."""

    uuid: Annotated[str, Field(pattern=GUID)]


class HostRegister(Body):
    """A host to register; without a name it is called by its id."""

    name: Annotated[str, Field(pattern=rf"^$|{HOST_NAME}")] = ""
    uuid: Annotated[str, Field(pattern=GUID)]
    serial_number: Annotated[
        str, Field(max_length=0, description="Serial numbers are not kept here.")
    ] = ""
    auto_onboard: bool = False


class HostRegisterChange(Body):
    """What may be changed of a registered host."""

    name: Annotated[str, Field(pattern=rf"^$|{HOST_NAME}")] = ""
    auto_onboard: bool = False


@router.get("")
def list_hosts(caller: Caller, wanted: WantedPart) -> HostList:
    """List the hosts, by name unless told otherwise."""
    now_s = caller.now_s()
    with caller.reading() as session:
        found = part(session, wanted, _all(caller), fields.hosts(now_s), (Host.name, Host.id))
        return HostList(
            hosts=[documents.host(row, now_s) for row in found.items],
            total_elements=found.total,
            has_next=found.has_next,
        )


@router.post("")
def create_host(caller: Caller, body: NewHostBody) -> HostResource:
    """Make a host that is trusted; `enrol` gives it its instance and token."""

    def change(session: Session) -> HostResource:
        row = _new(caller, session, body.uuid, HostState.ONBOARDED)
        form = HostBody.model_validate(body.model_dump(by_alias=True, exclude={"uuid"}))
        return form.write(caller, session, row)

    return caller.write(change)


@router.get("/summary")
def get_hosts_summary(caller: Caller, filter: Filter = "") -> HostSummary:  # noqa: A002
    """Count the hosts, and those of them that run, have an error, or have no site."""
    now_s = caller.now_s()
    failed = (host_status.indicator_in_sql(now_s) == Indication.ERROR.value) | (
        func.coalesce(Instance.update_status_indicator, Indication.IDLE) == Indication.ERROR
    )
    runs = ~failed & (host_status.text_in_sql(now_s) == host_status.RUNNING.text)
    # the status has to do with the instance, which the filter may join already
    rows, _ = narrowed(_all(caller), "hostStatus", filter, fields.hosts(now_s))
    counted = rows.with_only_columns(
        func.count(),
        *(
            func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
            for condition in (failed, runs, Host.site_id.is_(None))
        ),
        maintain_column_froms=True,
    )
    with caller.reading() as session:
        total, error, running, unallocated = session.execute(counted).one()
    return HostSummary(total=total, error=error, running=running, unallocated=unallocated)


@router.post("/register")
def register_host(caller: Caller, body: HostRegister) -> HostResource:
    """Register a host; with `autoOnboard` it is trusted at once."""

    def change(session: Session) -> HostResource:
        state = HostState.ONBOARDED if body.auto_onboard else HostState.REGISTERED
        row = _new(caller, session, body.uuid, state)
        form = HostBody.model_validate({"name": body.name or row.id})
        return form.write(caller, session, row)

    return caller.write(change)


@router.get("/{host_id:id}")
def get_host(caller: Caller, host_id: RecordId) -> HostResource:
    """Read one host."""
    with caller.reading() as session:
        return documents.host(caller.mine(session, Host, host_id), caller.now_s())


@router.put("/{host_id:id}")
def replace_host(caller: Caller, host_id: RecordId, body: HostBody) -> HostResource:
    """Replace what can be changed of a host."""

    def change(session: Session) -> HostResource:
        caller.alone(session)
        return body.write(caller, session, caller.mine(session, Host, host_id))

    return caller.write(change)


@router.patch("/{host_id:id}", openapi_extra=change_of(HostBody))
def change_host(
    caller: Caller,
    host_id: RecordId,
    fields_sent: Annotated[dict[str, Any], JsonBody()],
    field_mask: FieldMask = "",
) -> HostResource:
    """Change some fields of a host."""

    def change(session: Session) -> HostResource:
        caller.alone(session)
        row = caller.mine(session, Host, host_id)
        current = {"name": row.name, "siteId": row.site_id or "", "note": row.note}
        return changed(HostBody, current, fields_sent, field_mask).write(caller, session, row)

    return caller.write(change)


@router.delete("/{host_id:id}")
def delete_host(caller: Caller, host_id: RecordId) -> Nothing:
    """Delete a host with its instance, update runs and schedules; its node is refused."""

    def change(session: Session) -> Nothing:
        removal.delete_host(session, caller.mine(session, Host, host_id))
        return Nothing()

    return caller.write(change)


@router.put("/{host_id:id}/invalidate")
def invalidate_host(caller: Caller, host_id: RecordId, note: Note = "") -> Nothing:
    """Trust a host no more: its node is refused, with every token made up to now."""

    def change(session: Session) -> Nothing:
        enrolment.invalidate(caller.mine(session, Host, host_id), note, caller.now_s())
        return Nothing()

    return caller.write(change)


@router.patch("/{host_id:id}/onboard")
def onboard_host(caller: Caller, host_id: RecordId) -> Nothing:
    """Trust a registered host; one that has been invalidated needs a new token (`enrol`)."""

    def change(session: Session) -> Nothing:
        _onboard(caller.mine(session, Host, host_id))
        return Nothing()

    return caller.write(change)


@router.patch("/{host_id:id}/register")
def change_host_registration(
    caller: Caller, host_id: RecordId, body: HostRegisterChange
) -> HostResource:
    """Rename a registered host, or trust it with `autoOnboard`."""

    def change(session: Session) -> HostResource:
        caller.alone(session)
        row = caller.mine(session, Host, host_id)
        if body.auto_onboard:
            _onboard(row)
        current = {"name": row.name, "siteId": row.site_id or "", "note": row.note}
        change = {"name": body.name} if body.name else {}
        return changed(HostBody, current, change).write(caller, session, row)

    return caller.write(change)


def _all(caller: Caller) -> Select[Any]:
    return select(Host).where(Host.project_uuid == caller.project_uuid)


def _new(caller: Caller, session: Session, guid: str, state: HostState) -> Host:
    caller.alone(session)
    _refuse_taken(caller, session, Host.uuid == guid.lower())
    row_id = new_id("host")()
    return Host(id=row_id, project_uuid=caller.project_uuid, uuid=guid.lower(), state=state)


def _onboard(row: Host) -> None:
    if row.state is HostState.UNTRUSTED:
        raise OrchestratorError(
            Code.FAILED_PRECONDITION,
            "the host has been invalidated: `enrol --renew` trusts it again, with a new token",
        )
    row.state = HostState.ONBOARDED


def _refuse_taken(caller: Caller, session: Session, same: Any) -> None:  # noqa: ANN401
    with session.no_autoflush:
        taken = session.scalars(_all(caller).where(same)).first()
    if taken is not None:
        raise OrchestratorError(Code.ALREADY_EXISTS, f"{taken.id} has that name or uuid already")

# SPDX-License-Identifier: Apache-2.0
"""Enrolment: it makes a host's records and the token that its node calls with; and its end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub import names
from orchestrator_stub.access import node_token
from orchestrator_stub.access.node_token import NodeIdentity
from orchestrator_stub.access.tokens import MOST_LIFETIME_S
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.records import Host, Instance, Project
from orchestrator_stub.vocabulary import HostState, InstanceState

_NAME: Final = re.compile(names.HOST)
_PROFILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}")
_GUID_HINT: Final = "Read it on the node in /sys/class/dmi/id/product_uuid."
_GUID: Final = re.compile(names.HOST_GUID)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host to enrol: its name, its node's GUID, OS profile and image id (empty when unknown)."""

    name: str
    guid: str
    profile: str
    image_id: str = ""

    def check(self) -> None:
        """Refuse what no later call could use.

        Raises:
            OrchestratorError: `INVALID_ARGUMENT`, naming what is wrong.
        """
        forms = (
            (self.name, _NAME, "the name is 1 to 63 letters, digits, dots, dashes, underscores"),
            (self.guid, _GUID, "the GUID is a UUID, 8-4-4-4-12 hex digits"),
            (self.profile, _PROFILE, "the profile is what IMAGE_ID in os-release says"),
            (self.image_id or "0", _PROFILE, "the image id is what IMAGE_VERSION says"),
        )
        for value, form, rule in forms:
            if not form.fullmatch(value):
                hint = _GUID_HINT if form is _GUID else ""
                raise OrchestratorError(Code.INVALID_ARGUMENT, f"{rule} ({value!r})", hint=hint)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An enrolled host and its node's token."""

    host_id: str
    instance_id: str
    guid: str
    os_id: str
    token: str
    expires_s: int


def enrol(session: Session, project: Project, candidate: Candidate) -> Host:
    """Make a host and its provisioned instance, or the instance of a host that has none yet.

    Raises:
        OrchestratorError: `ALREADY_EXISTS`, when that GUID or name is enrolled.
    """
    candidate.check()
    host = _host_to_be(session, project, candidate)
    resources = OSResources(session, project.uuid)
    runs = resources.with_image(candidate.profile, candidate.image_id)
    newer = resources.newer(candidate.profile, candidate.image_id)
    host.instance = Instance(
        project_uuid=project.uuid,
        name=f"{candidate.name}-instance",
        state=InstanceState.RUNNING,
        profile_name=candidate.profile,
        image_id=candidate.image_id,
        os_id=runs.id if runs else None,
        available_os_id=newer.id if newer else None,
    )
    session.add(host)
    session.flush()
    return host


def _host_to_be(session: Session, project: Project, candidate: Candidate) -> Host:
    """The host that was registered with that GUID, or a new one."""
    guid = candidate.guid.lower()
    host = Host(project_uuid=project.uuid, uuid=guid)
    hosts = select(Host).where(Host.project_uuid == project.uuid)
    for taken in session.scalars(hosts.where((Host.uuid == guid) | (Host.name == candidate.name))):
        if taken.uuid != guid or taken.instance is not None:
            raise OrchestratorError(
                Code.ALREADY_EXISTS,
                f"host {taken.name} ({taken.uuid}) is enrolled already",
                hint="`enrol --renew` prints a new token for it.",
            )
        host = taken
    host.name = candidate.name
    host.state = HostState.ONBOARDED
    return host


def renew(session: Session, project: Project, candidate: Candidate) -> Host:
    """An enrolled host, trusted again if it had been invalidated; its old tokens stay refused.

    Raises:
        OrchestratorError: `NOT_FOUND`, when that GUID is not enrolled; `INVALID_ARGUMENT`, when
            something else is recorded of it, because a renewal changes no record.
    """
    guid = candidate.guid.lower()
    host = session.scalars(
        select(Host).where(Host.project_uuid == project.uuid, Host.uuid == guid)
    ).first()
    if host is None or host.instance is None:
        raise OrchestratorError(
            Code.NOT_FOUND, f"no host {guid} is enrolled", hint="Leave out --renew."
        )
    _refuse_other_facts(host, host.instance, candidate)
    host.state = HostState.ONBOARDED
    return host


def invalidate(host: Host, note: str, now_s: int) -> None:
    """Trust a host no more; `note` says why."""
    host.state = HostState.UNTRUSTED
    host.note = note
    refuse_tokens(host, now_s)


def refuse_tokens(host: Host, now_s: int) -> None:
    """Refuse a host's node with every token that was made up to now."""
    host.tokens_valid_from_s = now_s + 1


def _refuse_other_facts(host: Host, instance: Instance, candidate: Candidate) -> None:
    facts = (
        ("name", host.name, candidate.name),
        ("profile", instance.profile_name, candidate.profile),
        ("image id", instance.image_id, candidate.image_id or instance.image_id),
    )
    other = [f"{what} {known or 'none yet'}" for what, known, given in facts if known != given]
    if other:
        raise OrchestratorError(
            Code.INVALID_ARGUMENT,
            f"host {host.uuid} is recorded with {', '.join(other)}",
            hint="`enrol --renew` changes only the token: repeat what is recorded.",
        )


def token_for(host: Host, key: str, now_s: int, lifetime_s: int) -> Enrolment:
    """A fresh token for an enrolled host.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`, when the lifetime is not usable.
    """
    if not 0 < lifetime_s <= MOST_LIFETIME_S:
        raise OrchestratorError(
            Code.INVALID_ARGUMENT, "a token lives for more than nothing and at most ten years"
        )
    if host.instance is None:
        raise OrchestratorError(Code.NOT_FOUND, f"host {host.uuid} has no instance")
    # right after an invalidation the clock has to pass the second that it refuses
    issued_s = max(now_s, host.tokens_valid_from_s)
    identity = NodeIdentity(host.uuid, host.project_uuid, issued_s)
    return Enrolment(
        host_id=host.id,
        instance_id=host.instance.id,
        guid=host.uuid,
        os_id=host.instance.os_id or "",
        token=node_token.issue(key, identity, lifetime_s),
        expires_s=issued_s + lifetime_s,
    )

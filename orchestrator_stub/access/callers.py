# SPDX-License-Identifier: Apache-2.0
"""Callers: an operator, a program with an API token, or whoever owns the data directory.

They differ in how they are known; from here on only what each may do in which project counts. A
project that a caller is not in does not exist for them: nobody can find out by asking what others
have. Reading needs the scope `read`, everything else `write`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import ApiToken, Operator, Project
from orchestrator_stub.vocabulary import Scope

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class CallerKind(StrEnum):
    """How a caller is known."""

    OPERATOR = "operator"
    TOKEN = "token"  # noqa: S105 - a word for it, not one
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who is known.

    Attributes:
        kind: How they are known.
        name: What the log calls them: an operator's name, a token's id, `api.token`.
        scopes: What they may do, by project UUID.
        everywhere: What they may do in every project; None for all but the owner.
    """

    kind: CallerKind
    name: str
    scopes: Mapping[str, Scope] = field(default_factory=lambda: MappingProxyType({}))
    everywhere: Scope | None = None

    def scope_in(self, project_uuid: str) -> Scope | None:
        """What they may do in a project; None when it does not exist for them."""
        return self.everywhere or self.scopes.get(project_uuid)

    def may(self, wanted: Scope, project_uuid: str) -> bool:
        """Whether they may do that in a project."""
        return self.scope_in(project_uuid) in {wanted, Scope.WRITE}


OWNER: Final = Caller(CallerKind.OWNER, "api.token", everywhere=Scope.WRITE)
"""Whoever reads api.token in the data directory, and so could change the database as well."""


def of_operator(operator: Operator) -> Caller:
    """The caller that an operator is."""
    scopes = {membership.project_uuid: membership.scope for membership in operator.memberships}
    return Caller(CallerKind.OPERATOR, operator.name, MappingProxyType(scopes))


def of_token(token: ApiToken) -> Caller:
    """The caller that presents an API token."""
    return Caller(CallerKind.TOKEN, token.id, MappingProxyType({token.project_uuid: token.scope}))


def scope_of(method: str) -> Scope:
    """What an HTTP method needs."""
    return Scope.READ if method.upper() in _READING else Scope.WRITE


def project_for(session: Session, caller: Caller, named: str, wanted: Scope) -> Project:
    """The project that a caller names, by UUID or name, when they may do that there.

    Raises:
        OrchestratorError: `NOT_FOUND`, also when they are not in it; `PERMISSION_DENIED`, when
            they may only read it.
    """
    project = session.scalars(
        select(Project).where(or_(Project.uuid == named.lower(), Project.name == named))
    ).first()
    if project is None or caller.scope_in(project.uuid) is None:
        raise OrchestratorError(Code.NOT_FOUND, "there is no such project")
    if not caller.may(wanted, project.uuid):
        raise OrchestratorError(
            Code.PERMISSION_DENIED, f"{caller.kind} {caller.name} may only read this project"
        )
    return project


def projects_of(session: Session, caller: Caller) -> list[Project]:
    """The projects that exist for a caller, by name."""
    projects = sorted(session.scalars(select(Project)), key=lambda project: project.name)
    return [project for project in projects if caller.scope_in(project.uuid) is not None]

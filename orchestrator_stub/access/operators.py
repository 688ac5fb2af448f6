# SPDX-License-Identifier: Apache-2.0
"""Operators: the people who log in, and the projects that each may read or change."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Membership, Operator, OperatorSession, Project
from orchestrator_stub.vocabulary import Scope

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


def spelt(name: str) -> str:
    """A name as it is stored: whoever logs in need not know how it was written."""
    return name.strip().lower()


def find(session: Session, name: str) -> Operator | None:
    """The operator of that name, however it is written."""
    return session.scalars(select(Operator).where(Operator.name == spelt(name))).first()


def get(session: Session, name: str) -> Operator:
    """The operator of that name.

    Raises:
        OrchestratorError: `NOT_FOUND`.
    """
    operator = find(session, name)
    if operator is None:
        raise OrchestratorError(
            Code.NOT_FOUND,
            f"there is no operator {name}",
            hint="`puad-orchestrator operator list` shows those that there are.",
        )
    return operator


def check_name(name: str) -> str:
    """A new operator's name as it is stored.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`, when it could not be told from another one.
    """
    if not _NAME.fullmatch(spelt(name)):
        raise OrchestratorError(
            Code.INVALID_ARGUMENT,
            f"an operator's name is 1 to 64 letters, digits, dots, dashes, @, + ({name!r})",
        )
    return spelt(name)


def add(session: Session, name: str, password_hash: str) -> Operator:
    """Make an operator, who is in no project yet.

    Raises:
        OrchestratorError: `ALREADY_EXISTS`, or `INVALID_ARGUMENT` for a name that is none.
    """
    if find(session, name) is not None:
        raise OrchestratorError(Code.ALREADY_EXISTS, f"there is an operator {spelt(name)} already")
    operator = Operator(name=check_name(name), password_hash=password_hash)
    session.add(operator)
    session.flush()
    return operator


def admit(session: Session, operator: Operator, project: Project, scope: Scope) -> bool:
    """Let an operator into a project, or change what they may do there; False: it is so already."""
    membership = session.get(Membership, (operator.id, project.uuid))
    if membership is None:
        operator.memberships.append(Membership(project_uuid=project.uuid, scope=scope))
        return True
    changed = membership.scope is not scope
    membership.scope = scope
    return changed


def dismiss(session: Session, operator: Operator, project: Project) -> None:
    """Let an operator out of a project.

    Raises:
        OrchestratorError: `NOT_FOUND`, when they are not in it.
    """
    membership = session.get(Membership, (operator.id, project.uuid))
    if membership is None:
        raise OrchestratorError(
            Code.NOT_FOUND, f"operator {operator.name} is not in project {project.name}"
        )
    operator.memberships.remove(membership)


def set_password(
    session: Session, operator: Operator, password_hash: str, *, kept: str = ""
) -> None:
    """Give an operator another password, and end what was opened with the old one.

    Args:
        session: Of the database.
        operator: Whose password it is.
        password_hash: What `Passwords.hash_of` has made of it.
        kept: The `token_hash` of the session that goes on, of whoever changes their own.
    """
    operator.password_hash = password_hash
    session.execute(
        delete(OperatorSession).where(
            OperatorSession.operator_id == operator.id, OperatorSession.token_hash != kept
        )
    )


def remove(session: Session, operator: Operator) -> None:
    """Forget an operator, and end their sessions."""
    session.execute(delete(OperatorSession).where(OperatorSession.operator_id == operator.id))
    session.delete(operator)

# SPDX-License-Identifier: Apache-2.0
"""API tokens: what programs present, each for one project, to read or to write.

A token is told once, when it is made; its SHA-256 is stored. It begins with `puad_`, so that one
that has got where it does not belong can be searched for.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from orchestrator_stub import names
from orchestrator_stub.access.secret import digest, new_secret
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import ApiToken, Project
from orchestrator_stub.vocabulary import Scope

PREFIX: Final = "puad_"
MOST_LIFETIME_S: Final = 10 * 366 * 86_400
_NAME: Final = re.compile(names.PROGRAM)


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that has just been made: its record's id, and the token itself, told only now."""

    token_id: str
    token: str = field(repr=False)
    expires_s: int


def issue(session: Session, project: Project, name: str, scope: Scope, until_s: int) -> Issued:
    """Make a token for a program.

    Args:
        session: Of the database.
        project: The only project that it opens.
        name: What the program is called, once in a project.
        scope: What it may do.
        until_s: When it ends, Unix time.

    Raises:
        OrchestratorError: `ALREADY_EXISTS`, or `INVALID_ARGUMENT` for a name that is none.
    """
    if not _NAME.fullmatch(name):
        raise OrchestratorError(
            Code.INVALID_ARGUMENT,
            f"a token's name is 1 to 64 letters, digits, dots, dashes, underscores ({name!r})",
        )
    mine = select(ApiToken).where(ApiToken.project_uuid == project.uuid, ApiToken.name == name)
    if session.scalars(mine).first() is not None:
        raise OrchestratorError(
            Code.ALREADY_EXISTS,
            f"project {project.name} has a token {name} already",
            hint="A token is told only once: revoke it, and make another one.",
        )
    token = new_secret(PREFIX)
    record = ApiToken(
        project_uuid=project.uuid,
        name=name,
        token_hash=digest(token),
        scope=scope,
        expires_s=until_s,
    )
    session.add(record)
    session.flush()
    return Issued(record.id, token, until_s)


def find(session: Session, presented: str) -> ApiToken | None:
    """The record of a token, whether it has expired or not."""
    if not presented.startswith(PREFIX):
        return None
    wanted = select(ApiToken).where(ApiToken.token_hash == digest(presented))
    return session.scalars(wanted).first()


def of_projects(session: Session, project_uuids: Collection[str]) -> list[tuple[str, str]]:
    """The tokens of some projects, each as its project's name and its own, in order."""
    wanted = select(ApiToken).where(ApiToken.project_uuid.in_(project_uuids))
    return sorted((token.project.name, token.name) for token in session.scalars(wanted))


def has_expired(token: ApiToken, now_s: int) -> bool:
    """Whether a token has come to its end."""
    return token.expires_s is not None and token.expires_s <= now_s


def revoke(session: Session, project: Project, name: str) -> str:
    """Forget a token, by its name or its record's id: the id that it had.

    Raises:
        OrchestratorError: `NOT_FOUND`.
    """
    mine = select(ApiToken).where(
        ApiToken.project_uuid == project.uuid, or_(ApiToken.name == name, ApiToken.id == name)
    )
    # a token may be named as another one's id is: the name goes first
    found = sorted(session.scalars(mine), key=lambda token: token.name != name)
    if not found:
        raise OrchestratorError(
            Code.NOT_FOUND,
            f"there is no token {name} in project {project.name}",
            hint="`puad-orchestrator token list` shows those that there are.",
        )
    session.execute(delete(ApiToken).where(ApiToken.id == found[0].id))
    return found[0].id

# SPDX-License-Identifier: Apache-2.0
"""What sites and regions share: a name of their own, and no end while they are used."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import QueryableAttribute, Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Region, Site


def refuse_taken(session: Session, row: Region | Site, name: str) -> None:
    """Let a place have only a name that no other of its kind in the project has.

    Raises:
        OrchestratorError: `ALREADY_EXISTS`.
    """
    table = type(row)
    twins = select(table.id).where(table.project_uuid == row.project_uuid, table.name == name)
    if row.name != name and session.scalars(twins).first() is not None:
        raise OrchestratorError(Code.ALREADY_EXISTS, "name: another one has it")


def refuse_used(
    session: Session, row: Region | Site, key: QueryableAttribute[Any], user: str
) -> None:
    """Let a place be deleted only when nothing refers to it.

    Raises:
        OrchestratorError: `FAILED_PRECONDITION`.
    """
    if session.scalar(select(func.count()).where(key == row.id)):
        raise OrchestratorError(
            Code.FAILED_PRECONDITION, f"{row.id} cannot be deleted: {user} refers to it"
        )

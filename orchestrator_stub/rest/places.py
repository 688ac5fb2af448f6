# SPDX-License-Identifier: Apache-2.0
"""What sites and regions share: a name of their own."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

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

# SPDX-License-Identifier: Apache-2.0
"""OS update policies, and what follows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Instance, Policy, UpdateRun, lock_project

MAX_OPTIONS: Final = 200


@dataclass(frozen=True, slots=True)
class PolicyOption:
    """A policy to choose."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class PolicyUse:
    """What keeps a policy from being deleted."""

    hosts: int = 0
    runs: int = 0


def options(session: Session, project_uuid: str) -> list[PolicyOption]:
    """The policies that a list offers, by name."""
    rows = session.execute(
        select(Policy.id, Policy.name)
        .where(Policy.project_uuid == project_uuid)
        .order_by(func.lower(Policy.name), Policy.id)
        .limit(MAX_OPTIONS)
    )
    return [PolicyOption(*row) for row in rows]


def usable(session: Session, project_uuid: str) -> list[Policy]:
    """The policies of a project, by name."""
    return list(
        session.scalars(
            select(Policy)
            .where(Policy.project_uuid == project_uuid)
            .order_by(func.lower(Policy.name), Policy.id)
            .limit(MAX_OPTIONS)
        )
    )


def check_name(session: Session, project_uuid: str, name: str) -> None:
    """Refuse a name that a policy has already: whoever chooses one sees nothing but names.

    Programs may make several of one name, as with the original.

    Raises:
        OrchestratorError: `ALREADY_EXISTS`.
    """
    # until the new one is there, nobody else may make it
    lock_project(session, project_uuid)
    same = select(Policy.id).where(Policy.project_uuid == project_uuid, Policy.name == name)
    if session.scalar(same.limit(1)):
        raise OrchestratorError(Code.ALREADY_EXISTS, f"Name: there is a policy {name} already")


def uses(session: Session, project_uuid: str) -> dict[str, PolicyUse]:
    """What keeps each policy of a project from being deleted."""
    counts: dict[str, dict[str, int]] = {}
    for name, table in (("hosts", Instance), ("runs", UpdateRun)):
        rows = session.execute(
            select(table.policy_id, func.count())
            .where(table.project_uuid == project_uuid, table.policy_id.is_not(None))
            .group_by(table.policy_id)
        )
        for policy_id, count in rows:
            counts.setdefault(str(policy_id), {})[name] = count
    return {policy_id: PolicyUse(**found) for policy_id, found in counts.items()}

# SPDX-License-Identifier: Apache-2.0
"""Locations: the rules for sites and regions, whoever changes them.

1. No two sites of a project have one name, and no two regions.
2. A region lies in at most one other, never within itself, and at most `MAX_DEPTH` deep.

The second is one over several records: whoever changes where a region lies holds the lock of the
project (`records.lock_project`).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Region, Site

MAX_DEPTH: Final = 16


def check_name(session: Session, row: Region | Site, name: str) -> None:
    """Refuse a name that another location of its kind has.

    Raises:
        OrchestratorError: `ALREADY_EXISTS`.
    """
    table = type(row)
    twins = select(table.id).where(table.project_uuid == row.project_uuid, table.name == name)
    if row.name != name and session.scalars(twins).first() is not None:
        noun = "site" if table is Site else "region"
        raise OrchestratorError(Code.ALREADY_EXISTS, f"there is a {noun} {name} already")


def check_parent(session: Session, region: Region, parent: Region) -> None:
    """Refuse a region within itself, or too deep within others.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`.
    """
    outer = around(parent)
    if region in outer:
        raise OrchestratorError(
            Code.INVALID_ARGUMENT, f"region {region.name} cannot lie within itself"
        )
    if len(outer) + _height(session, region) > MAX_DEPTH:
        raise OrchestratorError(
            Code.INVALID_ARGUMENT, f"regions are nested at most {MAX_DEPTH} deep"
        )


def around(region: Region | None) -> list[Region]:
    """A region and those around it, from the inside out."""
    found: list[Region] = []
    while region is not None and region not in found:
        found.append(region)
        region = region.parent
    return found


def _height(session: Session, region: Region) -> int:
    """How deep regions are nested from this one on, itself counted."""
    height, level = 0, [region.id]
    while level and height <= MAX_DEPTH:
        height += 1
        level = list(session.scalars(select(Region.id).where(Region.parent_id.in_(level))))
    return height

# SPDX-License-Identifier: Apache-2.0
"""Lists: pages of records, filtered and ordered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query
from pydantic import StringConstraints
from sqlalchemy import ColumnElement, Select, func
from sqlalchemy.orm import Session

from orchestrator_stub.records import Base
from orchestrator_stub.rest.documents.base import Document
from orchestrator_stub.rest.filtering import MAX_CHARS, Fields, narrowed

DEFAULT_PAGE_SIZE: Final = 20
MAX_PAGE_SIZE: Final = 100
MAX_OFFSET: Final = 1_000_000

Row = TypeVar("Row", bound=Base)
_Item = TypeVar("_Item")

Filter = Annotated[
    str,
    Query(
        max_length=MAX_CHARS,
        description="AIP-160: comparisons of fields, joined by AND, OR, NOT and parentheses.",
    ),
]
OrderBy = Annotated[
    str,
    Query(
        alias="orderBy",
        max_length=MAX_CHARS,
        description="AIP-132: fields by commas, each with desc if it is to sink.",
    ),
]


class ListDocument(Document):
    """What every list says beside its records."""

    total_elements: int
    has_next: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a list is wanted."""

    size: int
    offset: int
    filter: str = ""
    order_by: str = ""


def _wanted(
    page_size: Annotated[int, Query(alias="pageSize", ge=1, le=MAX_PAGE_SIZE)] = DEFAULT_PAGE_SIZE,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
    filter: Filter = "",  # noqa: A002 - the parameter's name
    order_by: OrderBy = "",
) -> Wanted:
    return Wanted(page_size, offset, filter, order_by)


WantedPart = Annotated[Wanted, Depends(_wanted)]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a list, and how much there is."""

    items: list[Any]
    total: int
    has_next: bool


def part(
    session: Session,
    wanted: Wanted,
    rows: Select[Any],
    fields: Fields,
    default_order: Sequence[Any],
) -> Part:
    """The records that are wanted.

    Args:
        session: Of the database.
        wanted: Page, filter and order.
        rows: All records.
        fields: What they may be filtered and ordered by.
        default_order: Their order when none is wanted; its last says which of equals comes first.
    """
    rows, orders = narrowed(rows, wanted.order_by, wanted.filter, fields)
    counted = rows.with_only_columns(func.count(), maintain_column_froms=True)
    total = session.scalar(counted) or 0
    ordered: list[ColumnElement[Any]] = [*orders, *default_order]
    page = rows.order_by(*ordered).limit(wanted.size).offset(wanted.offset)
    items = list(session.scalars(page).unique())
    return Part(items, total, wanted.offset + len(items) < total)


def everything(
    session: Session,
    wanted: Wanted,
    rows: Select[Any],
    fields: Fields,
    default_order: Sequence[Any],
) -> list[Any]:
    """The same records on one page, for what SQL cannot tell apart."""
    rows, orders = narrowed(rows, wanted.order_by, wanted.filter, fields)
    return list(session.scalars(rows.order_by(*orders, *default_order)).unique())


def sliced(items: Sequence[_Item], wanted: Wanted) -> Part:
    """The part that is wanted of what has been read already."""
    end = wanted.offset + wanted.size
    return Part(list(items[wanted.offset : end]), len(items), end < len(items))


IdFilter = Annotated[str, StringConstraints(max_length=64, pattern=r"^([a-z]+-[0-9a-f]{8})?$")]
"""The id of another record, of which a list has what belongs to it."""

# SPDX-License-Identifier: Apache-2.0
"""A list's `filter` and `orderBy`, put into its SELECT."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Select, type_coerce
from sqlalchemy import Text as SqlText
from sqlalchemy.orm import QueryableAttribute

from orchestrator_stub.rest.filtering.conditions import condition, names
from orchestrator_stub.rest.filtering.expressions import Name, QueryError
from orchestrator_stub.rest.filtering.fields import Field, Fields, Reference, Text, Words, find
from orchestrator_stub.rest.filtering.parser import MAX_CHARS, parse
from orchestrator_stub.rest.filtering.parser import PARAMETER as FILTER
from orchestrator_stub.rest.filtering.portable import by_code_points

ORDER_BY: Final = "orderBy"
MAX_ORDERS: Final = 8
_ORDER: Final = re.compile(r"\s*([A-Za-z0-9_.]+)(?:\s+(asc|desc))?\s*")

Row = TypeVar("Row")


def narrowed(
    rows: Select[Row], order_by: str, filter_: str, fields: Fields
) -> tuple[Select[Row], list[ColumnElement[Any]]]:
    """A list with its filter, and the order that is wanted; empty texts want nothing.

    Raises:
        QueryError: When one of them cannot be followed.
    """
    used: list[Field] = []
    if filter_.strip():
        expression = parse(filter_)
        rows = rows.where(condition(expression, fields))
        used += [find(FILTER, fields, name) for name in names(expression)]
    orders = []
    for name, descending in _orders(order_by):
        field = find(ORDER_BY, fields, name)
        used.append(field)
        orders.append(_order(field, name, descending=descending))
    for join in _joins(used):
        rows = rows.outerjoin(join)
    return rows, orders


def _orders(text: str) -> Iterable[tuple[Name, bool]]:
    if not text.strip():
        return
    if len(text) > MAX_CHARS:
        raise QueryError(ORDER_BY, MAX_CHARS + 1, f"it has more than {MAX_CHARS} characters")
    at = 1
    for number, part in enumerate(text.split(",")):
        found = _ORDER.fullmatch(part)
        if found is None:
            raise QueryError(ORDER_BY, at, "expected a field, and then maybe desc")
        if number == MAX_ORDERS:
            raise QueryError(ORDER_BY, at, f"it has more than {MAX_ORDERS} fields")
        yield Name(found[1], at + found.start(1)), found[2] == "desc"
        at += len(part) + 1


def _order(field: Field, name: Name, *, descending: bool) -> ColumnElement[Any]:
    match field.kind:
        case Reference():
            raise QueryError(ORDER_BY, name.at, "a reference has no order; use one of its fields")
        case Text() | Words():
            value = by_code_points(type_coerce(field.column, SqlText()))
        case _:
            value = type_coerce(field.column, field.column.type)
    return value.desc().nulls_last() if descending else value.asc().nulls_first()


def _joins(used: Iterable[Field]) -> list[QueryableAttribute[Any]]:
    joins: list[QueryableAttribute[Any]] = []
    for field in used:
        joins += [join for join in field.joins if not any(join is known for known in joins)]
    return joins

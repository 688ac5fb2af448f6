# SPDX-License-Identifier: Apache-2.0
"""What a list may be filtered and ordered by: a white list of fields, each of a kind."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement
from sqlalchemy.orm import QueryableAttribute

from orchestrator_stub.rest.filtering.expressions import Name, QueryError


@dataclass(frozen=True, slots=True)
class Text:
    """Any text."""


@dataclass(frozen=True, slots=True)
class Words:
    """One word of a vocabulary; the original's words that are not used here are known as well."""

    known: frozenset[str]


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number; times in Unix seconds are numbers."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time that the API shows as RFC 3339, and the records keep as Unix seconds."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Another record, of which only the presence can be asked."""


Kind = Text | Words | Number | Moment | Reference
TEXT: Final = Text()
NUMBER: Final = Number()
MOMENT: Final = Moment()
REFERENCE: Final = Reference()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a list's records.

    Attributes:
        kind: What it can be compared with.
        column: Its value in SQL.
        joins: The relationships that lead to the column's table, each to be joined once.
    """

    kind: Kind
    column: ColumnElement[Any] | QueryableAttribute[Any]
    joins: tuple[QueryableAttribute[Any], ...] = ()


Fields = Mapping[str, Field]


def find(parameter: str, fields: Fields, name: Name) -> Field:
    """The field of that name.

    Raises:
        QueryError: When the white list does not have it.
    """
    if name.text not in fields:
        near = difflib.get_close_matches(name.text, fields, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise QueryError(parameter, name.at, f"there is no such field{hint}")
    return fields[name.text]

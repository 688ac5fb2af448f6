# SPDX-License-Identifier: Apache-2.0
"""Conditions on text that mean the same on SQLite and PostgreSQL.

Left alone, they differ: SQLite's LIKE takes no heed of case, and PostgreSQL orders text by the
database's locale. Here case counts, and order is that of code points.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_GLOB = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})
_LIKE = str.maketrans({"%": "~%", "_": "~_", "~": "~~"})


class _Matches(FunctionElement[bool]):
    """A text matches a pattern, written as GLOB has it and as LIKE has it."""

    type = Boolean()
    inherit_cache = True


class _ByCodePoints(FunctionElement[str]):
    """A text that is compared and ordered by its code points."""

    type = Text()
    inherit_cache = True


def matches(column: ColumnElement[Any], parts: tuple[str, ...]) -> ColumnElement[bool]:
    """Whether a text consists of these parts with any runs between them."""
    glob = "*".join(part.translate(_GLOB) for part in parts)
    like = "%".join(part.translate(_LIKE) for part in parts)
    return _Matches(column, literal(glob, Text()), literal(like, Text()))


def by_code_points(column: ColumnElement[Any]) -> ColumnElement[str]:
    """A text as it is ordered everywhere."""
    return _ByCodePoints(column)


@compiles(_Matches)
def _like(element: _Matches, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401
    column, _, like = (compiler.process(part, **kw) for part in element.clauses)
    return f"{column} LIKE {like} ESCAPE '~'"


@compiles(_Matches, "sqlite")
def _glob(element: _Matches, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401
    column, glob, _ = (compiler.process(part, **kw) for part in element.clauses)
    return f"{column} GLOB {glob}"


@compiles(_ByCodePoints)
def _collated(element: _ByCodePoints, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401
    return f'{compiler.process(element.clauses, **kw)} COLLATE "C"'


@compiles(_ByCodePoints, "sqlite")
def _plain(element: _ByCodePoints, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401
    return f"{compiler.process(element.clauses, **kw)} COLLATE BINARY"

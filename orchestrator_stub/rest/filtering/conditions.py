# SPDX-License-Identifier: Apache-2.0
"""A filter's tree as one condition of SQL, over a white list of fields.

Each comparison is either true or false, never NULL: what is not there equals nothing, and `NOT` is
the exact opposite.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, assert_never

from sqlalchemy import ColumnElement, and_, literal, not_, or_, type_coerce
from sqlalchemy import Text as SqlText

from orchestrator_stub.rest.filtering.expressions import (
    Comparison,
    Conjunction,
    Disjunction,
    Expression,
    Name,
    Negation,
    Operator,
    Presence,
    QueryError,
    Value,
)
from orchestrator_stub.rest.filtering.fields import (
    Field,
    Fields,
    Moment,
    Number,
    Reference,
    Text,
    Words,
    find,
)
from orchestrator_stub.rest.filtering.parser import PARAMETER
from orchestrator_stub.rest.filtering.portable import by_code_points, matches

_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_COMPARE: Final[dict[Operator, Callable[[Any, Any], ColumnElement[bool]]]] = {
    Operator.EQUAL: lambda a, b: a == b,
    Operator.HAS: lambda a, b: a == b,
    Operator.UNEQUAL: lambda a, b: a == b,  # and then negated, with what is not there
    Operator.LESS: lambda a, b: a < b,
    Operator.LESS_OR_EQUAL: lambda a, b: a <= b,
    Operator.GREATER: lambda a, b: a > b,
    Operator.GREATER_OR_EQUAL: lambda a, b: a >= b,
}
_SAME: Final = frozenset({Operator.EQUAL, Operator.UNEQUAL, Operator.HAS})


def condition(expression: Expression, fields: Fields) -> ColumnElement[bool]:
    """The condition that a filter is.

    Raises:
        QueryError: When it names a field that is not on the list, or compares it with what it
            cannot be.
    """
    match expression:
        case Conjunction(parts):
            return and_(*(condition(part, fields) for part in parts))
        case Disjunction(parts):
            return or_(*(condition(part, fields) for part in parts))
        case Negation(part):
            return not_(condition(part, fields))
        case Presence(name):
            return _is_there(find(PARAMETER, fields, name))
        case Comparison(name, operator, value):
            field = find(PARAMETER, fields, name)
            if operator is Operator.HAS and value.is_anything:
                return _is_there(field)
            holds = and_(field.column.is_not(None), _compared(field, name, operator, value))
            return not_(holds) if operator is Operator.UNEQUAL else holds
        case _:
            assert_never(expression)


def names(expression: Expression) -> list[Name]:
    """Every field that a filter names."""
    match expression:
        case Conjunction(parts) | Disjunction(parts):
            return [name for part in parts for name in names(part)]
        case Negation(part):
            return names(part)
        case Presence(name) | Comparison(name):
            return [name]
        case _:
            assert_never(expression)


def _is_there(field: Field) -> ColumnElement[bool]:
    there = field.column.is_not(None)
    match field.kind:
        case Text():
            return and_(there, type_coerce(field.column, SqlText()) != "")
        case Number() | Moment():
            return and_(there, field.column != 0)
        case Words() | Reference():
            return there


def _compared(field: Field, name: Name, operator: Operator, value: Value) -> ColumnElement[bool]:
    match field.kind:
        case Text():
            return _compared_text(type_coerce(field.column, SqlText()), operator, value)
        case Words(known):
            _only(operator, _SAME, name)
            word = _literal(value)
            if word not in known:
                raise _refusal(value, f"{name.text} is one of {', '.join(sorted(known))}")
            return type_coerce(field.column, SqlText()) == word
        case Number():
            return _COMPARE[operator](field.column, _number(value))
        case Moment():
            return _COMPARE[operator](field.column, _moment(value))
        case Reference():
            raise QueryError(
                PARAMETER, name.at, f"only has({name.text}) can be asked, or one of its fields"
            )


def _compared_text(
    column: ColumnElement[str], operator: Operator, value: Value
) -> ColumnElement[bool]:
    if operator is Operator.HAS:
        return matches(column, ("", *value.parts, ""))
    if operator in _SAME:
        return matches(column, value.parts) if value.is_pattern else column == value.parts[0]
    return _COMPARE[operator](by_code_points(column), literal(_literal(value), SqlText()))


def _only(operator: Operator, allowed: frozenset[Operator], name: Name) -> None:
    if operator not in allowed:
        raise QueryError(PARAMETER, name.at, f"{name.text} has no order: use = or !=")


def _literal(value: Value) -> str:
    if value.is_pattern:
        raise _refusal(value, "a wildcard works with = != : of a text only")
    return value.parts[0]


def _number(value: Value) -> int:
    text = _literal(value)
    if not _INTEGER.fullmatch(text):
        raise _refusal(value, "this field is a whole number")
    return int(text)


def _moment(value: Value) -> int:
    text = _literal(value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _refusal(value, 'this field is a time such as "2026-01-31T12:00:00Z"') from error
    if moment.tzinfo is None or moment.microsecond:
        raise _refusal(value, "a time has its zone and whole seconds")
    return int(moment.timestamp())


def _refusal(value: Value, what: str) -> QueryError:
    return QueryError(PARAMETER, value.at, what)

# SPDX-License-Identifier: Apache-2.0
"""The text of a filter, read into its tree. Pure.

Length, depth and wildcards are bounded, so that no filter costs much, whatever it says. The tree
grows from its leaves while the parser reads; nothing here recurses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.visitors import v_args

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

MAX_CHARS: Final = 1000
MAX_DEPTH: Final = 12
MAX_WILDCARDS: Final = 8
PARAMETER: Final = "filter"

_GRAMMAR: Final = r"""
    ?start: conjunction
    ?conjunction: disjunction ("AND" disjunction)*
    ?disjunction: term ("OR" term)*
    ?term: "NOT" term -> negation
        | "(" conjunction ")"
        | WORD OPERATOR (WORD | STRING) -> comparison
        | "has" "(" WORD ")" -> presence
    OPERATOR: "!=" | "<=" | ">=" | "=" | "<" | ">" | ":"
    STRING: /"(\\.|[^"\\])*"/s | /'(\\.|[^'\\])*'/s
    WORD: /[^\s()<>=!:"',\\]+/
    %ignore /\s+/
"""
_WORDS: Final = {
    "WORD": "a word",
    "STRING": "a string in quotes",
    "OPERATOR": "one of = != < <= > >= :",
    "LPAR": "(",
    "RPAR": ")",
    "$END": "the end",
}
_ESCAPED: Final = re.compile(r"\\(.)|(\*)", re.DOTALL)


def parse(text: str) -> Expression:
    """Read a filter.

    Raises:
        QueryError: When it is too long, too deep, or not of the language.
    """
    if len(text) > MAX_CHARS:
        raise QueryError(PARAMETER, MAX_CHARS + 1, f"it has more than {MAX_CHARS} characters")
    if "\0" in text:
        raise QueryError(PARAMETER, text.index("\0") + 1, "a NUL is part of no value")
    try:
        return cast("_Part", _PARSER.parse(text)).expression
    except UnexpectedInput as error:
        raise _refusal(text, error) from error


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the tree and how deep it is."""

    expression: Expression
    depth: int
    at: int


@v_args(inline=True)
class _Builder(Transformer[Token, _Part]):
    """Makes each part of the tree when the parser has read it."""

    def comparison(self, field: Token, operator: Token, value: Token) -> _Part:
        return _Part(
            Comparison(_name(field), Operator(operator), _value(value)), 1, _name(field).at
        )

    def presence(self, field: Token) -> _Part:
        return _Part(Presence(_name(field)), 1, _name(field).at)

    def negation(self, part: _Part) -> _Part:
        return _deeper(Negation(part.expression), part)

    def conjunction(self, *parts: _Part) -> _Part:
        return _deeper(Conjunction(tuple(part.expression for part in parts)), *parts)

    def disjunction(self, *parts: _Part) -> _Part:
        return _deeper(Disjunction(tuple(part.expression for part in parts)), *parts)


_PARSER: Final = Lark(_GRAMMAR, parser="lalr", transformer=_Builder())


def _deeper(expression: Expression, *parts: _Part) -> _Part:
    depth, at = max(part.depth for part in parts) + 1, parts[0].at
    if depth > MAX_DEPTH:
        raise QueryError(PARAMETER, at, f"it is nested more than {MAX_DEPTH} deep")
    return _Part(expression, depth, at)


def _name(token: Token) -> Name:
    return Name(str(token), _at(token))


def _value(token: Token) -> Value:
    text = str(token)
    if token.type == "STRING":
        text = text[1:-1]
    parts, start, current = [], 0, ""
    for found in _ESCAPED.finditer(text):
        current += text[start : found.start()] + (found[1] or "")
        start = found.end()
        if found[2]:
            parts.append(current)
            current = ""
    parts.append(current + text[start:])
    if len(parts) > MAX_WILDCARDS + 1:
        raise QueryError(PARAMETER, _at(token), f"it has more than {MAX_WILDCARDS} wildcards")
    return Value(tuple(parts), _at(token))


def _at(token: Token) -> int:
    return (token.start_pos or 0) + 1


def _refusal(text: str, error: UnexpectedInput) -> QueryError:
    wanted: set[str] = set()
    at = len(text) + 1
    if isinstance(error, UnexpectedToken):
        wanted = set(error.accepts or error.expected)
        if error.token.type != "$END":
            at = _at(error.token)
    elif isinstance(error, UnexpectedCharacters):
        wanted = set(error.allowed or ())
        at = (error.pos_in_stream or 0) + 1
    # what is ignored is never wanted
    words = sorted(_WORDS.get(name, name) for name in wanted if not name.startswith("__"))
    return QueryError(PARAMETER, at, f"expected {', '.join(words) or 'something else'}")

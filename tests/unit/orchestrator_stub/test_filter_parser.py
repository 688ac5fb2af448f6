# SPDX-License-Identifier: Apache-2.0
"""The language of filters: what is read, and what is refused where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_stub.errors import Code
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
from orchestrator_stub.rest.filtering.parser import MAX_CHARS, MAX_DEPTH, MAX_WILDCARDS, parse


def equal(field: str, text: str, at: int = 1) -> Comparison:
    return Comparison(Name(field, at), Operator.EQUAL, Value((text,), at + len(field) + 1))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a=1", equal("a", "1")),
        ("((a=1))", equal("a", "1", 3)),
        ("a=1 AND b=2", Conjunction((equal("a", "1"), equal("b", "2", 9)))),
        (
            "a=1 AND b=2 OR c=3",
            Conjunction((equal("a", "1"), Disjunction((equal("b", "2", 9), equal("c", "3", 16))))),
        ),
        ("NOT a=1", Negation(equal("a", "1", 5))),
        ("has(a.b)", Presence(Name("a.b", 5))),
        ("ANDROID=NOTHING", equal("ANDROID", "NOTHING")),
    ],
)
def test_filter_is_read_as_aip_160_has_it(text: str, tree: Expression) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a=x*y", ("x", "y")),
        ("a=*", ("", "")),
        ('a="x y"', ("x y",)),
        ("a='say \"so\"'", ('say "so"',)),
        (r'a="\*\"\\"', (r'*"' + "\\",)),
        (r'a="\**"', ("*", "")),
        ('a="AND"', ("AND",)),
        ('a=""', ("",)),
        ('a="x\ny"', ("x\ny",)),
    ],
)
def test_value_is_text_between_wildcards(text: str, parts: tuple[str, ...]) -> None:
    tree = parse(text)
    assert isinstance(tree, Comparison)
    assert tree.value.parts == parts


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("", 1, "a word"),
        ("a", 2, "one of = !="),
        ("a=", 3, "a word"),
        ("a=1 b=2", 5, "AND, OR, the end"),
        ("a=1)", 4, "the end"),
        ("(a=1", 5, ")"),
        ("a=1 AND", 8, "NOT"),
        ("a==1", 3, "a word"),
        ('a="1', 3, "a string in quotes"),
        ("a,b=1", 2, "one of = !="),
        ("a=1 and b=2", 5, "AND"),
        ("has(a", 6, ")"),
        ("a=1\0", 4, "NUL"),
        (f"a={'x' * MAX_CHARS}", MAX_CHARS + 1, "more than"),
        (f"{'NOT ' * MAX_DEPTH}a=1", 4 * MAX_DEPTH + 1, "deep"),
        (f"a={'*' * (MAX_WILDCARDS + 1)}", 3, "wildcards"),
    ],
)
def test_what_is_no_filter_is_refused_and_says_where(text: str, at: int, words: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.at == at
    assert f"filter, character {at}: " in str(caught.value)
    assert words in str(caught.value)


def test_parentheses_cost_nothing_however_many_there_are() -> None:
    depth = (MAX_CHARS - 3) // 2
    assert isinstance(parse("(" * depth + "a=1" + ")" * depth), Comparison)


def fails_at(text: str) -> int:
    """Where a text is refused; 1 when it is a filter."""
    try:
        parse(text)
    except QueryError as error:
        return error.at
    return 1


@given(st.text(max_size=MAX_CHARS + 5))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert 1 <= fails_at(text) <= len(text) + 1

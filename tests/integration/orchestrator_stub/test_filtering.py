# SPDX-License-Identifier: Apache-2.0
"""Filters and orders in the database, against an evaluator that goes record by record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, String, Text, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from orchestrator_stub.database import Database
from orchestrator_stub.rest.filtering import (
    MOMENT,
    NUMBER,
    REFERENCE,
    TEXT,
    Field,
    QueryError,
    Words,
    narrowed,
)

# signs that LIKE, GLOB or the language itself take for something else, and letters of two cases
ALPHABET: Final = "aAbBzZ09-_%*?[]^~\\\"' .é\u00c9ß€\U0001f600\n"
WORDS: Final = ("STATE_ONE", "STATE_TWO")
MANY: Final = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Base(DeclarativeBase):
    """Apart from the orchestrator's own records."""


class Thing(Base):
    __tablename__ = "filtered_thing"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    text: Mapped[str | None] = mapped_column(Text)
    word: Mapped[str | None] = mapped_column(String(40))
    number: Mapped[int | None] = mapped_column(BigInteger)
    moment: Mapped[int] = mapped_column(BigInteger)
    other: Mapped[str | None] = mapped_column(String(40))


FIELDS: Final = {
    "text": Field(TEXT, Thing.text),
    "word": Field(Words(frozenset(WORDS)), Thing.word),
    "number": Field(NUMBER, Thing.number),
    "moment": Field(MOMENT, Thing.moment),
    "other": Field(REFERENCE, Thing.other),
    "other.id": Field(TEXT, Thing.other),
}
COLUMNS: Final = {"other.id": "other"}

Record = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A filter as text, and whether it holds for a record."""

    text: str
    holds: Callable[[Record], bool]


texts = st.text(ALPHABET, max_size=4)
numbers = st.integers(-3, 3) | st.integers(-(10**15), 10**15)
moments = st.integers(0, 4_000_000_000)
records = st.fixed_dictionaries(
    {
        "text": st.none() | texts,
        "word": st.none() | st.sampled_from(WORDS),
        "number": st.none() | numbers,
        "moment": moments,
        "other": st.none() | st.sampled_from(["x-1", "X-1", "y"]),
    }
)


def quoted(text: str) -> str:
    return '"' + re.sub(r'([\\"*])', r"\\\1", text) + '"'


def bare(text: str) -> bool:
    """Whether a text needs no quotes."""
    keyword = text in {"AND", "OR", "NOT"}
    return bool(re.fullmatch(r"[^\s()<>=!:\"',\\*]+", text)) and not keyword


def is_like(text: str, parts: list[str]) -> bool:
    pattern = ".*".join(re.escape(part) for part in parts)
    return re.fullmatch(pattern, text, re.DOTALL) is not None


ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
}


@st.composite
def text_comparisons(draw: st.DrawFn) -> Case:
    field = draw(st.sampled_from(["text", "other.id"]))
    operator = draw(st.sampled_from([*ORDERS, "!=", ":"]))
    wild = operator in {"=", "!=", ":"}
    parts = draw(st.lists(texts, min_size=1, max_size=3 if wild else 1))
    value = '"' + "*".join(quoted(part)[1:-1] for part in parts) + '"'
    if len(parts) == 1 and bare(parts[0]) and draw(st.booleans()):
        value = parts[0]
    anything = operator == ":" and parts == ["", ""]
    column = COLUMNS.get(field, field)

    def holds(record: Record) -> bool:
        known = record[column]
        if anything:
            return bool(known)
        if operator == ":":
            return known is not None and is_like(known, ["", *parts, ""])
        same = known is not None and is_like(known, parts)
        if operator in {"=", "!="}:
            return same == (operator == "=")
        return known is not None and ORDERS[operator](known, parts[0])

    return Case(f"{field} {operator} {value}", holds)


@st.composite
def other_comparisons(draw: st.DrawFn) -> Case:
    field = draw(st.sampled_from(["word", "number", "moment"]))
    operator = draw(st.sampled_from(["=", "!=", ":"] if field == "word" else [*ORDERS, "!=", ":"]))
    if field == "word":
        wanted: Any = draw(st.sampled_from(WORDS))
        value = wanted
    elif field == "number":
        wanted = draw(numbers)
        value = str(wanted)
    else:
        wanted = draw(moments)
        value = quoted(datetime.fromtimestamp(wanted, UTC).isoformat())

    def holds(record: Record) -> bool:
        known = record[field]
        if operator == "!=":
            return bool(known != wanted)
        return known is not None and ORDERS["=" if operator == ":" else operator](known, wanted)

    return Case(f"{field}{operator}{value}", holds)


@st.composite
def presences(draw: st.DrawFn) -> Case:
    field = draw(st.sampled_from(list(FIELDS)))
    column = COLUMNS.get(field, field)
    return Case(
        draw(st.sampled_from([f"has({field})", f"{field}:*"])),
        lambda record: bool(record[column]),
    )


def composites(parts: st.SearchStrategy[Case]) -> st.SearchStrategy[Case]:
    some = st.lists(parts, min_size=2, max_size=3)
    return (
        st.builds(lambda p: Case(f"NOT ({p.text})", lambda r: not p.holds(r)), parts)
        | st.builds(
            lambda ps: Case(
                " AND ".join(f"({p.text})" for p in ps), lambda r: all(p.holds(r) for p in ps)
            ),
            some,
        )
        | st.builds(
            lambda ps: Case(
                " OR ".join(f"({p.text})" for p in ps), lambda r: any(p.holds(r) for p in ps)
            ),
            some,
        )
    )


filters = st.recursive(
    text_comparisons() | other_comparisons() | presences(), composites, max_leaves=6
).filter(lambda case: len(case.text) <= 1000)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database in which things can be."""
    with closing(Database(database_url)) as opened:
        Base.metadata.create_all(opened._engines.writer)
        yield opened


def listed(
    database: Database, rows: list[Record], filter_: str = "", order_by: str = ""
) -> list[int]:
    """Which of the rows a list has, by their place, when the table holds these rows only."""
    with database._engines.writer.connect() as connection:
        for n, row in enumerate(rows):
            connection.execute(insert(Thing).values(id=n, **row))
        wanted, orders = narrowed(select(Thing.id), order_by, filter_, FIELDS)
        found = connection.execute(wanted.order_by(*orders, Thing.id)).scalars().all()
        connection.rollback()
    return list(found)


@given(rows=st.lists(records, min_size=1, max_size=12), case=filters)
@MANY
@example(
    rows=[{"text": None, "word": None, "number": None, "moment": 0, "other": None}],
    case=Case("NOT text=a AND number!=1", lambda _: True),
)
def test_filter_finds_what_the_evaluator_finds(
    database: Database, rows: list[Record], case: Case
) -> None:
    expected = [n for n, row in enumerate(rows) if case.holds(row)]
    assert listed(database, rows, case.text) == expected


@given(
    rows=st.lists(records, min_size=1, max_size=12),
    orders=st.lists(
        st.tuples(st.sampled_from(["text", "word", "number", "moment", "other.id"]), st.booleans()),
        min_size=1,
        max_size=3,
    ),
)
@MANY
def test_order_is_by_code_points_and_the_absent_come_first(
    database: Database, rows: list[Record], orders: list[tuple[str, bool]]
) -> None:
    expected = list(range(len(rows)))
    for field, sinks in reversed(orders):
        column = COLUMNS.get(field, field)

        def key(n: int, column: str = column) -> tuple[bool, Any]:
            value = rows[n][column]
            return (value is not None, value if value is not None else 0)

        expected.sort(key=key, reverse=sinks)  # equals stay as the later orders have them
    text = ", ".join(f"{field} desc" if sinks else field for field, sinks in orders)
    assert listed(database, rows, order_by=text) == expected


@pytest.mark.parametrize(
    ("filter_", "at", "words"),
    [
        ("colour=red", 1, "no such field"),
        ("text=1 AND txet=2", 12, "did you mean text?"),
        ("word=STATE_THREE", 6, "word is one of STATE_ONE, STATE_TWO"),
        ("word<STATE_ONE", 1, "has no order"),
        ("word=STATE_*", 6, "wildcard"),
        ("text<a*", 6, "wildcard"),
        ("number=one", 8, "a whole number"),
        ("number=1.5", 8, "a whole number"),
        ("number=9999999999999999999", 8, "a whole number"),
        ('moment>"yesterday"', 8, "a time such as"),
        ('moment>"2026-01-01T00:00:00"', 8, "its zone"),
        ('moment>"2026-01-01T00:00:00.5Z"', 8, "whole seconds"),
        ('moment>"0001-01-01T00:00:00+23:59" AND other=x', 40, "only has(other)"),
        ("has(nothing)", 5, "no such field"),
    ],
)
def test_filter_that_does_not_fit_the_fields_is_refused(filter_: str, at: int, words: str) -> None:
    with pytest.raises(QueryError) as caught:
        narrowed(select(Thing.id), "", filter_, FIELDS)
    assert (caught.value.at, words in str(caught.value)) == (at, True), str(caught.value)


@pytest.mark.parametrize(
    ("order_by", "at", "words"),
    [
        ("colour", 1, "no such field"),
        ("text,,number", 6, "expected a field"),
        ("text down", 1, "expected a field"),
        ("text desc, other", 12, "no order"),
        (",".join(["text"] * 9), 41, "more than 8 fields"),
        ("x" * 1001, 1001, "more than 1000 characters"),
    ],
)
def test_order_that_does_not_fit_is_refused(order_by: str, at: int, words: str) -> None:
    with pytest.raises(QueryError) as caught:
        narrowed(select(Thing.id), order_by, "", FIELDS)
    assert (caught.value.at, words in str(caught.value)) == (at, True), str(caught.value)
    assert str(caught.value).startswith("orderBy, character ")

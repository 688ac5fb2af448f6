# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.token import WARNED_AHEAD, expiry_of, expiry_warning

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
END_S = 1_795_428_000


def token(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmF0dXJl"


@pytest.mark.parametrize("padding", range(4))
def test_expiry_is_what_a_real_token_says(padding: int) -> None:
    claims = {"exp": END_S, "sub": "x" * padding, "name": "\N{SNOWMAN}" * 50 + "?>"}
    made = jwt.encode(claims, "k" * 64, algorithm="HS256")
    assert expiry_of(made) == datetime.fromtimestamp(END_S, UTC)


@pytest.mark.parametrize("end_s", [END_S, END_S + 0.75])
def test_expiry_is_in_whole_seconds(end_s: float) -> None:
    assert expiry_of(token({"exp": end_s})) == datetime.fromtimestamp(END_S, UTC)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": None},
        {"exp": "1795428000"},
        {"exp": True},
        {"exp": -1},
        {"exp": 10**12},
        {"exp": 1e400},
        {"exp": float("nan")},
        {"exp": [END_S]},
        [END_S],
        "exp",
        END_S,
        None,
    ],
)
def test_claims_without_a_usable_end_say_nothing(claims: Any) -> None:
    assert expiry_of(token(claims)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "header.payload.signature",
        "a.é.c",
        "a.=.c",
        "a.bbbbb.c",
        "a." + base64.b64encode(b"\xff\xfe").decode() + ".c",
        "a." + base64.b64encode(b"[" * 9000).decode() + ".c",
        "a." + base64.b64encode(b"{").decode() + ".c",
        token({"exp": END_S, "name": "x" * 20_000}),
    ],
)
def test_what_is_no_token_of_a_node_says_nothing(text: str) -> None:
    assert expiry_of(text) is None


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_no_text_is_too_odd_to_be_looked_at(first: str, second: str, third: str) -> None:
    expiry_of(f"{first}.{second}.{third}")


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (WARNED_AHEAD + timedelta(seconds=1), ""),
        (WARNED_AHEAD, "expires in 14 days, at 2026-12-07T10:00:00Z"),
        (timedelta(days=1, hours=23), "expires in 1 day, at"),
        (timedelta(hours=5), "expires in less than a day, at"),
        (timedelta(), "has expired at 2026-11-23T10:00:00Z"),
        (timedelta(days=-400), "has expired at"),
    ],
)
def test_warning_comes_two_weeks_ahead(left: timedelta, words: str) -> None:
    warning = expiry_warning(NOW + left, NOW)
    assert words in warning
    assert bool(warning) is bool(words)


def test_token_that_says_nothing_warns_of_nothing() -> None:
    assert expiry_warning(None, NOW) == ""

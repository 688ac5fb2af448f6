# SPDX-License-Identifier: Apache-2.0
"""Forms, messages and addresses: what a browser sends, and what is made of it."""

from __future__ import annotations

from enum import StrEnum

import pytest

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.web import messages, rendering
from orchestrator_stub.web.forms import Form
from orchestrator_stub.web.messages import Message, Tone
from orchestrator_stub.web.paging import Page, address, links, page_of
from orchestrator_stub.web.visit import sentence


class Colour(StrEnum):
    RED = "red"


FORM = Form({"a": [" x ", " y "], "n": ["12"], "c": ["red"], "e": [], "many": ["1", "2", "1"]})


def test_text_is_the_last_without_its_spaces() -> None:
    assert FORM.text("a") == "y"
    assert FORM.text("missing") == ""
    assert FORM.secret("a") == " y "
    assert FORM.many("many") == ["1", "2"]
    assert FORM.ticked("n")
    assert not FORM.ticked("e")
    assert FORM.values()["missing"] == ""
    assert "e" not in FORM.names()


@pytest.mark.parametrize("text", ["\x00", "a\nb", "\x7f", "\ud800"])
def test_text_that_cannot_be_printed_is_refused(text: str) -> None:
    with pytest.raises(OrchestratorError) as caught:
        Form({"name": [f"x{text}x"]}).text("name", "Name")
    assert caught.value.what == "Name: it has a character that cannot be printed"


def test_text_has_a_bound() -> None:
    form = Form({"name": ["x" * 51]})
    assert form.text("name", "Name", 51)
    with pytest.raises(OrchestratorError, match="Name: it has more than 50 characters"):
        form.text("name", "Name", 50)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "13", "9" * 13, "\u0661"])
def test_number_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(OrchestratorError, match="N: it is a whole number from 1 to 12"):
        Form({"n": [text]}).number("n", "N", 1, 12)


def test_number_and_word() -> None:
    assert FORM.number("n", "N", 1, 12) == 12
    assert FORM.word("c", Colour, "Colour") is Colour.RED
    with pytest.raises(OrchestratorError, match="Colour: choose one of the list"):
        FORM.word("a", Colour, "Colour")


@pytest.mark.parametrize("text", ["done", "\N{SNOWMAN} <b>&\"'", "x" * 5000, "\N{BAT}" * 2000])
def test_message_survives_a_cookie(text: str) -> None:
    value = messages.dump(Message(Tone.REFUSED, text), "key")
    assert len(value) < 4000
    assert value.isascii()
    assert not set(value) & set(' ;,"\\')
    found = messages.load(value, "key")
    assert found is not None
    assert found.tone is Tone.REFUSED
    assert text.startswith(found.text)
    assert len(found.text) == min(len(text), 700)


@pytest.mark.parametrize("spoil", ["", "x", ".", "a.b", "====.0", "\u00e4"])
def test_message_that_was_not_signed_is_none(spoil: str) -> None:
    assert messages.load(spoil, "key") is None


def test_message_for_another_session_is_none() -> None:
    value = messages.dump(Message(Tone.DONE, "x"), "key")
    assert messages.load(value, "other") is None
    assert messages.load(f"A{value}", "key") is None
    assert messages.load(value[:-1], "key") is None


@pytest.mark.parametrize("local", ["/", "/hosts?q=x", "/a/b#c"])
def test_address_here_is_local(local: str) -> None:
    assert rendering.is_local(local)


@pytest.mark.parametrize(
    "elsewhere", ["", "hosts", "//x", "/\\x", "https://x", "javascript:x", "/\t/x", "/a\nb"]
)
def test_address_elsewhere_is_not_local(elsewhere: str) -> None:
    assert not rendering.is_local(elsewhere)


def test_address_leaves_out_what_is_empty() -> None:
    query = {"q": "a b", "page": "3", "none": ""}
    assert address("/x", query) == "/x?q=a+b&page=3"
    assert address("/x", query, page="", q="") == "/x"
    assert address("/x", {}, page=2) == "/x?page=2"


@pytest.mark.parametrize(
    ("page", "total", "count", "span"),
    [
        (Page(1, 50), 0, 1, "0"),
        (Page(1, 50), 50, 1, "50"),
        (Page(1, 50), 51, 2, "1\N{EN DASH}50 of 51"),
        (Page(2, 50), 51, 2, "51\N{EN DASH}51 of 51"),
        (Page(100, 100), 10_000, 100, "9,901\N{EN DASH}10,000 of 10,000"),
    ],
)
def test_page_knows_its_rows(page: Page, total: int, count: int, span: str) -> None:
    assert page.count(total) == count
    assert page.span(total) == span


def test_page_is_kept_within_bounds() -> None:
    assert page_of(0, 50) == Page(1, 50)
    assert page_of(10**9, 100).number == 100_000
    assert page_of(2, 7) == Page(2, 50)


def test_links_lead_to_the_other_parts() -> None:
    found = links("/x", {"q": "a"}, Page(2, 100), 1000)
    assert found.first == "/x?q=a&size=100"
    assert found.previous == "/x?q=a&size=100"
    assert found.next == "/x?q=a&size=100&page=3"
    assert found.last == "/x?q=a&size=100&page=10"
    assert found.sizes == {50: "/x?q=a", 100: "/x?q=a&size=100"}
    only = links("/x", {}, Page(1, 50), 3)
    assert (only.first, only.previous, only.next, only.last) == ("", "", "", "")


@pytest.mark.parametrize(
    ("what", "hint", "text"),
    [
        ("no route", "", "No route."),
        ("Really?", "Try again.", "Really? Try again."),
        ("gone.", "Look.", "Gone. Look."),
    ],
)
def test_error_is_a_sentence(what: str, hint: str, text: str) -> None:
    assert sentence(OrchestratorError(Code.ABORTED, what, hint=hint)) == text

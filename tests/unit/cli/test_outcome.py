# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import json

import pytest

from puad.cli.exit_codes import EXIT_CODES
from puad.cli.outcome import Outcome, report
from puad.cli.screen import Screen
from puad.core.errors import Code, OperatorError
from puad.render.paint import Paint


def make_screen(*, as_json: bool = False, quiet: bool = False, colour: bool = False) -> Screen:
    paint = Paint(colour)
    return Screen(
        io.StringIO(), io.StringIO(), 80, paint, paint, has_bar=False, as_json=as_json, quiet=quiet
    )


def printed(stream: object) -> str:
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.NOTHING_TO_DO])
def test_each_error_says_what_on_what_and_what_to_do(code: Code) -> None:
    screen = make_screen()
    error = OperatorError(code, "It did not work", on="slot b")
    assert report(Outcome.failed(error), screen) == EXIT_CODES[code]
    assert printed(screen.out) == ""
    lines = printed(screen.err).splitlines()
    assert lines == ["puadctl: It did not work (slot b)", f"hint: {error.hint}"]


def test_error_in_json_is_a_document_and_a_diagnostic() -> None:
    screen = make_screen(as_json=True)
    error = OperatorError(Code.BUSY, "An update run is in state STAGED", on="r1")
    assert report(Outcome.failed(error), screen) == 75
    assert json.loads(printed(screen.out)) == {
        "api_version": "puad/v1",
        "changed": False,
        "error": {
            "code": "busy",
            "text": "An update run is in state STAGED (r1)",
            "hint": error.hint,
            "exit_code": 75,
        },
    }
    assert "STAGED" in printed(screen.err)


def test_nothing_to_do_is_success() -> None:
    error = OperatorError(Code.NOTHING_TO_DO, "The offered image runs already", on="13.1")
    text, document = make_screen(), make_screen(as_json=True)
    assert report(Outcome.failed(error), text) == 0
    assert report(Outcome.failed(error), document) == 0
    assert printed(text.out) == "Nothing to do: The offered image runs already (13.1)\n"
    assert printed(text.err) == printed(document.err) == ""
    assert json.loads(printed(document.out)) == {"api_version": "puad/v1", "changed": False}


def test_quiet_prints_errors_only() -> None:
    fine, wrong = make_screen(quiet=True), make_screen(quiet=True)
    report(Outcome({}, "text\n"), fine)
    report(Outcome(problem=OperatorError(Code.BUSY, "Busy")), wrong)
    assert printed(fine.out) == printed(fine.err) == printed(wrong.out) == ""
    assert "Busy" in printed(wrong.err)


def test_control_characters_in_an_error_never_reach_the_terminal() -> None:
    screen = make_screen(colour=False)
    report(Outcome(problem=OperatorError(Code.BUSY, "a\x1b[2Jb\nc")), screen)
    assert printed(screen.err).splitlines()[0] == "puadctl: a [2Jb c"


def test_interrupted_outcome_has_its_own_exit_code() -> None:
    assert report(Outcome({}, interrupted=True), make_screen()) == 130

# SPDX-License-Identifier: Apache-2.0
"""Outcomes: what a command has to say at its end, and how it is printed.

An error is always told on standard error, as what happened (on what) and a hint. That there was
nothing to do is no error: exit code 0 and `"changed": false`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from puad.cli.exit_codes import EXIT_CODES, ExitCode
from puad.cli.screen import Screen
from puad.core.errors import Code, PuadError
from puad.render import API_VERSION
from puad.render.one_line import printable


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended.

    Attributes:
        document: The JSON document, without `api_version` and `error`.
        text: The same for people, ending in a newline when it is not empty.
        problem: What went wrong; None when nothing did.
        interrupted: Whether the operator did not want to wait for the end.
    """

    document: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    problem: PuadError | None = None
    interrupted: bool = False

    @classmethod
    def failed(cls, error: PuadError) -> Outcome:
        """The outcome of a command that raised an error."""
        if error.code is Code.NOTHING_TO_DO:
            return cls({"changed": False}, f"Nothing to do: {printable(str(error))}\n")
        return cls({"changed": False}, problem=error)

    @property
    def exit_code(self) -> ExitCode:
        """What the shell is told."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        return EXIT_CODES[self.problem.code] if self.problem else ExitCode.OK


def error_document(error: PuadError) -> dict[str, Any]:
    """An error as it stands in documents."""
    return {"code": error.code.value, "text": str(error), "hint": error.hint}


def report(outcome: Outcome, screen: Screen) -> ExitCode:
    """Print the outcome, and return the exit code."""
    if screen.as_json:
        document: dict[str, Any] = {"api_version": API_VERSION, **outcome.document}
        if outcome.problem is not None:
            code = int(outcome.exit_code)
            document["error"] = error_document(outcome.problem) | {"exit_code": code}
        print(json.dumps(document, indent=2), file=screen.out)
    elif not screen.quiet:
        print(outcome.text, end="", file=screen.out)
    if outcome.problem is not None:
        screen.out.flush()
        what = printable(str(outcome.problem))
        screen.warn(f"{screen.err_paint.bad('puadctl')}: {what}")
        screen.warn(f"{screen.err_paint.strong('hint')}: {printable(outcome.problem.hint)}")
    return outcome.exit_code

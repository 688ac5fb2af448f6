# SPDX-License-Identifier: Apache-2.0
"""Complaints: what went wrong and what to do next, for people and as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from puad.core.printable import printable

SCHEMA: Final = 1
"""Of everything that the programs print with `--json`: keys are added, never renamed."""
INTERRUPTED: Final = 130
"""What the shell is told of Ctrl+C: 128 and the number of SIGINT."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error, as a program ends with it.

    Attributes:
        code: The word for it.
        text: What happened (on what).
        hint: What to do next; empty when the text says it.
        exit_code: What the shell is told.
        more: What only this program's document says.
    """

    code: str
    text: str
    hint: str
    exit_code: int
    more: Mapping[str, str] = field(default_factory=dict)

    def tell(self, program: str) -> None:
        """Say it on standard error."""
        lines = [f"{program}: {self.text}", f"hint: {self.hint}" if self.hint else ""]
        # what a server has sent may be part of it, and must not steer a terminal
        text = "".join(f"{line}\n" for line in lines if line)
        sys.stderr.write(printable(text, kept="\n"))
        sys.stderr.flush()

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        error = {"code": self.code, **self.more, "text": self.text, "hint": self.hint}
        return {"schema": SCHEMA, "error": {**error, "exit_code": self.exit_code}}


def bug(error: Exception) -> tuple[str, str]:
    """What is said of an exception that nobody expected, and the hint."""
    hint = "This is a bug: please report the lines above."
    return f"{type(error).__name__}: {error}", hint


def interrupted(program: str) -> int:
    """Say that somebody has ended the program before its end, and give its exit code."""
    sys.stderr.write(f"{program}: interrupted\n")
    sys.stderr.flush()
    return INTERRUPTED


def untold(program: str, error: OSError) -> int:
    """The exit code when the output cannot be written: its reader has gone, or its disk is full."""
    # what is left of it must not make the interpreter complain as well
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):  # whoever read it has seen enough
        sys.stderr.write(f"{program}: the output cannot be written: {error.strerror}\n")
        sys.stderr.flush()
    return os.EX_IOERR

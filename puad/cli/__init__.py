# SPDX-License-Identifier: Apache-2.0
"""`puadctl`: what an operator does at the node.

The parser never works and the commands never parse: `parser` makes options from words, one module
of `commands` turns options into an `Outcome`, and `outcome` prints it. Human text goes to standard
output, diagnostics to standard error. Nothing is paged.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from puad.cli.command import Command, known
from puad.cli.exit_codes import ExitCode
from puad.cli.outcome import Outcome, report
from puad.cli.parser import build_parser
from puad.cli.screen import Screen
from puad.core.errors import Code, OperatorError, PuadError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    try:
        options = build_parser(known(next(iter(words), ""))).parse_args(words)
        screen = Screen.of_process(as_json=options.json, quiet=options.quiet)
        command: Command = options.command()
        code = report(_performed(command, options, screen), screen)
        sys.stdout.flush()
    except OSError as error:  # of the output: what a command meets is translated
        return _untold(error)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return code


def _untold(error: OSError) -> int:
    # What is left of the output must not make the interpreter complain at its exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):  # whoever read it has seen enough
        sys.stderr.write(f"puadctl: the output cannot be written: {error.strerror}\n")
    return ExitCode.IO


def _performed(command: Command, options: object, screen: Screen) -> Outcome:
    try:
        return command.perform(options, screen)  # type: ignore[arg-type]  # made by its own parser
    except BrokenPipeError:
        raise
    except PuadError as error:
        return Outcome.failed(error)
    except Exception as error:  # noqa: BLE001 -- the last border: a bug is told as one, with its trace
        traceback.print_exc()
        return Outcome.failed(OperatorError(Code.INTERNAL, f"{type(error).__name__}: {error}"))

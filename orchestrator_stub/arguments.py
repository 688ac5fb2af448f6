# SPDX-License-Identifier: Apache-2.0
"""Arguments: what the command lines of the server's programs have in common.

Wrong use ends with 64 of sysexits.h and says how it is used, `--version` shows the version, and the
help of a program ends with its exit codes.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NoReturn

from puad import __version__

_WIDTH: Final = 79
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"  # a code stays on the line of what it means


class Parser(argparse.ArgumentParser):
    """A parser of one of our programs, or of one of its commands.

    Attributes:
        exit_codes: What each exit code means; a command without any has those of its program.
    """

    exit_codes: Mapping[int, str] = MappingProxyType({})

    def add_version(self) -> None:
        """Take `--version`; for the program, not for its commands."""
        self.add_argument(
            "--version",
            action="version",
            version=f"{self.prog} {__version__}",
            help="show the version and exit",
        )

    def parse_known_args(  # type: ignore[override]  # only how we call it
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse what is not known here: argparse leaves a command's to the program to refuse."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            known = [word for action in self._actions for word in action.option_strings]
            close = difflib.get_close_matches(unknown[0].partition("=")[0], known, 1)
            meant = f"; did you mean {close[0]}?" if close else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
        return found, unknown

    def format_help(self) -> str:
        """The help, and the exit codes."""
        text = super().format_help()
        if not self.exit_codes:
            return text
        told = "; ".join(f"{code}{_NO_BREAK}{word}" for code, word in self.exit_codes.items())
        lines = textwrap.fill(f"exit codes: {told}.", _WIDTH).replace(_NO_BREAK, " ")
        return f"{text}\n{lines}\n"

    def error(self, message: str) -> NoReturn:
        """Say how it is used."""
        self.print_usage(sys.stderr)
        self.exit(os.EX_USAGE, f"{self.prog}: {message}\nhint: {self.prog} --help\n")

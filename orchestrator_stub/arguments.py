# SPDX-License-Identifier: Apache-2.0
"""Arguments: what the command lines of the server's programs have in common.

Wrong use ends with 64 of sysexits.h and says how it is used, `--version` shows the version, and the
help of a program ends with its exit codes.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Mapping
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

# SPDX-License-Identifier: Apache-2.0
"""Arguments: what the command lines of the node's programs have in common.

Wrong use ends with 64 of sysexits.h, says how it is used, and `--version` shows the version.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

from puad import __version__


class Parser(argparse.ArgumentParser):
    """A parser of one of our programs, or of one of its commands."""

    def add_version(self) -> None:
        """Take `--version`; for the program, not for its commands."""
        self.add_argument(
            "--version",
            action="version",
            version=f"{self.prog} {__version__}",
            help="show the version and exit",
        )

    def error(self, message: str) -> NoReturn:
        """Say how it is used."""
        self.print_usage(sys.stderr)
        self.exit(os.EX_USAGE, f"{self.prog}: {message}\nhint: {self.prog} --help\n")

# SPDX-License-Identifier: Apache-2.0
"""The parser: words of the command line as options. It does no work."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final

from puad.arguments import Parser
from puad.cli.command import Command
from puad.cli.exit_codes import ExitCode
from puad.config import add_dir_option

_EXIT_CODES: Final[dict[int, str]] = {
    ExitCode.OK: "done, or nothing to do",
    ExitCode.USAGE: "wrong use",
    ExitCode.DATA: "the image or its signatures",
    ExitCode.NO_INPUT: "no such folder",
    ExitCode.UNAVAILABLE: "puad or boot control does not answer",
    ExitCode.SOFTWARE: "a bug",
    ExitCode.OS: "boot loader or reboot",
    ExitCode.CANNOT_CREATE: "the store cannot be written",
    ExitCode.IO: "reading or writing failed",
    ExitCode.TEMPORARY: "try again later",
    ExitCode.PROTOCOL: "the server",
    ExitCode.NOT_ALLOWED: "not allowed",
    ExitCode.CONFIG: "configuration",
    ExitCode.INTERRUPTED: "interrupted",
}


def build_parser(commands: Mapping[str, type[Command]]) -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = Parser(
        prog="puadctl",
        description="Update this node, and see what it does.",
        allow_abbrev=False,
    )
    parser.exit_codes = _EXIT_CODES
    parser.add_version()
    add_dir_option(parser)
    choices = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    for name, command in commands.items():
        sub = choices.add_parser(
            name,
            help=command.summary,
            description=f"{command.summary[:1].upper()}{command.summary[1:]}.",
            allow_abbrev=False,
        )
        output = sub.add_mutually_exclusive_group()
        output.add_argument("--json", action="store_true", help="print one JSON document")
        output.add_argument("--quiet", "-q", action="store_true", help="print errors only")
        command.add_arguments(sub)
        sub.set_defaults(command=command)
    return parser

# SPDX-License-Identifier: Apache-2.0
"""The parser: words of the command line as options. It does no work."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final

from puad.arguments import Parser
from puad.cli.command import Command
from puad.config import add_dir_option

_EPILOG: Final = """\
exit codes: 0 done, or nothing to do; 64 wrong use; 65 the image or its
signatures; 66 no such folder; 69 puad or boot control does not answer; 70 a
bug; 71 boot loader or reboot; 73, 74 disk; 75 try again later; 76 the server;
77 not allowed; 78 configuration; 130 interrupted.
"""


def build_parser(commands: Mapping[str, type[Command]]) -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = Parser(
        prog="puadctl",
        description="Update this node, and see what it does.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
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

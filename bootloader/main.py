# SPDX-License-Identifier: Apache-2.0
"""The program `puad-bootloader`: the service, and the simulated machine of the demo and the tests.

Exit codes of the service: 0 stopped, 64 wrong use, 69 no bus or no name, 74 storage,
78 configuration. `boot`: 0 power-off, 3 reboot asked for, 4 pid 1 ended in any other way, 5 nothing
is bootable.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence

from bootloader import config, log, service
from bootloader.arguments import Parser
from bootloader.complaint import complain
from bootloader.errors import BootloaderError, ConfigError

try:
    from bootloader.simulation import boot, firmware_command
except ModuleNotFoundError:  # an image may leave the simulated machine out
    _COMMANDS: tuple[Callable[..., None], ...] = ()
else:
    _COMMANDS = (boot.add_command, firmware_command.add_command)

_PROGRAM = "puad-bootloader"
_EXIT_CODES = {
    os.EX_OK: "stopped",
    os.EX_USAGE: "wrong use",
    os.EX_UNAVAILABLE: "no system bus, or the name is taken",
    os.EX_IOERR: "storage",
    os.EX_CONFIG: "configuration",
}
_HINT = "the file comes with the image: correct it there; this node runs on, but takes no updates"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    arguments = _parser().parse_args(argv)
    log.set_up()
    try:
        return int(arguments.run(arguments))
    except ConfigError as error:
        complain(_PROGRAM, error, _HINT)
        return os.EX_CONFIG
    except BootloaderError as error:
        complain(_PROGRAM, error)
        return os.EX_IOERR


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=_PROGRAM, description="Boot control: slots, boot files and the boot target."
    )
    parser.add_version()
    parser.exit_codes = _EXIT_CODES
    config.add_option(parser)
    parser.set_defaults(run=lambda given: service.serve(config.load(given.config)))
    if _COMMANDS:
        commands = parser.add_subparsers(title="the simulated machine", metavar="COMMAND")
        for add_command in _COMMANDS:
            add_command(commands)
    return parser

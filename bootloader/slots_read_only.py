# SPDX-License-Identifier: Apache-2.0
"""The program `puad-slots-read-only`: has the kernel refuse to write any slot.

It runs once in each boot, before everything that could write one. Whether it took is checked for
the booted slot, which nothing ever writes; the other one is opened for writing by boot control
alone. Slots that are files, on the simulated machine, are left to their modes.

Exit codes: 0 done, 1 the booted slot can be written, or the slots are not known, 64 wrong use, 78
configuration.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from bootloader import config
from bootloader.arguments import Parser
from bootloader.complaint import complain
from bootloader.config import Settings
from bootloader.device_slots import describe_devices
from bootloader.devices import find_slots
from bootloader.errors import BootloaderError, ConfigError, ErrorName
from bootloader.mounts import read_mounts
from bootloader.write_protection import is_write_protected, set_write_protection

_PROGRAM: Final = "puad-slots-read-only"
_HINT: Final = "the file comes with the image: correct it there"
_FAILED: Final = 1
_EXIT_CODES: Final = {
    os.EX_OK: "done",
    _FAILED: "the booted slot can be written, or the slots are not known",
    os.EX_USAGE: "wrong use",
    os.EX_CONFIG: "configuration",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    given = _parser().parse_args(argv)
    try:
        protect_slots(config.load(given.config))
    except ConfigError as error:
        complain(_PROGRAM, error, _HINT)
        return os.EX_CONFIG
    except BootloaderError as error:
        complain(_PROGRAM, error)
        return _FAILED
    return os.EX_OK


def protect_slots(settings: Settings) -> None:
    """Write-protect every slot.

    Raises:
        BootloaderError: `Disagreement` when the slots are not known, `StorageFailed` when the
            booted one can still be written.
    """
    if settings.files:
        return
    found = find_slots(describe_devices(), read_mounts(), settings.devices.slots)
    for device in found.slots.values():
        set_write_protection(device.node, protect=True)
    booted = found.slots[found.booted].node
    if not is_write_protected(booted):
        what = f"the booted slot {found.booted} can still be written"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(booted))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog=_PROGRAM, description="Write-protect the slots.")
    parser.add_version()
    parser.exit_codes = _EXIT_CODES
    config.add_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""`boot`: plays one power-on of the simulated machine.

The firmware chooses a slot and counts the try, then the slot's image is started. An image that does
not start is a kernel panic with reboot: the firmware chooses again, as long as that try was
counted. A slot that fails without being counted would be tried for ever by a real machine; here
that is the exit code for "nothing bootable".
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, TextIO

from bootloader.arguments import Parser
from bootloader.simulation.machine import Machine, add_option, load_machine
from bootloader.simulation.node import REBOOT_CODE, Try


class Outcome(IntEnum):
    """How a power-on ended; the command's exit code."""

    POWER_OFF = 0
    REBOOT = 3
    CRASH = 4
    NOTHING_BOOTABLE = 5


_EXIT_CODES: Final[dict[int, str]] = {
    Outcome.POWER_OFF: "power-off",
    Outcome.REBOOT: "a reboot was asked for",
    Outcome.CRASH: "pid 1 ended in any other way",
    Outcome.NOTHING_BOOTABLE: "nothing is bootable",
}


class _Events:
    """What happens, as lines for people and, if wanted, as JSON lines."""

    def __init__(self, path: Path | None) -> None:
        self._file: TextIO | None = path.open("a") if path else None

    def tell(self, event: str, text: str, **fields: Any) -> None:  # noqa: ANN401 -- any JSON value
        sys.stderr.write(f"machine: {text}\n")
        sys.stderr.flush()
        if self._file:
            line = {"at": round(time.time(), 3), "event": event, **fields}
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def close(self) -> None:
        if self._file:
            self._file.close()


def add_command(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add `boot` to the program's commands."""
    text = "play one power-on of the simulated machine"
    parser = commands.add_parser("boot", help=text, description=f"{text.capitalize()}.")
    parser.exit_codes = _EXIT_CODES
    add_option(parser)
    parser.add_argument(
        "--events", type=Path, metavar="FILE", help="append what happens as JSON lines"
    )
    parser.set_defaults(run=lambda given: power_on(load_machine(given.config), given.events))


def power_on(machine: Machine, events_file: Path | None = None) -> Outcome:
    """Power the machine on and wait until it is off again, or wants to reboot."""
    events = _Events(events_file)
    try:
        return _power_on(machine, events)
    finally:
        events.close()


def _power_on(machine: Machine, events: _Events) -> Outcome:
    boot_loader = machine.boot_loader()
    while True:
        start = boot_loader.power_on()
        if start is None:
            events.tell("nothing-bootable", "no slot is bootable")
            return Outcome.NOTHING_BOOTABLE
        left = "not counted" if start.tries_left is None else f"{start.tries_left} tries left"
        fields = {"slot": start.slot, "tries_left": start.tries_left}
        events.tell(
            "try",
            f"trying slot {start.slot} ({left})",
            **fields,
            tries_done=start.tries_done,
            counted=start.counted,
        )
        one_try = Try(machine, start)
        problem = one_try.start()
        if not problem:
            events.tell("started", f"slot {start.slot} is running", slot=start.slot)
            return _end(one_try.wait(), start.slot, events)
        one_try.wait()
        events.tell(
            "not-booted",
            f"slot {start.slot} does not boot: {problem}",
            slot=start.slot,
            problem=problem,
        )
        if not start.counted:
            events.tell("stuck", f"slot {start.slot} would be tried for ever", slot=start.slot)
            return Outcome.NOTHING_BOOTABLE


def _end(code: int, slot: str, events: _Events) -> Outcome:
    outcome = {0: Outcome.POWER_OFF, REBOOT_CODE: Outcome.REBOOT}.get(code, Outcome.CRASH)
    how = outcome.name.lower().replace("_", "-")
    events.tell("ended", f"slot {slot} ended: {how}", slot=slot, how=how, code=code)
    return outcome

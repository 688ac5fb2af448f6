# SPDX-License-Identifier: Apache-2.0
"""`firmware`: shows or makes the simulated machine's firmware."""

from __future__ import annotations

import argparse
import json
import os

from bootloader.arguments import Parser
from bootloader.config import SLOT_NAMES
from bootloader.firmware import Header
from bootloader.simulation.machine import Machine, add_option, load_machine


def add_command(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add `firmware` to the program's commands."""
    text = "show or make the simulated machine's firmware"
    parser = commands.add_parser("firmware", help=text, description=f"{text.capitalize()}.")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    text = "print each slot's entry"
    show = verbs.add_parser("show", help=text, description="Print each slot's entry as JSON.")
    add_option(show)
    show.set_defaults(run=lambda given: _show(load_machine(given.config)))
    text = "make a new firmware with one slot that is good"
    init = verbs.add_parser("init", help=text, description=f"{text.capitalize()}.")
    add_option(init)
    text = "the slot that is good, a or b (default: %(default)s)"
    init.add_argument(
        "--slot", choices=SLOT_NAMES, default=SLOT_NAMES[0], metavar="SLOT", help=text
    )
    init.add_argument(
        "--no-counting", action="store_true", help="play a firmware that cannot write its counters"
    )
    init.set_defaults(run=_init)


def _show(machine: Machine) -> int:
    boot_loader = machine.boot_loader()
    slots = {}
    for slot in SLOT_NAMES:
        status = boot_loader.status(slot)
        slots[slot] = {
            "has_entry": status.has_entry,
            "assessment": status.assessment,
            "tries_left": status.tries_left,
            "tries_done": status.tries_done,
        }
    shown = {
        "primary": boot_loader.primary(),
        "fallback": boot_loader.fallback(),
        "pinned": boot_loader.pinned(),
        "slots": slots,
    }
    print(json.dumps(shown, indent=2))  # noqa: T201 -- a command prints its result
    return os.EX_OK


def _init(given: argparse.Namespace) -> int:
    boot_loader = load_machine(given.config).boot_loader()
    boot_loader.init(given.slot, Header(counting=not given.no_counting), f"puad.slot={given.slot}")
    return os.EX_OK

# SPDX-License-Identifier: Apache-2.0
"""`puadctl mark good|bad`."""

from __future__ import annotations

import argparse

from puad.bootcontrol import BootControl
from puad.cli.command import Command
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen
from puad.core.errors import BootControlError, Code
from puad.core.model import Assessment


class Mark(Command, name="mark", summary="mark the booted slot good or bad in the boot loader"):
    """Marks the booted slot, with or without a daemon, and reads the mark back."""

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Take the verdict."""
        words, text = ("good", "bad"), "what the boot loader is told of the booted slot"
        parser.add_argument("verdict", choices=words, metavar="good|bad", help=text)

    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:  # noqa: ARG002 -- of the protocol
        """Tell boot control."""
        control = BootControl()
        try:
            return _mark(control, Assessment(options.verdict))
        finally:
            control.close()


def _mark(control: BootControl, wanted: Assessment) -> Outcome:
    slot = control.booted_slot()
    before = _assessment(control, slot)
    if wanted is Assessment.GOOD:
        control.mark_good(slot)
    else:
        control.mark_bad(slot)
    after = _assessment(control, slot)
    if after is not wanted:
        what = f"The boot loader says {after} after the mark {wanted}"
        raise BootControlError(Code.BOOT_CONTROL_REFUSED, what, on=f"slot {slot}")
    changed = before is not after
    already = "" if changed else " already"
    return Outcome(
        {"changed": changed, "slot": slot, "assessment": after.value},
        f"Slot {slot} is{already} marked {after}.\n",
    )


def _assessment(control: BootControl, name: str) -> Assessment:
    for slot in control.slots():
        if slot.name == name:
            return slot.assessment
    raise BootControlError(Code.BOOT_CONTROL_REFUSED, "Boot control lists no such slot", on=name)

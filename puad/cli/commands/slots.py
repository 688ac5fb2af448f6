# SPDX-License-Identifier: Apache-2.0
"""`puadctl slots`."""

from __future__ import annotations

import argparse

from puad.bootcontrol import BootControl
from puad.cli.command import Command
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen
from puad.cli.slots_view import slots_view
from puad.render import document
from puad.render.slots_text import slots_text


class Slots(Command, name="slots", summary="show the slots, straight from boot control"):
    """Shows the slots, with or without a daemon."""

    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:  # noqa: ARG002 -- takes no options
        """Ask boot control."""
        view = slots_view(BootControl())
        return Outcome(document(view), slots_text(view, width=screen.width, paint=screen.paint))

# SPDX-License-Identifier: Apache-2.0
"""`puadctl history`."""

from __future__ import annotations

import argparse

from puad.cli.agent import connected_agent
from puad.cli.command import Command
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen
from puad.render import history_document
from puad.render.history_text import history_text


class History(Command, name="history", summary="show the update runs that have ended"):
    """Shows past update runs."""

    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:  # noqa: ARG002 -- takes no options
        """Ask the daemon."""
        with connected_agent() as agent:
            view = agent.history()
        return Outcome(
            history_document(view), history_text(view, width=screen.width, paint=screen.paint)
        )

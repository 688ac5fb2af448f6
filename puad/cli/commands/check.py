# SPDX-License-Identifier: Apache-2.0
"""`puadctl check`."""

from __future__ import annotations

import argparse

from puad.cli.agent import connected_agent
from puad.cli.command import Command
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen
from puad.render import status_document
from puad.render.status_text import status_text


class Check(Command, name="check", summary="ask the orchestrator now, and show the status"):
    """Asks the orchestrator now."""

    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:  # noqa: ARG002 -- takes no options
        """Let the daemon ask."""
        with connected_agent() as agent:
            view = agent.check()
        return Outcome(
            status_document(view), status_text(view, width=screen.width, paint=screen.paint)
        )

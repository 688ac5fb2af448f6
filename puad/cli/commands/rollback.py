# SPDX-License-Identifier: Apache-2.0
"""`puadctl rollback`."""

from __future__ import annotations

import argparse

from puad.cli.agent import connected_agent
from puad.cli.command import Command
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen
from puad.render import one_line


class Rollback(Command, name="rollback", summary="go back to the other, good slot now"):
    """Goes back to the other slot."""

    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:  # noqa: ARG002 -- takes no options
        """Let the daemon go back; the node reboots."""
        with connected_agent() as agent:
            run_id = agent.rollback()
            view = agent.status()
        document = {"changed": True, "run_id": run_id, "state": view.state}
        return Outcome(document, f"{one_line(view)}\n")

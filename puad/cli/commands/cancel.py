# SPDX-License-Identifier: Apache-2.0
"""`puadctl cancel`."""

from __future__ import annotations

import argparse

from puad.cli.agent import connected_agent
from puad.cli.command import Command
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen


class Cancel(Command, name="cancel", summary="stop the update run that has not been armed yet"):
    """Stops the run."""

    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:  # noqa: ARG002 -- takes no options
        """Let the daemon stop it."""
        with connected_agent() as agent:
            changed = agent.cancel()
        text = "The update run is stopped.\n" if changed else "Nothing to do: no update run.\n"
        return Outcome({"changed": changed}, text)

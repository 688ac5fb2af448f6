# SPDX-License-Identifier: Apache-2.0
"""`puadctl rollback`."""

from __future__ import annotations

import argparse

from puad.cli.agent import connected_agent
from puad.cli.command import Command
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen
from puad.cli.started_run import add_run_arguments, start_run


class Rollback(Command, name="rollback", summary="go back to the other, good slot now"):
    """Goes back to the other slot."""

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Take the options of a started run."""
        add_run_arguments(parser)

    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:
        """Let the daemon go back, and follow it until the node goes down."""
        with connected_agent() as agent:
            return start_run(agent, agent.rollback, options, screen)

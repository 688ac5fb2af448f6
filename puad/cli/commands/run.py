# SPDX-License-Identifier: Apache-2.0
"""`puadctl run`."""

from __future__ import annotations

import argparse

from puad.cli.agent import connected_agent
from puad.cli.command import Command
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen
from puad.cli.started_run import add_run_arguments, start_run


class Run(Command, name="run", summary="apply the offered image now, window or not"):
    """Applies the offered image on the operator's word."""

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Take the options of a started run."""
        add_run_arguments(parser)

    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:
        """Let the daemon begin, and follow it."""
        with connected_agent() as agent:
            return start_run(agent, agent.run, options, screen)

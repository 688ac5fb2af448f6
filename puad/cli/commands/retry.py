# SPDX-License-Identifier: Apache-2.0
"""`puadctl retry`."""

from __future__ import annotations

import argparse

from puad.cli.agent import connected_agent
from puad.cli.command import Command
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen


class Retry(
    Command, name="retry", summary="clear the quarantine, so that the image is tried again"
):
    """Clears the quarantine and a failed or cancelled try."""

    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:  # noqa: ARG002 -- takes no options
        """Let the daemon clear them."""
        with connected_agent() as agent:
            changed = agent.retry()
        text = "The offered image may be tried again.\n"
        nothing = "Nothing to do: no image is quarantined or held back.\n"
        return Outcome({"changed": changed}, text if changed else nothing)

# SPDX-License-Identifier: Apache-2.0
"""`puadctl status`."""

from __future__ import annotations

import argparse

from puad.bootcontrol import BootControl
from puad.cli.agent import connected_agent
from puad.cli.command import Command
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen
from puad.cli.slots_view import slots_view
from puad.core.errors import BootControlError, Code, OperatorError
from puad.render import document, status_document
from puad.render.slots_text import slots_text
from puad.render.status_text import status_text


class Status(Command, name="status", summary="show what this node runs, does and waits for"):
    """Shows the status; without a daemon at least the slots."""

    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:  # noqa: ARG002 -- takes no options
        """Ask the daemon, else boot control."""
        try:
            with connected_agent() as agent:
                view = agent.status()
        except OperatorError as error:
            if error.code is not Code.AGENT_ABSENT:
                raise
            return _without_daemon(error, screen)
        return Outcome(
            status_document(view), status_text(view, width=screen.width, paint=screen.paint)
        )


def _without_daemon(error: OperatorError, screen: Screen) -> Outcome:
    try:
        view = slots_view(BootControl())
    except BootControlError:
        return Outcome.failed(error)
    text = slots_text(view, width=screen.width, paint=screen.paint)
    return Outcome({"changed": False, **document(view)}, text, problem=error)

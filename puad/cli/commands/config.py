# SPDX-License-Identifier: Apache-2.0
"""`puadctl config show`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from puad.cli.command import Command
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen
from puad.config import DEFAULT_ORIGIN, Entry, chosen_dirs, load


class Config(Command, name="config", summary="show every key, its value and the file that set it"):
    """Shows the effective configuration."""

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Take the verb."""
        parser.add_argument("verb", choices=("show",), metavar="show", help="the word itself")

    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:
        """Read the configuration as the daemon would."""
        entries = list(load(chosen_dirs(options)).entries())
        lines = [_line(entry, screen) for entry in entries]
        return Outcome({"settings": [asdict(entry) for entry in entries]}, "".join(lines))


def _line(entry: Entry, screen: Screen) -> str:
    value = f"{entry.key} = {json.dumps(entry.value)}"
    if entry.origin == DEFAULT_ORIGIN:
        return f"{value}\n"
    return f"{screen.paint.strong(value)}\n    {screen.paint.faint(f'# {entry.origin}')}\n"

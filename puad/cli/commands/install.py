# SPDX-License-Identifier: Apache-2.0
"""`puadctl install PATH`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from puad.cli.agent import connected_agent
from puad.cli.command import Command
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen
from puad.cli.started_run import add_run_arguments, start_run
from puad.core.errors import Code, OperatorError


class Install(
    Command, name="install", summary="install from the folder of an exported release, offline"
):
    """Installs from a folder; the daemon gets it opened, since it may not see the path."""

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Take the folder, and the options of a started run."""
        parser.add_argument(
            "path", type=Path, metavar="PATH", help="folder that `puad-release export` wrote"
        )
        add_run_arguments(parser)

    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:
        """Pass the opened folder to the daemon, and follow the run."""
        with _opened(options.path) as folder, connected_agent() as agent:
            return start_run(agent, lambda: agent.install(folder), options, screen)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        what = f"The folder cannot be opened: {error.strerror}"
        raise OperatorError(Code.FOLDER_UNREADABLE, what, on=str(path)) from error
    try:
        yield folder
    finally:
        os.close(folder)

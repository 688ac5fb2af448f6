# SPDX-License-Identifier: Apache-2.0
"""An update run that a command starts and, unless told otherwise, waits for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Final

from puad.cli.agent import Agent
from puad.cli.follower import Follower
from puad.cli.narrator import JsonLinesNarrator, Narrator, ScreenNarrator
from puad.cli.outcome import Outcome
from puad.cli.screen import Screen
from puad.render import one_line

_LEFT_ALONE: Final = "the run goes on without puadctl; `puadctl status` shows it"
_STOPS_IT: Final = ", `puadctl cancel` stops it"
_BEFORE_ARMED: Final = frozenset({"DOWNLOADING", "STAGED"})


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of commands that start a run."""
    parser.add_argument("--no-wait", action="store_true", help="return when the run has begun")
    parser.add_argument(
        "--progress-fd",
        type=_open_descriptor,
        metavar="N",
        help="write progress as JSON lines to the open file descriptor N",
    )


def start_run(
    agent: Agent, begin: Callable[[], str], options: argparse.Namespace, screen: Screen
) -> Outcome:
    """Begin a run and follow it to its end, until the node goes down, or to where it has to wait.

    Raises:
        PuadError: It could not begin.
    """
    narrators: list[Narrator] = [ScreenNarrator(screen)]
    if options.progress_fd is not None:
        narrators.append(JsonLinesNarrator(options.progress_fd))
    follower = Follower(agent, *narrators)
    with follower.listening():
        run_id = begin()
        if options.no_wait:
            view = agent.status()
            document = {"changed": True, "run_id": run_id, "state": view.state}
            return Outcome(document, f"{one_line(view)}\n")
        end = follower.follow(run_id)
    document = {"changed": True, "run_id": run_id, "state": end.state}
    if end.interrupted:
        way_out = _STOPS_IT if end.state in _BEFORE_ARMED else ""
        screen.warn(f"\npuadctl: {_LEFT_ALONE}{way_out}")
        return Outcome(document, interrupted=True)
    return Outcome(document, "" if end.problem else f"{end.text}\n", end.problem)


def _open_descriptor(word: str) -> int:
    try:
        descriptor = int(word)
        os.fstat(descriptor)
    except (ValueError, OverflowError, OSError) as error:
        raise argparse.ArgumentTypeError(f"{word!r} is no open file descriptor") from error
    return descriptor

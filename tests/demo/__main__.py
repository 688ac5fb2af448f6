# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.demo`: plays the demo, and ends with 0 only when everything held."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType, ModuleType
from typing import Final

from tests.demo.images import Image
from tests.demo.layout import Layout, standard
from tests.demo.narration import Narration
from tests.demo.orchestrator import stop_left_up
from tests.demo.sabotage import Sabotage
from tests.demo.steps import forgery, resume, rollback, update
from tests.demo.tool import ToolError
from tests.demo.versions import UNHEALTHY
from tests.demo.waiting import NotSeenError
from tests.demo.world import World, build_world

STEPS: Final[tuple[ModuleType, ...]] = (update, rollback, forgery, resume)
_INTERRUPTED: Final = 130


def main() -> int:
    """Play the steps that were asked for."""
    arguments = _parser().parse_args()
    narration = Narration()
    layout = standard(arguments.run)
    if os.geteuid() != 0:
        narration.plain("The demo makes root images, mounts and namespaces: run it as root.")
        return os.EX_NOPERM
    if stop_left_up(layout.run):
        narration.plain("The orchestrator that an earlier demo had left up is stopped.")
    if arguments.stop:
        return os.EX_OK
    signal.signal(signal.SIGTERM, _interrupt)
    steps = [STEPS[number - 1] for number in sorted(set(arguments.only or (1, 2, 3, 4)))]
    layout.begin()
    try:
        return _play(layout, narration, steps, arguments)
    except KeyboardInterrupt:
        narration.plain("\nInterrupted; everything is stopped.")
        return _INTERRUPTED
    except ToolError as error:
        narration.plain(f"\n{error}\nLogs: {layout.logs}")
        return os.EX_SOFTWARE


def _play(
    layout: Layout,
    narration: Narration,
    steps: list[ModuleType],
    arguments: argparse.Namespace,
) -> int:
    sabotage = Sabotage(arguments.sabotage)
    images = _images(steps, sabotage)
    narration.title("Making images, release service, orchestrator and node")
    with build_world(layout, narration, sabotage, images) as world:
        held = all(_play_step(world, step) for step in steps) and world.ledger.held
        world.ledger.show()
        world.ledger.write(layout.summary)
        if arguments.keep:
            _tell_of_server(world)
    narration.plain("")
    narration.say("everything held" if held else f"NOT everything held; logs: {layout.run}")
    return os.EX_OK if held else 1


def _play_step(world: World, step: ModuleType) -> bool:
    world.narration.title(step.TITLE)
    if step is not update:
        world.server.be_ready()
    try:
        step.play(world)
    except NotSeenError as error:
        world.ledger.note(f"{step.TITLE[0]} comes to its end", expected="yes", seen=str(error))
        return False
    return True


def _images(steps: list[ModuleType], sabotage: Sabotage) -> list[Image]:
    images = list(dict.fromkeys(image for step in steps for image in step.IMAGES))
    if sabotage is Sabotage.EMPTY_PROBES:
        images[images.index(UNHEALTHY)] = Image(UNHEALTHY.version, UNHEALTHY.recipe)
    return images


def _tell_of_server(world: World) -> None:
    pid = world.server.leave_up()
    login = world.server.add_operator()
    world.narration.title("The orchestrator is left up")
    world.narration.plain(f"  {world.server.url}/   {login}")
    world.narration.plain(f"  process {pid}; `make demo-stop` ends it")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description="One update, end to end.")
    parser.add_argument("--only", type=int, action="append", choices=(1, 2, 3, 4), metavar="STEP")
    parser.add_argument("--keep", action="store_true", help="leave the orchestrator up")
    parser.add_argument("--stop", action="store_true", help="stop the one that was left up")
    # for the tests of the demo itself
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--sabotage", default="none", choices=[*Sabotage], help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())

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
from tests.demo.left_up import stop_left_up
from tests.demo.narration import Narration
from tests.demo.sabotage import Sabotage
from tests.demo.simulated_fleet import HOSTS
from tests.demo.simulated_hosts import SimulatedHosts
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
    for name in stop_left_up(layout.run):
        narration.plain(f"The {name} that an earlier demo had left up is stopped.")
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
            _leave_up(world)
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


def _leave_up(world: World) -> None:
    narration, server = world.narration, world.server
    narration.title(f"{len(HOSTS)} simulated hosts come in beside the real one")
    simulated = SimulatedHosts(world.layout, server, world.release)
    simulated.make()
    simulator = simulated.start()
    try:
        try:
            simulated.wait_until_lively()
        except NotSeenError as error:
            narration.say(f"they are not all as they will be: {error}")
        login = server.add_operator()
        narration.title("The orchestrator and the simulated hosts are left up")
        narration.plain(f"  {server.url}/   {login}")
        pids = f"{server.leave_up()} and {simulator.pid}"
        narration.plain(f"  processes {pids}; `make demo-stop` ends them")
    except BaseException:
        simulator.terminate()
        simulator.wait()
        raise


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description="One update, end to end.")
    parser.add_argument("--only", type=int, action="append", choices=(1, 2, 3, 4), metavar="STEP")
    text = "leave the orchestrator up, with simulated hosts"
    parser.add_argument("--keep", action="store_true", help=text)
    parser.add_argument("--stop", action="store_true", help="stop what was left up")
    # for the tests of the demo itself
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--sabotage", default="none", choices=[*Sabotage], help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())

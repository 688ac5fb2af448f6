# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.simulator ROLL`: plays the nodes of a roll until SIGTERM or Ctrl+C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from orchestrator_stub.connections import ask_for_files
from orchestrator_stub.server import keep_connections_small
from tests.simulator.fleet import Fleet
from tests.simulator.roll import Roll


def main() -> int:
    """Let them live."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("roll", type=Path, help="the file that says who they are")
    ask_for_files()
    keep_connections_small()
    fleet = Roll.read(parser.parse_args().roll).fleet()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_play(fleet))
    return 0


async def _play(fleet: Fleet) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with fleet.switched_on():
        while not ended.is_set():
            fleet.check()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), 1)


if __name__ == "__main__":
    sys.exit(main())

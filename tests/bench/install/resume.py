# SPDX-License-Identifier: Apache-2.0
"""Resume: a connection that breaks every MiB, a process that is killed every 64 MiB.

What counts is what the server has handed to the network until the image is whole, over what one
undisturbed install takes. A killed process leaves what was under way to it; that counts as well. So
the link is the slow one: over loopback alone a MiB would always wait in the buffers of the kernel.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.bench.delta.roots import CACHE
from tests.bench.figures import Figure
from tests.bench.install.image import NEW, make_image, published
from tests.bench.install.options import Options
from tests.bench.loop_device import is_image, loop_device, spoil
from tests.bench.node.installing import Task
from tests.bench.node.node import fresh, install, started
from tests.bench.served_folder import Served, served

GOAL_PERCENT: Final = 2.0
_CUT_BYTES: Final = 1 << 20
_KILL_BYTES: Final = 64 << 20
_BITS: Final = 8
_GLANCE_S: Final = 0.002
# The pause after each cut is of no interest here, and there are hundreds.
_LIMITS: Final = {"backoff_first_s": 0}


def measure(options: Options) -> list[Figure]:
    """One install without a break, one with all of them."""
    image, release = make_image(), published()
    with (
        tempfile.TemporaryDirectory(prefix="resume-", dir=CACHE) as name,
        loop_device(Path(name) / "slot", image.stat().st_size) as device,
    ):
        folder = Path(name)

        def task(server: Served) -> Task:
            return Task(
                url=server.url,
                trust_root=str(release.root_of_trust),
                version=NEW,
                booted="0.1",
                device=str(device),
                base="/dev/null",
                persist=str(fresh(folder)),
                limits=_LIMITS,
            )

        rate = options.rate_mbit_s * 1e6 / _BITS
        spoil(device)  # a chunk that lies there already is not fetched again
        with served(release.folder) as server:
            install(task(server))
            whole = server.sent_bytes()
        spoil(device)
        with served(release.folder, rate_bytes_s=rate, cut_bytes=_CUT_BYTES) as server:
            install(task(server))
            cut = server.sent_bytes()
        spoil(device)
        with served(release.folder, rate_bytes_s=rate, cut_bytes=_CUT_BYTES) as server:
            kills = _install_with_kills(task(server), server)
            killed = server.sent_bytes()
        assert is_image(device, image)
    return [
        _more("cut every MiB: % more bytes", cut, whole),
        _more("cut every MiB, killed every 64: % more bytes", killed, whole),
        Figure("times that it was killed", kills),
        Figure("MiB of one undisturbed install", whole / (1 << 20)),
    ]


def _install_with_kills(task: Task, server: Served) -> int:
    kills, mark = 0, _KILL_BYTES
    while True:
        with started(task) as node:
            while node.process.poll() is None and server.sent_bytes() < mark:
                time.sleep(_GLANCE_S)
            if node.process.poll() == os.EX_OK:
                return kills
            node.process.kill()
            node.process.wait()
        kills += 1
        mark = server.sent_bytes() + _KILL_BYTES


def _more(name: str, sent: int, whole: int) -> Figure:
    return Figure(name, 100 * (sent - whole) / whole, GOAL_PERCENT, least=0.0)

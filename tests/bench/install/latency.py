# SPDX-License-Identifier: Apache-2.0
"""Latency: how long the node's own reads take while an update is written to the same disk.

fio reads 4 KiB at random places, one at a time, past the page cache. It does so in turns on a disk
at rest and on one where installs follow one another as quickly as the limits of puad allow. Two
images take turns that have next to nothing in common: what lies there already is not written again.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.bench.delta.pairs import PAIRS, make_pair
from tests.bench.delta.roots import CACHE
from tests.bench.figures import Figure, alternated
from tests.bench.install.options import Options
from tests.bench.loop_device import loop_device
from tests.bench.node.installing import Task
from tests.bench.node.node import fresh, install
from tests.bench.published import FULL_ONLY, Repository
from tests.bench.served_folder import served

GOAL: Final = 1.5
_FILE_BYTES: Final = 1 << 30
_SLOT_BYTES: Final = 1 << 30
_LEVEL: Final = 3
_VERSIONS: Final = ("1.0", "2.0")
_US_PER_NS: Final = 1000


def measure(options: Options) -> list[Figure]:
    """Idle and busy in turns."""
    idle: list[dict[str, float]] = []
    busy: list[dict[str, float]] = []
    pair = make_pair(PAIRS["major"])
    with tempfile.TemporaryDirectory(prefix="latency-", dir=CACHE) as name:
        folder = Path(name)
        repository = Repository(folder / "release")
        for version, image in zip(_VERSIONS, (pair.old, pair.new), strict=True):
            repository.add(image, version, _LEVEL, *FULL_ONLY)
        with (
            loop_device(folder / "slot", _SLOT_BYTES) as device,
            served(repository.folder) as server,
        ):
            task = _task(server.url, repository, device)
            _read(folder, 1)  # makes its file
            installs = 0
            for _ in range(options.rounds):
                idle.append(_read(folder, options.seconds))
                with _installing(task, folder) as done:
                    busy.append(_read(folder, options.seconds))
                installs += len(done)
    ratios = [b["p99"] / i["p99"] for i, b in zip(idle, busy, strict=True)]
    return [
        alternated("p99 while installing / idle", ratios, GOAL),
        *(
            alternated(f"{state}, {which}, µs", [row[which] for row in rows])
            for which in ("p50", "p99", "p99.9")
            for state, rows in (("idle", idle), ("installing", busy))
        ),
        Figure("installs that were begun meanwhile", installs),
    ]


def _task(url: str, repository: Repository, device: Path) -> Task:
    return Task(
        url=url,
        trust_root=str(repository.root_of_trust),
        version="",
        booted="0.1",
        device=str(device),
        base="/dev/null",
        persist="",
        is_paced=True,
    )


@contextlib.contextmanager
def _installing(task: Task, folder: Path) -> Iterator[list[float]]:
    """Installs of one image after the other until the block ends; the seconds of each."""
    stop, done = threading.Event(), list[float]()

    def go_on() -> None:
        for version in itertools.cycle(_VERSIONS):
            if stop.is_set():
                return
            one = replace(task, version=version, persist=str(fresh(folder)))
            done.append(install(one).written.seconds)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def _read(folder: Path, seconds: int) -> dict[str, float]:
    """Percentiles of the latency, in microseconds."""
    argv = [
        "fio",
        "--name=foreground",
        f"--filename={folder}/foreground",
        f"--size={_FILE_BYTES}",
        "--rw=randread",
        "--bs=4k",
        "--direct=1",
        "--ioengine=psync",
        "--time_based",
        f"--runtime={seconds}",
        "--randseed=1",
        "--percentile_list=50:99:99.9",
        "--output-format=json",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    (job,) = json.loads(done.stdout)["jobs"]
    found = job["read"]["clat_ns"]["percentile"]
    return {f"p{float(name):g}": value / _US_PER_NS for name, value in found.items()}

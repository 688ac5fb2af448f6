# SPDX-License-Identifier: Apache-2.0
"""Network: an install over a link of a fixed rate, and how much of the link it uses.

The clock counts all of it: the index, the frames, and the fsync at the end. curl fetches the same
file over the same link, for what the link itself can do.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from tests.bench.delta.pairs import PAIRS, make_pair
from tests.bench.delta.roots import CACHE
from tests.bench.figures import Figure, alternated
from tests.bench.install.options import Options
from tests.bench.loop_device import is_image, loop_device, spoil
from tests.bench.measured import run_measured
from tests.bench.node.installing import Task
from tests.bench.node.node import fresh, install
from tests.bench.published import FULL_ONLY, Repository
from tests.bench.served_folder import served

LINK_GOAL: Final = 0.98
_VERSION: Final = "2.0"
_LEVEL: Final = 12
_BITS: Final = 8


def measure(options: Options) -> list[Figure]:
    """A Debian 12, over the link again and again."""
    image = make_pair(PAIRS["fixes"]).old
    rate = options.rate_mbit_s * 1e6 / _BITS
    shares: dict[str, list[float]] = {"puad": [], "curl": []}
    with tempfile.TemporaryDirectory(prefix="network-", dir=CACHE) as name:
        folder = Path(name)
        repository = Repository(folder / "release")
        repository.add(image, _VERSION, _LEVEL, *FULL_ONLY)
        file = repository.file(_VERSION)
        size = file.stat().st_size
        with loop_device(folder / "slot", image.stat().st_size) as device:
            for _ in range(options.rounds):
                spoil(device)  # a chunk that lies there already is not fetched again
                with served(repository.folder, rate_bytes_s=rate) as server:
                    task = _task(server.url, repository, device, folder)
                    seconds = install(task).written.seconds
                    shares["puad"].append(repository.wire(_VERSION, "").full / seconds / rate)
                    assert is_image(device, image)
                with served(repository.folder, rate_bytes_s=rate) as server:
                    url = f"{server.url}/{file.relative_to(repository.folder)}"
                    used = run_measured(["curl", "-sSf", "-o", "/dev/null", url])
                    shares["curl"].append(size / used.seconds / rate)
    return [
        Figure("puad: share of the link, worst", min(shares["puad"]), least=LINK_GOAL),
        *(alternated(f"{who}: share of the link", values) for who, values in shares.items()),
        Figure("MiB that were fetched", size / (1 << 20)),
    ]


def _task(url: str, repository: Repository, device: Path, folder: Path) -> Task:
    return Task(
        url=url,
        trust_root=str(repository.root_of_trust),
        version=_VERSION,
        booted="0.1",
        device=str(device),
        base="/dev/null",
        persist=str(fresh(folder / "node")),
    )

# SPDX-License-Identifier: Apache-2.0
"""Publish: `puad-release add` of the image against `zstd -T0` of it at the same level, in turns.

puad makes a frame of each MiB, hashes image, chunks and file, and syncs what it has written.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from tests.bench.delta.roots import CACHE
from tests.bench.figures import Figure, alternated
from tests.bench.install.image import make_image
from tests.bench.install.options import Options
from tests.bench.measured import Used, run_measured
from tests.bench.published import FULL_ONLY, Repository

GOAL: Final = 2.0
_LEVEL: Final = 12
_MOST_ROUNDS: Final = 3


def measure(options: Options) -> list[Figure]:
    """The same file again and again."""
    image = make_image()
    ours: list[Used] = []
    theirs: list[Used] = []
    sizes: set[tuple[int, int]] = set()
    for _ in range(min(options.rounds, _MOST_ROUNDS)):
        with tempfile.TemporaryDirectory(prefix="publish-", dir=CACHE) as name:
            folder = Path(name)
            repository = Repository(folder / "release")
            ours.append(repository.add(image, "2.0", _LEVEL, *FULL_ONLY))
            made = folder / "image.zst"
            theirs.append(run_measured(["zstd", f"-{_LEVEL}", "-T0", "-q", image, "-o", made]))
            sizes.add((repository.wire("2.0", "").full, made.stat().st_size))
    ((our_bytes, their_bytes),) = sizes
    ratios = [a.seconds / b.seconds for a, b in zip(ours, theirs, strict=True)]
    return [
        alternated(f"puad-release add / zstd -{_LEVEL} -T0, seconds", ratios, GOAL),
        alternated("puad-release add, s", [used.seconds for used in ours]),
        alternated(f"zstd -{_LEVEL} -T0, s", [used.seconds for used in theirs]),
        Figure("puad-release add, MiB of memory", max(used.peak_mib for used in ours)),
        Figure("puad-release add / zstd, bytes", our_bytes / their_bytes),
    ]

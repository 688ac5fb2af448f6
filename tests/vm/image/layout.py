# SPDX-License-Identifier: Apache-2.0
"""Layout: where the reference node image keeps what it makes.

`build/cache/vm` outlives a run: whatever stands there has its whole recipe in its name, so it is
right or it is not there. Anyone may delete it.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from tests.demo.layout import REPOSITORY

CACHE = REPOSITORY / "build/cache/vm"
PARTS = Path(__file__).parent / "parts"
LOG = CACHE / "image.log"


@contextlib.contextmanager
def filling_cache() -> Iterator[None]:
    """Only one process at a time makes what is kept."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

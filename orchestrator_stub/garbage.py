# SPDX-License-Identifier: Apache-2.0
"""Garbage: when the server looks for objects that only refer to each other.

CPython looks through every old object each time a quarter more have grown old, and nobody is
answered meanwhile. Each kept connection is some hundred objects, and each poll makes half of them
anew: with ten thousand connections such a look takes half a second. What polls leave behind is
young and found among the young. So only these are looked through by themselves. Everything is,
seldom, and after many connections have ended or much has grown old, for that may refer to itself in
a circle.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from typing import Final

_YOUNG: Final = 5_000
_NEVER: Final = 1_000_000_000
_LOOK_EVERY_S: Final = 15.0
_AT_LEAST_EVERY_S: Final = 3600.0
_MANY_ENDED: Final = 20_000  # each leaves a kilobyte behind
_MANY_GREW_OLD: Final = 500  # looks at the young, each of which may leave thousands

log = logging.getLogger(__name__)


def look_at_the_young_only() -> None:
    """Let no object of this process be looked through by itself once it has survived a look."""
    gc.set_threshold(_YOUNG, _NEVER, _NEVER)


async def collect_seldom(ended: Callable[[], int]) -> None:
    """Look through the old objects of this process seldom, until cancelled.

    What is there at the beginning stays as long as the process, and is never looked through.

    Args:
        ended: How many connections have ended since the beginning.
    """
    gc.collect()
    gc.freeze()
    look_at_the_young_only()
    looked_at, ended_then = time.monotonic(), ended()
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        is_long_ago = time.monotonic() - looked_at >= _AT_LEAST_EVERY_S
        grew_old = gc.get_count()[1] >= _MANY_GREW_OLD
        if is_long_ago or grew_old or ended() - ended_then >= _MANY_ENDED:
            started = time.perf_counter()
            found = gc.collect()
            log.debug("%d unreachable objects in %.3f s", found, time.perf_counter() - started)
            looked_at, ended_then = time.monotonic(), ended()

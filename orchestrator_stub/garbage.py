# SPDX-License-Identifier: Apache-2.0
"""Garbage: when the server looks for objects that only refer to each other.

CPython looks through every old object each time a quarter more have grown old, and nobody is
answered meanwhile. Each kept connection is some hundred objects; with ten thousand of them each
such look takes half a second, and polls make it come several times a minute. What they leave behind
is young and found among the young.

So what has grown old is looked through once, while it is little, and then left alone. All of it is
looked through seldom, and after many connections have ended, which may refer to themselves in a
circle.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from typing import Final

_YOUNG: Final = 5_000
_MIDDLE: Final = 20  # a hundred thousand new objects have grown old then
_NEVER: Final = 1_000_000  # of the middle ones; `collect_seldom` sees to the old
_LOOK_EVERY_S: Final = 1.0
_ALL_AT_LEAST_EVERY_S: Final = 900.0
_MANY_ENDED: Final = 2_000

log = logging.getLogger(__name__)


async def collect_seldom(ended: Callable[[], int]) -> None:
    """Look through the old objects of this process seldom, until cancelled.

    Args:
        ended: How many connections have ended since the beginning.
    """
    gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)
    while True:
        _collect("all")
        looked_at, ended_then = time.monotonic(), ended()
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            is_long_ago = time.monotonic() - looked_at >= _ALL_AT_LEAST_EVERY_S
            if is_long_ago or ended() - ended_then >= _MANY_ENDED:
                break
            if gc.get_count()[2]:
                _collect("grown old")
        gc.unfreeze()


def _collect(which: str) -> None:
    """Look through what is not frozen, and freeze what is left."""
    started = time.perf_counter()
    found = gc.collect()
    gc.freeze()
    log.debug("%s: %d unreachable in %.3f s", which, found, time.perf_counter() - started)

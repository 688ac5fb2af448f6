# SPDX-License-Identifier: Apache-2.0
"""Garbage: the old objects are looked through seldom, and after many connections have ended."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from orchestrator_stub import garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Circle:
    def __init__(self) -> None:
        self.itself = self


def lost_circle() -> weakref.ref[Circle]:
    circle = Circle()
    gc.collect(1)
    gc.collect(1)  # it is old now
    return weakref.ref(circle)


@pytest.mark.parametrize(
    ("looked_at", "ends", "every_s", "is_found"),
    [
        (True, 0, 3600.0, False),
        (True, 9, 3600.0, True),
        (True, 0, 0.0, True),
        (False, 0, 3600.0, True),
    ],
    ids=["looked at before", "many ended", "long ago", "grown old"],
)
def test_old_circle_is_found_once_and_then_after_many_ends_or_a_long_time(
    monkeypatch: pytest.MonkeyPatch, ends: int, every_s: float, *, looked_at: bool, is_found: bool
) -> None:
    monkeypatch.setattr(garbage, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(garbage, "_ALL_AT_LEAST_EVERY_S", every_s)
    monkeypatch.setattr(garbage, "_MANY_ENDED", 9)
    ended = [0]

    async def look() -> bool:
        looks: asyncio.Queue[None] = asyncio.Queue()

        def count() -> int:
            looks.put_nowait(None)
            return ended[0]

        looking = asyncio.create_task(garbage.collect_seldom(count))
        await looks.get()
        reference = lost_circle()
        if looked_at:
            gc.freeze()
        ended[0] = ends
        for _ in range(5):
            await looks.get()
        looking.cancel()
        return reference() is None

    assert asyncio.run(look()) is is_found

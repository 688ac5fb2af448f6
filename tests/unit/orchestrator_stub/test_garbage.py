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
    gc.collect(0)
    gc.collect(0)  # it is old now
    return weakref.ref(circle)


@pytest.mark.parametrize(
    ("ends", "every_s", "looks_at_young", "is_found"),
    [
        (0, 3600.0, 0, False),
        (9, 3600.0, 0, True),
        (0, 0.0, 0, True),
        (0, 3600.0, 20, True),
    ],
    ids=["nothing", "many ended", "long ago", "much has grown old"],
)
def test_old_circle_is_found_after_a_while_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
    ends: int,
    every_s: float,
    looks_at_young: int,
    *,
    is_found: bool,
) -> None:
    monkeypatch.setattr(garbage, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(garbage, "_AT_LEAST_EVERY_S", every_s)
    monkeypatch.setattr(garbage, "_MANY_ENDED", 9)
    monkeypatch.setattr(garbage, "_MANY_GREW_OLD", 20)
    ended = [0]

    async def look() -> bool:
        looks: asyncio.Queue[None] = asyncio.Queue()

        def count() -> int:
            looks.put_nowait(None)
            return ended[0]

        looking = asyncio.create_task(garbage.collect_seldom(count))
        await looks.get()
        reference = lost_circle()
        ended[0] = ends
        for _ in range(looks_at_young):
            gc.collect(0)
        for _ in range(5):
            await looks.get()
        looking.cancel()
        return reference() is None

    assert asyncio.run(look()) is is_found

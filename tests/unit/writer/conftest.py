# SPDX-License-Identifier: Apache-2.0
"""A bench, and images of every format."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from puad import images
from tests.unit.images.published_image import FRAMED, Published, publish
from tests.unit.writer.workbench import Bench

SLOT_BYTES = 4 << 20
Make = Callable[..., Published]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, SLOT_BYTES)


@pytest.fixture(params=FRAMED)
def make(request: pytest.FixtureRequest) -> Make:
    """Publish an image of some size in each format that has frames, 4 KiB a chunk unless told."""

    def make_published(size: int, chunk_bytes: int = 4096) -> Published:
        return publish(request.param, random.Random(size).randbytes(size), chunk_bytes)

    return make_published


@pytest.fixture(params=images.known())
def make_whole(request: pytest.FixtureRequest) -> Make:
    """Publish an image of some size in each format, its chunks without frames."""

    def make_published(size: int, chunk_bytes: int = 4096) -> Published:
        noise = random.Random(size).randbytes(size)
        return publish(request.param, noise, chunk_bytes, framed=False)

    return make_published


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Whatever happened in a test, its threads have ended."""
    yield
    assert [thread.name for thread in threading.enumerate() if "puad" in thread.name] == []

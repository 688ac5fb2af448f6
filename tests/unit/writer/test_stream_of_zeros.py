# SPDX-License-Identifier: Apache-2.0
"""Zeros of a file without frames: made in place, and not fetched when nothing else is missing."""

from __future__ import annotations

import random

import pytest

from puad.core.errors import Code, OperatorError
from tests.unit.images.published_image import publish
from tests.unit.writer.workbench import Bench, MemorySource, is_old

CHUNK = 4096
IMAGE = bytes(5 * CHUNK) + random.Random(1).randbytes(CHUNK) + bytes(6 * CHUNK)


@pytest.mark.parametrize("name", ["raw.gz", "raw.xz"])
def test_zeros_between_other_chunks_lie_right(bench: Bench, name: str) -> None:
    published = publish(name, IMAGE, CHUNK)
    result = bench.write(published)
    assert bench.content[: len(IMAGE)] == IMAGE
    assert is_old(bench.content[len(IMAGE) :])
    assert result.bytes_written == len(IMAGE)
    source = MemorySource(published.file)
    assert bench.write(published, source).bytes_written == 0
    assert source.reads == []


@pytest.mark.parametrize("name", ["raw.gz", "raw.xz"])
def test_nothing_is_fetched_when_only_zeros_are_missing(bench: Bench, name: str) -> None:
    published = publish(name, IMAGE, CHUNK)
    bench.write(published)
    with bench.slot.open("r+b") as slot:
        slot.write(b"x")
    source = MemorySource(published.file)
    result = bench.write(published, source)
    assert source.reads == []
    assert (result.bytes_fetched, result.bytes_written) == (0, CHUNK)
    assert bench.content[: len(IMAGE)] == IMAGE


def test_making_zeros_can_be_cancelled(bench: Bench) -> None:
    published = publish("raw.gz", bytes(9 * CHUNK), CHUNK)
    done: list[int] = []
    with pytest.raises(OperatorError) as caught:
        bench.write(
            published,
            progress=lambda size, _total: done.append(size),
            cancelled=lambda: len(done) > 3,
        )
    assert caught.value.code is Code.CANCELLED
    assert bench.content[: 3 * CHUNK] == bytes(3 * CHUNK)
    assert is_old(bench.content[3 * CHUNK :])

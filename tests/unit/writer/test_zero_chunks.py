# SPDX-License-Identifier: Apache-2.0
"""Chunks of zeros: never fetched, made in place, and listed like any other."""

from __future__ import annotations

import random

import pytest

from puad.core.errors import Code, OperatorError
from puad.writer import ChunkJournal
from tests.unit.images.published_image import publish
from tests.unit.writer.conftest import SLOT_BYTES, Make
from tests.unit.writer.workbench import Bench, MemorySource, is_old

CHUNK = 4096
NOISE = random.Random(1).randbytes(CHUNK)


def image_of(pattern: str) -> bytes:
    """An image with a chunk for each letter: `z` for zeros."""
    return b"".join(bytes(CHUNK) if letter == "z" else NOISE for letter in pattern)


@pytest.mark.parametrize("pattern", ["z", "zzz", "zn", "nz", "nzzn", "znzzzznz", "z" * 100])
@pytest.mark.parametrize("format_name", ["raw", "raw.zst"])
def test_zeros_are_not_fetched(bench: Bench, pattern: str, format_name: str) -> None:
    image = image_of(pattern)
    published = publish(format_name, image, CHUNK)
    result = bench.write(published)
    assert bench.content[: len(image)] == image
    assert is_old(bench.content[len(image) :])
    fetched = [
        c for c, letter in zip(published.index.chunks, pattern, strict=True) if letter == "n"
    ]
    assert result.bytes_fetched == sum(chunk.file_length for chunk in fetched)
    assert result.bytes_written == len(image)


@pytest.mark.parametrize("size", [1, 511, 513, 5000])
def test_zeros_of_odd_size_are_made(bench: Bench, size: int) -> None:
    published = publish("raw.zst", bytes(CHUNK + size), CHUNK)
    source = MemorySource(published.file)
    bench.write(published, source)
    assert bench.content[: CHUNK + size] == bytes(CHUNK + size)
    assert is_old(bench.content[CHUNK + size :])
    assert source.reads == []


def test_zeros_are_listed(bench: Bench) -> None:
    published = publish("raw.zst", image_of("znzz"), CHUNK)
    bench.write(published)
    with ChunkJournal(bench.journal, published.release.file_hash) as journal:
        assert journal.chunks == {0, 1, 2, 3}


def test_whole_slot_of_zeros_is_cancelled_between_two_steps(bench: Bench) -> None:
    published = publish("raw.zst", bytes(SLOT_BYTES), 1 << 20)
    with pytest.raises(OperatorError) as caught:
        bench.write(published, cancelled=lambda: True)
    assert caught.value.code is Code.CANCELLED


def test_listed_zeros_that_have_gone_are_made_again(bench: Bench, make: Make) -> None:
    published = publish("raw.zst", image_of("nzn"), CHUNK)
    bench.write(published)
    with bench.slot.open("r+b") as slot:
        slot.seek(CHUNK + 5)
        slot.write(b"x")
    result = bench.write(published)
    assert bench.content[: 3 * CHUNK] == published.image
    assert (result.bytes_fetched, result.bytes_written) == (0, CHUNK)

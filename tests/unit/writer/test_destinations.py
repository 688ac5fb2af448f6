# SPDX-License-Identifier: Apache-2.0
"""Chunks go to a destination, and only those that it wants."""

from __future__ import annotations

import os
import random

import pytest

from puad.core.extent import Extent
from puad.images.raw_zst import RawZst
from puad.writer import ChunkJournal
from puad.writer.chunk_writer import ChunkWriter, FullFile
from puad.writer.destination import Destination
from puad.writer.slot import SlotFile
from tests.unit.images.published_image import publish
from tests.unit.writer.workbench import LIMITS, Bench, MemorySource, is_old

CHUNK = 4096
COUNT = 40


class PartOfADisk(Destination):
    """Wants what lies in a part, and puts that at the beginning."""

    START, END = 10 * CHUNK + 100, 20 * CHUNK - 100

    def wants(self, offset: int, length: int) -> bool:
        return offset < self.END and offset + length > self.START

    def write(self, offset: int, data: memoryview) -> None:
        assert self.wants(offset, len(data))
        super().write(offset, data)

    def read(self, offset: int, into: memoryview) -> bool:
        assert self.wants(offset, len(into))
        return super().read(offset, into)


@pytest.mark.parametrize("again", [False, True])
def test_chunk_that_nothing_wants_is_neither_fetched_nor_written(
    bench: Bench, *, again: bool
) -> None:
    image = random.Random(1).randbytes(COUNT * CHUNK)
    published = publish("raw.zst", image, CHUNK)
    wanted = published.index.chunks[10:20]
    seen: list[tuple[int, int]] = []
    for _ in range(1 + again):
        seen.clear()
        source = MemorySource(published.file)
        file = FullFile(published.index, RawZst(), source)
        fd = os.open(bench.slot, os.O_RDWR)
        part = PartOfADisk(SlotFile(fd), Extent(0, COUNT * CHUNK))
        with ChunkJournal(bench.journal, published.release.file_hash) as journal:
            writer = ChunkWriter(part, file, journal, LIMITS)
            writer.write(lambda: False, lambda done, total: seen.append((done, total)))
        os.close(fd)
    assert sum(length for _, length in source.reads) == (
        0 if again else sum(chunk.file_length for chunk in wanted)
    )
    assert seen[0] == (0, 10 * CHUNK)
    assert seen[-1] == (10 * CHUNK, 10 * CHUNK)
    place = slice(10 * CHUNK, 20 * CHUNK)
    assert bench.content[place] == image[place]
    assert is_old(bench.content[: place.start])
    assert is_old(bench.content[place.stop :])
    assert str(writer.plan).endswith(
        "(10 of 10 chunks already on the slot)" if again else "of the full file"
    )

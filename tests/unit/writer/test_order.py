# SPDX-License-Identifier: Apache-2.0
"""The order of a write: synced before listed, hashed in the buffer that is written."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from puad.core.extent import Extent
from puad.images.raw_zst import RawZst
from puad.writer import ChunkJournal
from puad.writer.chunk_writer import ChunkWriter, FullFile
from puad.writer.destination import Destination
from puad.writer.slot import SlotFile
from puad.writer.stream_writer import StreamWriter
from puad.writer.unpacking import PublishedFile
from tests.unit.images.published_image import publish
from tests.unit.writer.workbench import LIMITS, Bench, MemorySource


class LoggedSlot(SlotFile):
    def __init__(self, fd: int, log: list[str]) -> None:
        super().__init__(fd)
        self.log = log

    def write(self, offset: int, data: memoryview) -> None:
        super().write(offset, data)
        self.log.append(f"write {offset // 4096}")

    def sync(self) -> None:
        super().sync()
        self.log.append("sync")


class LoggedJournal(ChunkJournal):
    def __init__(self, path: Path, file_hash: str, log: list[str]) -> None:
        super().__init__(path, file_hash)
        self.log = log

    def add(self, numbers: Iterable[int]) -> None:
        numbers = list(numbers)
        super().add(numbers)
        self.log.extend(f"list {number}" for number in numbers)


@pytest.mark.parametrize("framed", [True, False])
def test_chunk_is_listed_only_after_it_was_synced(bench: Bench, *, framed: bool) -> None:
    published = publish("raw.zst", random.Random(1).randbytes(20 * 4096), 4096, framed=framed)
    file = PublishedFile(published.release, RawZst(), MemorySource(published.file))
    log: list[str] = []
    fd = os.open(bench.slot, os.O_RDWR)
    slot = Destination(LoggedSlot(fd, log), Extent(0, 20 * 4096))
    try:
        with LoggedJournal(bench.journal, published.release.file_hash, log) as journal:
            writer: ChunkWriter | StreamWriter
            if framed:
                full = FullFile(published.index, RawZst(), file.source)
                writer = ChunkWriter(slot, full, journal, LIMITS)
            else:
                writer = StreamWriter(slot, published.index, file, journal, LIMITS)
            writer.write(lambda: False, lambda _done, _total: None)
    finally:
        os.close(fd)
    for number in range(20):
        written, listed = log.index(f"write {number}"), log.index(f"list {number}")
        assert "sync" in log[written:listed]
    assert log.count("sync") >= 20 * 4096 // LIMITS.journal_batch_bytes

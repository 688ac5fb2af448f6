# SPDX-License-Identifier: Apache-2.0
"""The order of a write: synced before listed, hashed in the buffer that is written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from puad import images
from puad.writer import ChunkJournal
from puad.writer.chunk_writer import ChunkWriter, FullFile
from puad.writer.slot import SlotFile
from tests.unit.writer.conftest import Make
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


def test_chunk_is_listed_only_after_it_was_synced(bench: Bench, make: Make) -> None:
    published = make(20 * 4096)
    log: list[str] = []
    fd = os.open(bench.slot, os.O_RDWR)
    try:
        with LoggedJournal(bench.journal, published.release.file_hash, log) as journal:
            ChunkWriter(
                LoggedSlot(fd, log),
                FullFile(
                    published.index,
                    images.get(published.release.manifest.format),
                    MemorySource(published.file),
                ),
                journal,
                LIMITS,
            ).write(lambda: False, lambda _done, _total: None)
    finally:
        os.close(fd)
    for number in range(20):
        written, listed = log.index(f"write {number}"), log.index(f"list {number}")
        assert "sync" in log[written:listed]
    assert log.count("sync") >= 20 * 4096 // LIMITS.journal_batch_bytes

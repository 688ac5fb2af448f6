# SPDX-License-Identifier: Apache-2.0
"""A slot in a file, a source in memory, and one call that writes an image from one to the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from puad.config import Limits
from puad.core.cancelling import require_going_on
from puad.core.errors import Code, DownloadError
from puad.download.source import Source
from puad.writer import ChunkJournal, WriteResult, write_image
from tests.unit.images.published_image import Published

OLD = 0xEE
LIMITS = Limits(range_bytes=16_384, journal_batch_bytes=8192, queue_chunks=2)


@dataclass
class MemorySource:
    """A source that keeps its contract, until it breaks where a test wants it to.

    Attributes:
        file: The bytes at the server.
        breaks_at: Offset in the file from which nothing comes any more.
        reads: Every range that was asked for.
        given: Offsets of every byte that was given, as ranges.
    """

    file: bytes
    breaks_at: int | None = None
    piece_bytes: int = 1000
    reads: list[tuple[int, int]] = field(default_factory=list)
    given: list[tuple[int, int]] = field(default_factory=list)

    def read(self, offset: int, length: int, cancelled: Callable[[], bool]) -> Iterator[bytes]:
        self.reads.append((offset, length))
        end = offset + length
        while offset < end:
            require_going_on(cancelled)
            stop = min(offset + self.piece_bytes, end, self.breaks_at or end)
            if stop <= offset or stop > len(self.file):
                raise DownloadError(Code.DOWNLOAD_UNREACHABLE, "The test's source is dry")
            self.given.append((offset, stop))
            yield self.file[offset:stop]
            offset = stop


@dataclass
class Bench:
    """A slot file full of old bytes, and a journal beside it."""

    folder: Path
    slot_bytes: int

    def __post_init__(self) -> None:
        self.slot.write_bytes(bytes([OLD]) * self.slot_bytes)

    @property
    def slot(self) -> Path:
        return self.folder / "slot"

    @property
    def journal(self) -> Path:
        return self.folder / "chunks.journal"

    @property
    def content(self) -> bytes:
        return self.slot.read_bytes()

    def write(
        self,
        published: Published,
        source: Source | None = None,
        *,
        indexed: bool = True,
        slot: Path | None = None,
        **options: Any,
    ) -> WriteResult:
        fd = os.open(slot or self.slot, os.O_RDWR)
        defaults: dict[str, Any] = {
            "slot_bytes": self.slot_bytes,
            "release": published.release,
            "index": published.index if indexed else None,
            "source": source or MemorySource(published.file),
            "journal": ChunkJournal(self.journal, published.release.file_hash),
            "cancelled": lambda: False,
            "progress": lambda _done, _total: None,
            "limits": LIMITS,
        }
        try:
            return write_image(fd=fd, **(defaults | options))
        finally:
            os.close(fd)


def is_old(data: bytes) -> bool:
    return data == bytes([OLD]) * len(data)

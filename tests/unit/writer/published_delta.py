# SPDX-License-Identifier: Apache-2.0
"""Deltas between two images, as a publisher would make them, and a file as the active slot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import zstandard

from puad.core.delta import DeltaChunk, DeltaIndex, parse_delta_index
from puad.core.extent import Extent
from puad.download.source import Source
from puad.writer import DeltaFile, Deltas
from tests.unit.images.published_image import Published
from tests.unit.writer.workbench import MemorySource


@dataclass
class PublishedDelta:
    """A delta and its index.

    Attributes:
        loads: How often the index was asked for.
    """

    old: bytes
    file: bytes
    index: DeltaIndex
    loads: int = field(default=0)

    def with_old(self, old: bytes) -> PublishedDelta:
        """Another image on the active slot than the one that it was made for."""
        return replace(self, old=old)

    def source(self) -> MemorySource:
        return MemorySource(self.file)

    @contextmanager
    def on(self, active: Path, source: Source | None = None) -> Iterator[Deltas]:
        """What the writer is offered, with the old image on the active slot."""
        active.write_bytes(self.old)
        fd = os.open(active, os.O_RDONLY)
        deltas = Deltas(fd, lambda: self._load(source or self.source()))
        try:
            yield deltas
        finally:
            deltas.close()
            os.close(fd)

    def _load(self, source: Source) -> Iterator[DeltaFile]:
        self.loads += 1
        yield DeltaFile("13.0", self.index, source)


def publish_delta(
    published: Published, old: bytes, *, reach: int = 8192, lacks: frozenset[int] = frozenset()
) -> PublishedDelta:
    """Make a delta whose windows are two halves around the same place of the old image.

    Args:
        published: The new image.
        old: The old image.
        reach: How far beyond the chunk the windows go.
        lacks: Chunks that it does not have.
    """
    file, made = b"", list[DeltaChunk | None]()
    for number, chunk in enumerate(published.index.chunks):
        data = published.image[chunk.image_offset :][: chunk.image_length]
        if number in lacks:
            made.append(None)
        elif old[chunk.image_offset :][: chunk.image_length] == data:
            made.append(DeltaChunk(None, (Extent(chunk.image_offset, chunk.image_length),)))
        else:
            windows = _windows(chunk.image_offset, chunk.image_length, reach, len(old))
            frame = compress(data, b"".join(old[w.offset : w.end] for w in windows))
            made.append(DeltaChunk(Extent(len(file), len(frame)), windows))
            file += frame
    dumped = DeltaIndex(max(1, len(old)), tuple(made)).dump()
    index = parse_delta_index(dumped, chunks=published.index.chunks, file_size=len(file))
    return PublishedDelta(old, file, index)


def compress(data: bytes, dictionary: bytes) -> bytes:
    if not dictionary:
        return zstandard.ZstdCompressor(level=3).compress(data)
    raw = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(level=3, dict_data=raw).compress(data)


def _windows(offset: int, length: int, reach: int, old_size: int) -> tuple[Extent, ...]:
    start, end = max(0, offset - reach), min(old_size, offset + length + reach)
    middle = (start + end) // 2
    # the later half first: windows follow the matches, not the old image
    halves = [Extent(middle, end - middle), Extent(start, middle - start)]
    return tuple(half for half in halves if half.length > 0)

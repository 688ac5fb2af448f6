# SPDX-License-Identifier: Apache-2.0
"""Writing by chunks: no byte reaches the slot before its own signed hash has been checked.

1. The hash is taken of the very buffer that is then written.
2. What an earlier write left on the slot is read back and hashed, and kept where it is right: the
   chunks of the journal, and the run of chunks after them that had not been listed yet.
3. A chunk is listed in the journal only after its bytes were fsynced.
4. Missing chunks that lie side by side in the file are asked for together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from puad.config import Limits
from puad.core.chunks import Chunk, ChunkIndex
from puad.core.errors import Code, ImageError
from puad.download.patience import require_going_on
from puad.download.source import Source
from puad.images import ImageFormat
from puad.writer.buffers import BufferRing
from puad.writer.chunk_journal import ChunkJournal
from puad.writer.feed import Feed
from puad.writer.slot import SlotFile


@dataclass(frozen=True, slots=True)
class _Checked:
    """A chunk whose bytes have the signed hash, and the buffer that holds them."""

    number: int
    offset: int
    data: memoryview


class ChunkWriter:
    """One write of one indexed image.

    Args:
        slot: The slot.
        index: The image's chunks.
        image_format: Makes a chunk of its frame.
        source: Where frames come from.
        journal: Open; what an earlier write left, and where this one takes notes.
        limits: Bounds on memory and on the work that a power cut costs.
    """

    def __init__(
        self,
        slot: SlotFile,
        index: ChunkIndex,
        image_format: ImageFormat,
        source: Source,
        journal: ChunkJournal,
        limits: Limits,
    ) -> None:
        self._slot = slot
        self._index = index
        self._format = image_format
        self._source = source
        self._journal = journal
        self._limits = limits
        largest = max((chunk.image_length for chunk in index.chunks), default=1)
        self._ring = BufferRing(largest, limits.queue_chunks)
        self._unlisted: list[int] = []
        self.bytes_fetched = 0
        self.bytes_written = 0

    def write(self, cancelled: Callable[[], bool], progress: Callable[[int, int], None]) -> None:
        """Bring every chunk to the slot (see `write_image`)."""
        done = 0

        def advance(size_bytes: int) -> None:
            nonlocal done
            done += size_bytes
            progress(done, self._index.image_size)

        advance(0)
        missing = list(self._find_missing(cancelled, advance))
        with Feed(lambda stop: self._fetch(missing, stop), self._ring.depth) as feed:
            for chunk in feed.items(cancelled):
                self._slot.write(chunk.offset, chunk.data)
                self._unlisted.append(chunk.number)
                self.bytes_written += len(chunk.data)
                if self._slot.unsynced_bytes >= self._limits.journal_batch_bytes:
                    self._list()
                advance(len(chunk.data))
        self._list()

    def _list(self) -> None:
        self._slot.sync()
        self._journal.add(self._unlisted)
        self._unlisted.clear()

    def _find_missing(
        self, cancelled: Callable[[], bool], advance: Callable[[int], None]
    ) -> Iterator[int]:
        looking = self._journal.resumed
        for number, chunk in enumerate(self._index.chunks):
            listed = number in self._journal.chunks
            if not (listed or looking):
                yield number
                continue
            require_going_on(cancelled)
            looking = self._is_on_slot(chunk)
            if not looking:
                yield number
                continue
            if not listed:
                self._unlisted.append(number)
            advance(chunk.image_length)

    def _is_on_slot(self, chunk: Chunk) -> bool:
        data = self._ring.take(chunk.image_length)
        return self._slot.read(chunk.image_offset, data) and _hash(data) == chunk.sha256

    def _fetch(self, missing: Iterable[int], stop: Callable[[], bool]) -> Generator[_Checked]:
        for numbers in self._requests(missing):
            frames = self._frames([self._index.chunks[number] for number in numbers], stop)
            for number, frame in zip(numbers, frames, strict=True):
                yield self._check(number, frame)

    def _requests(self, missing: Iterable[int]) -> Iterator[list[int]]:
        """Group chunks whose frames lie side by side, up to the size of one request."""
        numbers: list[int] = []
        start = end = 0
        for number in missing:
            chunk = self._index.chunks[number]
            beyond = chunk.file_offset + chunk.file_length
            if numbers and (chunk.file_offset != end or beyond - start > self._limits.range_bytes):
                yield numbers
                numbers = []
            if not numbers:
                start = chunk.file_offset
            numbers.append(number)
            end = beyond
        if numbers:
            yield numbers

    def _frames(self, chunks: list[Chunk], stop: Callable[[], bool]) -> Iterator[bytes]:
        length = sum(chunk.file_length for chunk in chunks)
        pieces = self._source.read(chunks[0].file_offset, length, stop)
        waiting = bytearray()
        for chunk in chunks:
            while len(waiting) < chunk.file_length:
                piece = next(pieces)
                self.bytes_fetched += len(piece)
                waiting += piece
            frame = bytes(memoryview(waiting)[: chunk.file_length])
            del waiting[: chunk.file_length]
            yield frame
        next(pieces, None)  # there is none left, but the source learns that all has arrived

    def _check(self, number: int, frame: bytes) -> _Checked:
        chunk = self._index.chunks[number]
        data = self._ring.fill(self._format.decode_chunk(frame, chunk.image_length))
        if _hash(data) != chunk.sha256:
            raise ImageError(
                Code.HASH_MISMATCH, f"Chunk {number} of the image does not have its signed hash"
            )
        return _Checked(number, chunk.image_offset, data)


def _hash(data: memoryview) -> bytes:
    return hashlib.sha256(data).digest()

# SPDX-License-Identifier: Apache-2.0
"""Writing by chunks that have no frames: the file can only be unpacked from its beginning.

1. A chunk is written only after it came out with its signed hash, taken of the very buffer that is
   then written. On a mismatch nothing of it is.
2. What lies on the slot already is read back and hashed, and kept where it is right. The file is
   fetched from its beginning all the same, unless nothing but zeros is missing.
3. What is written is listed in the journal, also when the write is cut off (`puad.writer.record`).
4. The hash of the whole file is checked at the end; when it is wrong, what was written is spoilt.

One thread fetches, one unpacks, one hashes, and the caller's writes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from puad.config import Limits
from puad.core.cancelling import require_going_on
from puad.core.chunks import ChunkIndex
from puad.core.errors import Code, ImageError
from puad.writer.buffers import MOST_BYTES, BufferRing
from puad.writer.chunk_decoder import is_chunk
from puad.writer.chunk_journal import ChunkJournal
from puad.writer.destination import Destination
from puad.writer.feed import Feed
from puad.writer.plan import is_zero
from puad.writer.record import WriteRecord
from puad.writer.unpacking import PublishedFile, Unpacking

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Unpacked:
    """A chunk that was unpacked, the buffer that holds it, and whether it is the signed one."""

    number: int
    data: memoryview
    is_right: Future[bool]


class StreamWriter:
    """One write of one image whose chunks have no frames.

    Args:
        destination: Where it goes.
        index: The chunks of what the file unpacks to.
        file: The published file.
        journal: Open; what an earlier write left, and where this one takes notes.
        limits: Bounds on memory and on the work that a power cut costs.

    Attributes:
        bytes_fetched: What was fetched of the file.
    """

    def __init__(
        self,
        destination: Destination,
        index: ChunkIndex,
        file: PublishedFile,
        journal: ChunkJournal,
        limits: Limits,
    ) -> None:
        self._destination = destination
        self._chunks = index.chunks
        self._file = file
        self._record = WriteRecord(destination, self._chunks, journal, limits.journal_batch_bytes)
        self._limits = limits
        largest = max((chunk.image_length for chunk in index.chunks), default=1)
        self._ring = BufferRing(largest, limits.queue_chunks)
        self.bytes_fetched = 0

    @property
    def bytes_written(self) -> int:
        """Image bytes that went to the destination, zeros included."""
        return self._record.bytes_written

    def write(self, cancelled: Callable[[], bool], progress: Callable[[int, int], None]) -> None:
        """Bring every chunk that is wanted to the destination (see `write_image`)."""
        missing = self._record.find_missing(MOST_BYTES, cancelled, progress)
        wanted = len(self._record.wanted)
        _LOG.info("%d of %d chunks are on the slot", wanted - len(missing), wanted)
        with self._record.listing():
            if all(is_zero(self._chunks[number]) for number in missing):
                for number in missing:
                    require_going_on(cancelled)
                    self._put(number, None)
            else:
                self._stream(set(missing), cancelled)

    def _stream(self, missing: set[int], cancelled: Callable[[], bool]) -> None:
        numbers = frozenset(missing)
        try:
            with Feed(lambda stop: self._unpack(numbers, stop), self._ring.depth) as feed:
                for chunk in feed.items(cancelled):
                    self._require_right(chunk)
                    missing.remove(chunk.number)
                    self._put(chunk.number, chunk.data)
        except ImageError:
            if not missing:  # every chunk is right, and still it is not the file that was signed
                self._record.spoil()
            raise
        self.bytes_fetched = self._file.release.file_size

    def _unpack(self, missing: Collection[int], stop: Callable[[], bool]) -> Generator[_Unpacked]:
        with (
            ThreadPoolExecutor(1, "puad-hash") as hashing,
            Unpacking(self._file, self._limits, stop) as unpacking,
        ):
            for number, chunk in enumerate(self._chunks):
                if number not in missing:
                    unpacking.skip(chunk.image_length)
                    continue
                data = self._ring.take(chunk.image_length)
                unpacking.fill(data)
                yield _Unpacked(number, data, hashing.submit(is_chunk, chunk, data))
            unpacking.finish()

    def _require_right(self, unpacked: _Unpacked) -> None:
        if not unpacked.is_right.result():
            what = f"Chunk {unpacked.number} of the image does not have its signed hash"
            raise ImageError(Code.HASH_MISMATCH, what, on=self._file.release.path)

    def _put(self, number: int, data: memoryview | None) -> None:
        """Write a chunk that is right; its bytes are not needed when it is all zeros."""
        chunk = self._chunks[number]
        if data is None or is_zero(chunk):
            self._destination.zero(chunk.image_offset, chunk.image_length)
        else:
            self._destination.write(chunk.image_offset, data)
        self._record.wrote([number])

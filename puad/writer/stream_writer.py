# SPDX-License-Identifier: Apache-2.0
"""Writing by chunks that have no frames: the file can only be unpacked from its beginning.

1. A chunk is written only after it came out with its signed hash, taken of the very buffer that is
   then written. On a mismatch nothing of it is.
2. What lies on the slot already is read back and hashed, and kept where it is right. The file is
   fetched from its beginning all the same, unless nothing but zeros is missing.
3. A chunk is listed in the journal only after its bytes were synced. Whatever ends the write but
   the slot itself, what has been written is listed first.
4. The hash of the whole file is checked at the end; when it is wrong, what was written is spoilt.

One thread fetches, one unpacks, one hashes, and the caller's writes.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from puad.config import Limits
from puad.core.chunks import ChunkIndex
from puad.core.errors import Code, ImageError, StorageError
from puad.download.patience import require_going_on
from puad.writer.buffers import MOST_BYTES, BufferRing
from puad.writer.chunk_decoder import is_chunk
from puad.writer.chunk_journal import ChunkJournal
from puad.writer.destination import Destination
from puad.writer.feed import Feed
from puad.writer.missing import Look
from puad.writer.plan import is_zero
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
        bytes_written: Image bytes that went to the destination, zeros included.
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
        self._journal = journal
        self._limits = limits
        largest = max((chunk.image_length for chunk in index.chunks), default=1)
        self._ring = BufferRing(largest, limits.queue_chunks)
        self._unlisted: list[int] = []
        self._done = 0
        self._advance: Callable[[int], None] = lambda _: None
        self.bytes_fetched = 0
        self.bytes_written = 0

    def write(self, cancelled: Callable[[], bool], progress: Callable[[int, int], None]) -> None:
        """Bring every chunk that is wanted to the destination (see `write_image`)."""
        wants = self._destination.wants
        wanted = [n for n, c in enumerate(self._chunks) if wants(c.image_offset, c.image_length)]
        total = sum(self._chunks[number].image_length for number in wanted)

        def advance(size_bytes: int) -> None:
            self._done += size_bytes
            progress(self._done, total)

        self._advance = advance
        advance(0)
        missing = self._find_missing(wanted, cancelled)
        try:
            if all(is_zero(self._chunks[number]) for number in missing):
                for number in missing:
                    require_going_on(cancelled)
                    self._put(number, None)
            else:
                self._stream(set(missing), cancelled)
        except StorageError:
            raise
        except BaseException:
            with contextlib.suppress(StorageError):  # the error that led here is the one to report
                self._list()
            raise
        self._list()

    def _find_missing(self, wanted: list[int], cancelled: Callable[[], bool]) -> list[int]:
        ahead_bytes = self._limits.journal_batch_bytes + MOST_BYTES
        look = Look(self._destination, self._chunks, self._journal, ahead_bytes)
        missing = look.find_missing(wanted, cancelled, self._advance)
        self._unlisted.extend(look.found - self._journal.chunks)
        _LOG.info("%d of %d chunks are on the slot", len(look.found), len(wanted))
        return missing

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
                self._unlisted.clear()
                self._destination.spoil()
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
        self._unlisted.append(number)
        self.bytes_written += chunk.image_length
        if self._destination.unsynced_bytes >= self._limits.journal_batch_bytes:
            self._list()
        self._advance(chunk.image_length)

    def _list(self) -> None:
        self._destination.sync()
        self._journal.add(self._unlisted)
        self._unlisted.clear()

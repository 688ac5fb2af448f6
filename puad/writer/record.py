# SPDX-License-Identifier: Apache-2.0
"""The record of a write by chunks: what is wanted, what lies there, and what the journal may list.

1. A chunk is listed in the journal only after its bytes were synced.
2. Whatever ends the write but the slot itself, what has been written is listed first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from puad.core.chunks import Chunk
from puad.core.errors import StorageError
from puad.writer.chunk_journal import ChunkJournal
from puad.writer.destination import Destination
from puad.writer.missing import Look


class WriteRecord:
    """The record of one write.

    Args:
        destination: Where the chunks go.
        chunks: All of them.
        journal: Open; what an earlier write left, and where this one takes notes.
        batch_bytes: How much may be written between two entries of the journal.

    Attributes:
        wanted: Numbers of the chunks that go anywhere, rising.
        bytes_written: Image bytes that went to the destination, zeros included.
    """

    def __init__(
        self,
        destination: Destination,
        chunks: Sequence[Chunk],
        journal: ChunkJournal,
        batch_bytes: int,
    ) -> None:
        self._destination = destination
        self._chunks = chunks
        self._journal = journal
        self._batch_bytes = batch_bytes
        wants = destination.wants
        self.wanted = [n for n, c in enumerate(chunks) if wants(c.image_offset, c.image_length)]
        self.bytes_written = 0
        self._total = self._size_of(self.wanted)
        self._done = 0
        self._unlisted: list[int] = []
        self._unsynced_bytes = 0
        self._progress: Callable[[int, int], None] = lambda _done, _total: None

    def find_missing(
        self,
        written_ahead_bytes: int,
        cancelled: Callable[[], bool],
        progress: Callable[[int, int], None],
    ) -> list[int]:
        """Numbers of the wanted chunks that do not lie there yet, rising.

        Args:
            written_ahead_bytes: How much is on its way when a batch is full, at the most.
            cancelled: Whether to stop.
            progress: Takes image bytes done and in all, from now on.

        Raises:
            OperatorError: `CANCELLED`.
        """
        self._progress = progress
        self._advance(0)
        ahead_bytes = self._batch_bytes + written_ahead_bytes
        look = Look(self._destination, self._chunks, self._journal, ahead_bytes)
        missing = look.find_missing(self.wanted, cancelled, self._advance)
        self._unlisted.extend(look.found - self._journal.chunks)
        return missing

    def wrote(self, numbers: Sequence[int]) -> None:
        """Take note that these chunks are written.

        Raises:
            StorageError: The slot cannot be synced, or the journal not be written.
        """
        self._unlisted.extend(numbers)
        size_bytes = self._size_of(numbers)
        self.bytes_written += size_bytes
        self._unsynced_bytes += size_bytes
        if self._unsynced_bytes >= self._batch_bytes:
            self._list()
        self._advance(size_bytes)

    def spoil(self) -> None:
        """Spoil the destination, and list nothing of what is not in the journal yet."""
        self._unlisted.clear()
        self._destination.spoil()

    @contextlib.contextmanager
    def listing(self) -> Iterator[None]:
        """List what was written when the block ends, however it ends.

        Raises:
            StorageError: The slot cannot be synced, or the journal not be written.
        """
        try:
            yield
        except StorageError:
            raise
        except BaseException:
            with contextlib.suppress(StorageError):  # the error that led here is the one to report
                self._list()
            raise
        self._list()

    def _advance(self, size_bytes: int) -> None:
        self._done += size_bytes
        self._progress(self._done, self._total)

    def _size_of(self, numbers: Sequence[int]) -> int:
        return sum(self._chunks[number].image_length for number in numbers)

    def _list(self) -> None:
        self._destination.sync()
        self._journal.add(self._unlisted)
        self._unlisted.clear()
        self._unsynced_bytes = 0

# SPDX-License-Identifier: Apache-2.0
"""What is missing: which chunks of an image do not yet lie on the slot, by reading it.

A chunk is never believed to be there: it is read back and hashed. So the question is which to look
at, and each look costs time:

1. The chunks that the journal lists.
2. After an interruption those that may have been written without being listed: all before the end
   of the last listed chunk, and as far behind it as a write runs ahead of its journal.
3. Of the rest 16, spread evenly. When any of them is right the slot holds a kindred image, and all
   are looked at.
4. Never those that are all zeros and not listed: to make them is cheaper than to look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from puad.core.cancelling import require_going_on
from puad.core.chunks import Chunk
from puad.writer.chunk_decoder import is_chunk
from puad.writer.chunk_journal import ChunkJournal
from puad.writer.destination import Destination
from puad.writer.plan import is_zero
from puad.writer.slot import make_buffer

_SAMPLES: Final = 16


class Look:
    """One look at the slot before a write.

    Args:
        destination: Where the chunks would lie.
        chunks: All chunks of the image.
        journal: What an earlier write has listed.
        ahead_bytes: How far a write runs ahead of its journal, in bytes of the image.

    Attributes:
        found: Numbers of the chunks that are there.
    """

    def __init__(
        self,
        destination: Destination,
        chunks: Sequence[Chunk],
        journal: ChunkJournal,
        ahead_bytes: int,
    ) -> None:
        self._destination = destination
        self._chunks = chunks
        self._journal = journal
        self._ahead_bytes = ahead_bytes
        self._seen: set[int] = set()
        self.found: set[int] = set()

    def find_missing(
        self,
        wanted: Iterable[int],
        cancelled: Callable[[], bool],
        advance: Callable[[int], None],
    ) -> list[int]:
        """Numbers of the wanted chunks that are not there, rising.

        Args:
            wanted: Numbers of the chunks that matter, rising.
            cancelled: Whether to stop.
            advance: Told the bytes of each chunk that is there.

        Raises:
            OperatorError: `CANCELLED`.
        """
        wanted = list(wanted)
        room = make_buffer(max((chunk.image_length for chunk in self._chunks), default=1))

        def look(numbers: Iterable[int]) -> bool:
            """Whether any of them is there."""
            before = len(self.found)
            for number in numbers:
                require_going_on(cancelled)
                self._seen.add(number)
                chunk = self._chunks[number]
                data = room[: chunk.image_length]
                if self._destination.read(chunk.image_offset, data) and is_chunk(chunk, data):
                    self.found.add(number)
                    advance(chunk.image_length)
            return len(self.found) > before

        look(self._written(wanted))
        rest = [n for n in wanted if n not in self._seen and not is_zero(self._chunks[n])]
        if look(rest[:: max(1, len(rest) // _SAMPLES)][:_SAMPLES]):
            look([n for n in rest if n not in self._seen])
        return [n for n in wanted if n not in self.found]

    def _written(self, wanted: list[int]) -> list[int]:
        """What an earlier write has listed, or may have written."""
        if not self._journal.resumed:
            return []
        listed = self._journal.chunks
        last = max((n for n in listed if n < len(self._chunks)), default=-1)
        end = self._chunks[last].image_offset + self._chunks[last].image_length if last >= 0 else 0
        return [
            n
            for n in wanted
            if n in listed
            or (
                self._chunks[n].image_offset < end + self._ahead_bytes
                and not is_zero(self._chunks[n])
            )
        ]

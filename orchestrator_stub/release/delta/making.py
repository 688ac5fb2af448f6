# SPDX-License-Identifier: Apache-2.0
"""Making one delta: each chunk of the new image as it stands in the old one, or as a frame.

Rules:

1. Two passes of threads run one behind the other: the first finds the anchors of a chunk, the
   second chooses its windows and makes its frame, and knows its neighbours' anchors by then. One
   thread reads and writes, in order; only a few chunks for each thread are ever in memory.
2. The same two images, level and libraries make the same bytes, whatever the threads.
3. A chunk whose frame and windows gain nothing against the full file's frame is left out: a node
   takes it from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from orchestrator_stub.release.delta.anchors import (
    ANCHOR_BYTES,
    Anchors,
    AnchorTable,
    Matches,
    anchor_bits,
    find_anchors,
)
from orchestrator_stub.release.delta.base import Base
from orchestrator_stub.release.delta.encoding import encode_chunk
from orchestrator_stub.release.delta.windows import Surroundings, choose_windows, same_content
from orchestrator_stub.release.in_order import in_order
from puad.core.chunks import Chunk, ChunkIndex
from puad.core.delta import DeltaChunk, DeltaIndex
from puad.core.extent import Extent

_PIECE_BYTES: Final = 1 << 20
_UNDER_WAY_PER_THREAD: Final = 2
DICTIONARY_BYTES: Final = 3 << 20


@dataclass(frozen=True, slots=True)
class Effort:
    """How a delta is made: zstd level, threads, and most bytes of one chunk's dictionary."""

    level: int
    threads: int
    dictionary_bytes: int = DICTIONARY_BYTES

    @property
    def under_way(self) -> int:
        """How many chunks may be in memory in one pass."""
        return self.threads * _UNDER_WAY_PER_THREAD


@dataclass(frozen=True, slots=True)
class _Surveyed:
    chunk: Chunk
    data: bytes
    anchors: int
    matches: Matches


@dataclass(frozen=True, slots=True)
class _Made:
    windows: tuple[Extent, ...]
    frame: bytes | None


def make_delta(
    image: Iterable[bytes],
    index: ChunkIndex,
    base: Base,
    write: Callable[[bytes], object],
    effort: Effort,
    progress: Callable[[int], object],
) -> DeltaIndex:
    """Make a delta.

    Args:
        image: The bytes of the new image, one chunk of its index after another.
        index: Its index, whose frames a node has to take where the delta has none.
        base: The old image.
        write: Takes the frames of the delta, in order.
        effort: How it is made.
        progress: Called with the image bytes of each chunk that is done.

    Raises:
        InputError: When the new image cannot be read.
        NoBaseError: When the old one cannot.
    """
    rows: list[DeltaChunk | None] = []
    offset = 0
    with ThreadPoolExecutor(effort.threads, thread_name_prefix="delta") as pool:
        bits = anchor_bits(base.size)
        table = AnchorTable(_anchors_of(base, bits, pool, effort))
        work = _Work(base, table, bits, effort)
        chunks = zip(index.chunks, image, strict=True)
        surveyed = in_order(pool, work.survey, chunks, effort.under_way)
        made = in_order(pool, work.make, _with_neighbours(surveyed), effort.under_way)
        for chunk, one in zip(index.chunks, made, strict=True):
            rows.append(_row(one, offset))
            if one is not None and one.frame is not None:
                write(one.frame)
                offset += len(one.frame)
            progress(chunk.image_length)
    return DeltaIndex(base.size, tuple(rows))


def _row(made: _Made | None, offset: int) -> DeltaChunk | None:
    if made is None:
        return None
    frame = None if made.frame is None else Extent(offset, len(made.frame))
    return DeltaChunk(frame, made.windows)


def _anchors_of(
    base: Base, bits: int, pool: ThreadPoolExecutor, effort: Effort
) -> Iterator[Anchors]:
    def find(start: int) -> Anchors:
        length = min(_PIECE_BYTES + ANCHOR_BYTES - 1, base.size - start)
        return find_anchors(base.read(Extent(start, length)), start, bits)

    return in_order(pool, find, range(0, base.size, _PIECE_BYTES), effort.under_way)


def _with_neighbours(
    surveyed: Iterable[_Surveyed],
) -> Iterator[tuple[_Surveyed, Matches | None, Matches | None]]:
    """Each chunk with the anchors of the one before it and of the one behind it."""
    before: Matches | None = None
    waiting: _Surveyed | None = None
    for one in surveyed:
        if waiting is not None:
            yield waiting, before, one.matches
            before = waiting.matches
        waiting = one
    if waiting is not None:
        yield waiting, before, None


@dataclass(frozen=True, slots=True)
class _Work:
    """What the threads do, and what they share."""

    base: Base
    table: AnchorTable
    bits: int
    effort: Effort

    def survey(self, piece: tuple[Chunk, bytes]) -> _Surveyed:
        chunk, data = piece
        anchors = find_anchors(data, chunk.image_offset, self.bits)
        return _Surveyed(chunk, data, len(anchors.keys), self.table.match(anchors))

    def make(self, piece: tuple[_Surveyed, Matches | None, Matches | None]) -> _Made | None:
        one, before, after = piece
        place = Extent(one.chunk.image_offset, one.chunk.image_length)
        for offset in same_content(one.matches, place, self.base.size):
            old = Extent(offset, place.length)
            if self.base.read(old) == one.data:
                return _Made((old,), None)
        windows: tuple[Extent, ...] = ()
        if not _is_one_byte(one.data):
            around = Surroundings(place, one.anchors, one.matches, before, after)
            windows = choose_windows(around, self.base.size, self.effort.dictionary_bytes)
        dictionary = b"".join(map(self.base.read, windows))
        frame = encode_chunk(one.data, dictionary, self.effort.level)
        if len(frame) > one.chunk.file_length - bool(windows):
            return None
        return _Made(windows, frame)


def _is_one_byte(data: bytes) -> bool:
    """Whether the same byte stands everywhere, as in empty space: no dictionary shortens that."""
    return data[1:] == data[:-1]

# SPDX-License-Identifier: Apache-2.0
"""The plan of a write: for each missing chunk the way that costs the fewest bytes over the wire.

1. Zeros cost nothing, nor does a chunk that stands in the old image as it is.
2. A frame of a delta is taken where it is shorter than the full file's frame for that chunk. So no
   delta is ever dearer than the full file.
3. Of several deltas the cheapest is taken; of equal ones the first, and none where none is cheaper.

Pure: deltas come as an iterable, and none is taken from it when there is nothing to fetch.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import lru_cache

from puad.core.chunks import Chunk
from puad.core.delta import DeltaChunk
from puad.writer.delta_file import DeltaFile


class Way(Enum):
    """How a chunk comes to the slot."""

    ZERO = auto()
    COPY = auto()
    DELTA = auto()
    FULL = auto()


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest chunk, frame and dictionary of a write, in bytes."""

    chunk: int
    frame: int
    dictionary: int


@dataclass(frozen=True, slots=True)
class WritePlan:
    """What is to be done.

    Attributes:
        total: How many chunks matter.
        missing: Numbers of the chunks that are not on the slot, rising.
        delta: The delta that is used; None for none.
        counts: How many of the missing chunks come by each way.
        delta_bytes: What is fetched of the delta, when every chunk of it comes out right.
        full_bytes: What is fetched of the full file then.
        undelta_bytes: What would be fetched without any delta.
    """

    total: int
    missing: tuple[int, ...]
    delta: DeltaFile | None
    counts: Counter[Way]
    delta_bytes: int
    full_bytes: int
    undelta_bytes: int

    @property
    def bytes_to_fetch(self) -> int:
        """What it costs over the wire."""
        return self.delta_bytes + self.full_bytes

    def made(self, number: int) -> DeltaChunk | None:
        """How the delta makes a chunk; None when it does not, or when there is none."""
        return self.delta.made(number) if self.delta else None

    def largest(self, chunks: Sequence[Chunk]) -> Largest:
        """What the largest of the missing chunks need, by whatever way they come."""
        makers = [made for number in self.missing if (made := self.made(number)) and made.frame]
        return Largest(
            chunk=max((chunks[number].image_length for number in self.missing), default=0),
            frame=max(
                max((chunks[number].file_length for number in self.missing), default=0),
                max((made.frame.length for made in makers if made.frame), default=0),
            ),
            dictionary=max((made.dictionary_bytes for made in makers), default=0),
        )

    def __str__(self) -> str:
        way = f"by the delta from {self.delta.from_version}" if self.delta else "of the full file"
        why = [
            *([f"full: {_mib(self.undelta_bytes)}"] if self.delta else []),
            *self._share(self.counts[Way.COPY], "as they are on the active slot"),
            *self._share(self.total - len(self.missing), "already on the slot"),
            *self._share(self.counts[Way.ZERO], "zero"),
        ]
        reason = f" ({', '.join(why)})" if why else ""
        return f"fetching {_mib(self.bytes_to_fetch)} {way}{reason}"

    def _share(self, count: int, what: str) -> list[str]:
        return [f"{count} of {self.total} chunks {what}"] if count else []


def plan_write(
    chunks: Sequence[Chunk],
    missing: Iterable[int],
    deltas: Iterable[DeltaFile],
    total: int | None = None,
) -> WritePlan:
    """Find the cheapest way.

    Args:
        chunks: All chunks of the image.
        missing: Numbers of those that are not on the slot.
        deltas: What there is beside the full file, for the same chunks.
        total: How many chunks matter; None for all.
    """
    wanted = tuple(sorted(missing))
    best = full = _cost(chunks, wanted, None, None)
    if full.bytes_to_fetch:
        for delta in deltas:
            plan = _cost(chunks, wanted, delta, full)
            if plan.bytes_to_fetch < best.bytes_to_fetch:
                best = plan
    return replace(best, total=len(chunks) if total is None else total)


def way_of(chunk: Chunk, made: DeltaChunk | None) -> Way:
    """The cheapest way of one chunk.

    Args:
        chunk: The chunk.
        made: How the delta makes it; None when it does not.
    """
    if is_zero(chunk):
        return Way.ZERO
    if made is None:
        return Way.FULL
    if made.frame is None:
        return Way.COPY
    return Way.DELTA if made.frame.length < chunk.file_length else Way.FULL


def is_zero(chunk: Chunk) -> bool:
    """Whether a chunk is all zeros, by its signed hash."""
    return chunk.sha256 == _hash_of_zeros(chunk.image_length)


def _cost(
    chunks: Sequence[Chunk],
    missing: tuple[int, ...],
    delta: DeltaFile | None,
    full: WritePlan | None,
) -> WritePlan:
    counts: Counter[Way] = Counter()
    delta_bytes = full_bytes = 0
    for number in missing:
        made = delta.made(number) if delta else None
        way = way_of(chunks[number], made)
        counts[way] += 1
        if way is Way.FULL:
            full_bytes += chunks[number].file_length
        elif made and made.frame and way is Way.DELTA:
            delta_bytes += made.frame.length
    undelta_bytes = full.bytes_to_fetch if full else full_bytes
    return WritePlan(len(chunks), missing, delta, counts, delta_bytes, full_bytes, undelta_bytes)


@lru_cache(maxsize=64)
def _hash_of_zeros(length: int) -> bytes:
    return hashlib.sha256(bytes(length)).digest()


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.1f} MiB"

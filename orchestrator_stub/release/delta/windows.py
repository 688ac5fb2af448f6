# SPDX-License-Identifier: Apache-2.0
"""Windows: which runs of the old image help most to make one chunk of the new one.

Rules:

1. Each anchor counts once: where most others stand nearby.
2. Content between two anchors that moved alike stood between them in the old image as well, also
   where it was changed so much that it has no anchor itself.
3. Windows begin and end at pages of the old image, as its device reads them. There are at most
   `MAX_WINDOWS`, together no longer than the budget; what is left out is what the fewest anchors
   ask for. As long as much of the chunk is unknown, the budget is used up.
4. The window that most anchors ask for comes last, nearest to the chunk: the nearer, the shorter
   zstd writes where it copies from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestrator_stub.release.delta.anchors import ANCHOR_BYTES, Matches, Places
from puad.core.delta import MAX_WINDOWS
from puad.core.extent import Extent

PAGE_BYTES: Final = 4096
# How far around a chunk its neighbours' anchors tell where its own content stood.
NEIGHBOURHOOD_BYTES: Final = 128 << 10
_NEIGHBOUR_SHARE: Final = 0.25
# What else an anchor brings: content right beside it is likely to have stood beside it before.
_PAD_BYTES: Final = 32 << 10
# Two runs this near to one another are one: the bytes between cost less than a second window.
_GAP_BYTES: Final = 64 << 10
# The longest stretch without an anchor that is bridged.
_BRIDGE_BYTES: Final = 1 << 20
# Where the old image has so many of a chunk's anchors, what stands around them adds nothing.
_KNOWN_PART: Final = 0.7
_REGION_BYTES: Final = 64 << 10
_PIECE_BYTES: Final = 128 << 10
_MIN_PIECES: Final = 4
_MAX_PIECES: Final = 1024


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of a chunk before its windows are chosen.

    Attributes:
        chunk: Where it lies in the new image.
        anchors: How many anchors it has.
        matches: Those of them that the old image has.
        before: Those of the chunk before it.
        after: Those of the chunk behind it.
    """

    chunk: Extent
    anchors: int
    matches: Matches
    before: Matches | None
    after: Matches | None


@dataclass(frozen=True, slots=True)
class _Places:
    """Where anchors stand, one place each, in the order of the new image."""

    new: Places
    old: Places
    shares: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    votes: float

    @property
    def length(self) -> int:
        return self.end - self.start


def choose_windows(around: Surroundings, base_size: int, budget: int) -> tuple[Extent, ...]:
    """The windows for a chunk, the most useful one last.

    Args:
        around: The chunk and what is known of it.
        base_size: Size of the old image, in bytes.
        budget: How long they may be together, in bytes; several pages.
    """
    places = _places(around)
    runs = _runs(places, around.chunk, base_size)
    votes = _Votes(places)
    windows = _fitting(runs, votes, budget)
    if len(np.unique(around.matches.anchors)) <= _KNOWN_PART * around.anchors:
        windows = _grown(windows, base_size, budget)
    chosen = sorted(windows, key=lambda run: (votes.between(run.start, run.end), run.start))
    return tuple(Extent(run.start, run.length) for run in chosen)


def same_content(matches: Matches, chunk: Extent, base_size: int) -> Iterator[int]:
    """Where in the old image a whole chunk may stand as it is, likeliest first, at most four."""
    moves, counts = np.unique(matches.old - matches.new, return_counts=True)
    likely = moves[np.argsort(-counts, kind="stable")][:3]
    for move in dict.fromkeys((*map(int, likely), 0)):
        if 0 <= chunk.offset + move <= base_size - chunk.length:
            yield chunk.offset + move


def _places(around: Surroundings) -> _Places:
    near = Extent(
        around.chunk.offset - NEIGHBOURHOOD_BYTES, around.chunk.length + 2 * NEIGHBOURHOOD_BYTES
    )
    parts = [(around.matches, 1.0)]
    if around.before is not None:
        parts.insert(0, (_within(around.before, near), _NEIGHBOUR_SHARE))
    if around.after is not None:
        parts.append((_within(around.after, near), _NEIGHBOUR_SHARE))
    found = [_once_each(matches, weight) for matches, weight in parts]
    return _Places(
        np.concatenate([one.new for one in found]),
        np.concatenate([one.old for one in found]),
        np.concatenate([one.shares for one in found]),
    )


def _within(matches: Matches, near: Extent) -> Matches:
    chosen = (matches.new >= near.offset) & (matches.new < near.end)
    return Matches(
        matches.anchors[chosen], matches.new[chosen], matches.old[chosen], matches.shares[chosen]
    )


def _once_each(matches: Matches, weight: float) -> _Places:
    """Of several places of an anchor the one in the region that most anchors stand in."""
    if not len(matches.new):
        return _Places(matches.new, matches.old, matches.shares)
    regions, which = np.unique(matches.old // _REGION_BYTES, return_inverse=True)
    votes = np.bincount(which, matches.shares)
    near = votes.copy()
    beside = np.diff(regions) == 1
    near[1:][beside] += votes[:-1][beside]
    near[:-1][beside] += votes[1:][beside]
    order = np.lexsort((-near[which], matches.anchors))
    first = np.ones(len(order), np.bool_)
    first[1:] = np.diff(matches.anchors[order]) != 0
    best = order[first]
    return _Places(matches.new[best], matches.old[best], np.full(len(best), weight))


class _Votes:
    """How many anchors ask for a run of the old image."""

    def __init__(self, places: _Places) -> None:
        order = np.argsort(places.old, kind="stable")
        self._old = places.old[order]
        self._sums = np.concatenate(([0.0], np.cumsum(places.shares[order])))

    def between(self, start: int, end: int) -> float:
        first, last = np.searchsorted(self._old, (start, end), "left")
        return float(self._sums[last] - self._sums[first])


def _runs(places: _Places, chunk: Extent, base_size: int) -> list[tuple[int, int]]:
    """Runs of the old image that anchors ask for: around each, and between those that agree."""
    if not len(places.new):
        middle = min(chunk.offset, max(0, base_size - chunk.length))
        return [_paged(middle - _PAD_BYTES, middle + chunk.length + _PAD_BYTES, base_size)]
    starts, ends = [places.old - _PAD_BYTES], [places.old + ANCHOR_BYTES + _PAD_BYTES]
    new_steps, old_steps = np.diff(places.new), np.diff(places.old)
    alike = (old_steps > 0) & (new_steps <= _BRIDGE_BYTES) & (old_steps <= 2 * new_steps)
    starts.append(places.old[:-1][alike])
    ends.append(places.old[1:][alike])
    starts.append(places.old[:1] - max(0, int(places.new[0]) - chunk.offset) - _PAD_BYTES)
    ends.append(places.old[:1])
    starts.append(places.old[-1:])
    ends.append(places.old[-1:] + max(0, chunk.end - int(places.new[-1])) + _PAD_BYTES)
    return _merged(np.concatenate(starts), np.concatenate(ends), base_size)


def _merged(starts: Places, ends: Places, base_size: int) -> list[tuple[int, int]]:
    order = np.argsort(starts, kind="stable")
    starts, reached = starts[order], np.maximum.accumulate(ends[order])
    begins = np.flatnonzero(np.concatenate(([True], starts[1:] > reached[:-1] + _GAP_BYTES)))
    lasts = np.concatenate((begins[1:] - 1, [len(starts) - 1]))
    return [
        _paged(start, end, base_size)
        for start, end in zip(starts[begins].tolist(), reached[lasts].tolist(), strict=True)
    ]


def _paged(start: int, end: int, base_size: int) -> tuple[int, int]:
    """The run's pages, as far as the old image has them."""
    start = max(0, start) // PAGE_BYTES * PAGE_BYTES
    return start, min(base_size, -(-end // PAGE_BYTES) * PAGE_BYTES)


def _fitting(runs: Sequence[tuple[int, int]], votes: _Votes, budget: int) -> list[_Piece]:
    """Of the runs what most anchors ask for, within the budget and the number of windows."""
    step = min(_PIECE_BYTES, max(1, budget // _MIN_PIECES // PAGE_BYTES) * PAGE_BYTES)
    pieces = [
        _Piece(at, min(at + step, end), votes.between(at, min(at + step, end)))
        for start, end in runs
        for at in range(start, end, step)
    ]
    pieces.sort(key=lambda piece: (-piece.votes / piece.length, piece.start))
    taken, left = [], budget
    for piece in pieces[:_MAX_PIECES]:
        if piece.length <= left:
            taken.append(piece)
            left -= piece.length
    windows = _joined(taken)
    windows.sort(key=lambda run: (-run.votes, run.start))
    return windows[:MAX_WINDOWS]


def _joined(pieces: list[_Piece]) -> list[_Piece]:
    """Pieces that touch or overlap become one."""
    joined: list[_Piece] = []
    for piece in sorted(pieces, key=lambda one: one.start):
        if joined and piece.start <= joined[-1].end:
            last = joined.pop()
            end = max(last.end, piece.end)
            joined.append(_Piece(last.start, end, last.votes + piece.votes))
        else:
            joined.append(piece)
    return joined


def _grown(windows: list[_Piece], base_size: int, budget: int) -> list[_Piece]:
    """Use up the budget: what stands around content that was found often helps as well."""
    spare = budget - sum(window.length for window in windows)
    each = spare // (2 * max(1, len(windows))) // PAGE_BYTES * PAGE_BYTES
    grown = [
        _Piece(max(0, one.start - each), min(base_size, one.end + each), one.votes)
        for one in windows
    ]
    return _joined(grown)

# SPDX-License-Identifier: Apache-2.0
"""The plan: each chunk by its cheapest way, and no delta that is dearer than the full file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.chunks import Chunk
from puad.core.delta import DeltaChunk, DeltaIndex
from puad.core.extent import Extent
from puad.writer.delta_file import DeltaFile
from puad.writer.plan import Way, plan_write, way_of
from tests.unit.writer.workbench import MemorySource

LENGTH = 1 << 20
ZEROS = hashlib.sha256(bytes(LENGTH)).digest()
OTHER = hashlib.sha256(b"x").digest()
COPIED = DeltaChunk(None, (Extent(0, LENGTH),))
NOWHERE = MemorySource(b"")


def chunks_of(*frames: int, zeros: frozenset[int] = frozenset()) -> list[Chunk]:
    """Chunks with frames of these lengths."""
    return [
        Chunk(n * LENGTH, LENGTH, sum(frames[:n]), frames[n], ZEROS if n in zeros else OTHER)
        for n in range(len(frames))
    ]


def framed(length: int, dictionary: int = 5000) -> DeltaChunk:
    return DeltaChunk(Extent(0, length), (Extent(0, dictionary),))


def delta(name: str, *made: DeltaChunk | None) -> DeltaFile:
    return DeltaFile(name, DeltaIndex(1 << 30, made), NOWHERE)


@pytest.mark.parametrize(
    ("zero", "made", "way"),
    [
        (False, None, Way.FULL),
        (False, COPIED, Way.COPY),
        (False, framed(99), Way.DELTA),
        (False, framed(100), Way.FULL),
        (False, framed(101), Way.FULL),
        (True, None, Way.ZERO),
        (True, COPIED, Way.ZERO),
        (True, framed(1), Way.ZERO),
    ],
)
def test_way_of_a_chunk(zero: bool, made: DeltaChunk | None, way: Way) -> None:
    (chunk,) = chunks_of(100, zeros=frozenset({0} if zero else ()))
    assert way_of(chunk, made) is way


def test_plan_without_deltas_is_the_full_file() -> None:
    plan = plan_write(chunks_of(100, 200, 300), [2, 0], ())
    assert plan.missing == (0, 2)
    assert (plan.delta, plan.delta_bytes, plan.full_bytes) == (None, 0, 400)


def test_plan_takes_the_cheapest_delta_and_the_first_of_equal_ones() -> None:
    dear = delta("dear", framed(90), framed(90))
    cheap, as_cheap = delta("cheap", framed(10), COPIED), delta("same", COPIED, framed(10))
    plan = plan_write(chunks_of(100, 100), [0, 1], [dear, cheap, as_cheap])
    assert plan.delta is cheap
    assert (plan.delta_bytes, plan.full_bytes, plan.undelta_bytes) == (10, 0, 200)


def test_plan_counts_only_what_is_missing() -> None:
    first, second = delta("first", COPIED, framed(90)), delta("second", framed(90), COPIED)
    assert plan_write(chunks_of(100, 100), [0], [first, second]).delta is first
    assert plan_write(chunks_of(100, 100), [1], [first, second]).delta is second


def test_plan_takes_no_delta_that_saves_nothing() -> None:
    useless = delta("useless", None, framed(100))
    assert plan_write(chunks_of(100, 100), [0, 1], [useless]).delta is None


@pytest.mark.parametrize("missing", [[], [1]], ids=["nothing missing", "zeros missing"])
def test_plan_that_fetches_nothing_asks_for_no_delta(missing: list[int]) -> None:
    class Untouched:
        def __iter__(self) -> Iterator[DeltaFile]:
            pytest.fail("it was asked for")

    plan = plan_write(chunks_of(100, 100, zeros=frozenset({1})), missing, Untouched())
    assert plan.bytes_to_fetch == 0


def test_plan_tells_way_and_reason() -> None:
    chunks = chunks_of(*[3 << 20] * 10, zeros=frozenset({9}))
    made = [*[COPIED] * 5, *[framed(1 << 19)] * 3, None, None]
    plan = plan_write(chunks, range(1, 10), [delta("13.0", *made)])
    assert str(plan) == (
        "fetching 4.5 MiB by the delta from 13.0 (full: 24.0 MiB, "
        "4 of 10 chunks as they are on the active slot, 1 of 10 chunks already on the slot, "
        "1 of 10 chunks zero)"
    )
    assert str(plan_write(chunks[:2], [0, 1], ())) == "fetching 6.0 MiB of the full file"


def test_largest_counts_what_each_way_may_need() -> None:
    plan = plan_write(chunks_of(100, 100, 9), [0, 1], [delta("d", framed(5, 7000), framed(400))])
    largest = plan.largest(chunks_of(100, 100, 9))
    assert (largest.chunk, largest.frame, largest.dictionary) == (LENGTH, 400, 7000)


MADE = st.one_of(st.none(), st.just(COPIED), st.builds(framed, st.integers(1, 2000)))


@given(st.data())
def test_no_plan_is_dearer_than_the_full_file_or_any_delta(data: st.DataObject) -> None:
    frames = data.draw(st.lists(st.integers(1, 2000), min_size=1, max_size=12))
    numbers = st.sets(st.integers(0, len(frames) - 1))
    zeros, missing = data.draw(numbers), data.draw(numbers)
    chunks = chunks_of(*frames, zeros=frozenset(zeros))
    rows = st.lists(MADE, min_size=len(frames), max_size=len(frames))
    drawn = data.draw(st.lists(rows, max_size=4))
    deltas = [delta(str(n), *made) for n, made in enumerate(drawn)]
    plan = plan_write(chunks, missing, deltas)
    fetched = missing - zeros
    full = sum(frames[n] for n in fetched)

    def cost(made: list[DeltaChunk | None]) -> int:
        total = 0
        for number in fetched:
            row = made[number]
            by_delta = frames[number] if row is None else row.frame.length if row.frame else 0
            total += min(frames[number], by_delta)
        return total

    assert plan.bytes_to_fetch == min([full, *(cost(made) for made in drawn)])
    assert plan.undelta_bytes == full
    assert sum(plan.counts.values()) == len(plan.missing) == len(missing)


EXTENTS = st.builds(Extent, st.integers(0, 1 << 40), st.integers(1, 1 << 23))
CHUNKS = st.one_of(
    st.none(),
    st.builds(lambda window: DeltaChunk(None, (window,)), EXTENTS),
    st.builds(lambda frame, windows: DeltaChunk(frame, tuple(windows)), EXTENTS, st.lists(EXTENTS)),
)


@given(st.lists(CHUNKS))
def test_delta_gives_back_the_rows_of_its_index(rows: list[DeltaChunk | None]) -> None:
    file = delta("d", *rows)
    assert [file.made(number) for number in range(len(rows))] == rows

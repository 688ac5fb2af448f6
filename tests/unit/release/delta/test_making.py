# SPDX-License-Identifier: Apache-2.0
"""Deltas as a node reads them: every chunk comes out, whatever became of the image."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_stub.release.delta.base import Base, NoBaseError
from orchestrator_stub.release.delta.making import Effort, make_delta
from puad.core.chunks import Chunk, ChunkIndex
from tests.unit.release.delta.deltas import QUICK, SMALL_CHUNK, ignore, make

KIB = 1 << 10
PAGE = 4096


def content(size: int, seed: int) -> bytes:
    """Half noise, half what compresses, as files are."""
    rng = random.Random(seed)
    words = [rng.randbytes(12) for _ in range(50)]
    out = bytearray()
    while len(out) < size:
        out += rng.randbytes(200) + b"".join(rng.choices(words, k=20))
    return bytes(out[:size])


def edited(data: bytes, rng: random.Random) -> bytes:
    """The data after one change: an insertion, a removal, a move, other bytes, other end."""
    at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    page = at // PAGE * PAGE
    changes: list[Callable[[], bytes]] = [
        lambda: data[:at] + rng.randbytes(rng.randrange(3000)) + data[at:],
        lambda: data[:page] + bytes(PAGE) + data[page:],
        lambda: data[:at] + data[min(to, at + 9000) :],
        lambda: data[to:] + data[:to],
        lambda: data[:at] + data[at:to][::-1][: 5 * KIB] + data[at + len(data[at:to][: 5 * KIB]) :],
        lambda: data[:at] + bytes(b ^ 0x55 for b in data[at : at + 40]) + data[at + 40 :],
        lambda: data[: max(to, 1)],
        lambda: data + data[at:to],
    ]
    return rng.choice(changes)() or b"\0"


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 300 * KIB),
    st.integers(0, 1 << 16),
    st.integers(0, 12),
    st.sampled_from([SMALL_CHUNK, 5000, 77 * KIB]),
)
def test_make_delta_any_change_gives_the_new_image(
    size: int, seed: int, changes: int, chunk_bytes: int
) -> None:
    old, rng = content(size, seed), random.Random(seed)
    new = old
    for _ in range(changes):
        new = edited(new, rng)
    made = make(old, new, chunk_bytes=chunk_bytes)
    assert made.rebuild(old) == new
    assert made.cost - len(made.index_bytes) <= made.full


def test_make_delta_unchanged_image_has_references_alone() -> None:
    old = content(500 * KIB, 1)
    made = make(old, old)
    assert made.delta == b""
    assert [row.windows[0].offset for row in made.index.chunks if row] == list(
        range(0, 500 * KIB, SMALL_CHUNK)
    )


@pytest.mark.parametrize("by", [PAGE, 3 * PAGE, 1, 4711])
def test_make_delta_chunk_that_moved_by_any_distance_is_a_reference(by: int) -> None:
    old = content(500 * KIB, 2)
    made = make(old, content(by, 3) + old)
    whole = [row for row in made.index.chunks if row and row.frame is None]
    assert len(whole) == len(made.index.chunks) - 1
    assert {row.windows[0].offset % SMALL_CHUNK for row in whole} == {-by % SMALL_CHUNK}


def test_make_delta_files_that_changed_places_cost_little() -> None:
    files = [content(random.Random(n).randrange(2, 30) * PAGE, n) for n in range(40)]
    old = b"".join(files)
    random.Random(5).shuffle(files)
    made = make(old, b"".join(files))
    assert made.rebuild(old) == b"".join(files)
    assert made.cost < made.full / 20


def test_make_delta_change_in_every_page_costs_little() -> None:
    old = content(800 * KIB, 4)
    new = bytearray(old)
    for at in range(0, len(new), PAGE):
        new[at + at % 3000] ^= 0xFF
    made = make(old, bytes(new))
    assert made.rebuild(old) == new
    assert made.cost < made.full / 10


@pytest.mark.parametrize(
    "new",
    [
        random.Random(6).randbytes(300 * KIB),
        bytes(300 * KIB),
        b"\xff" * (300 * KIB),
        random.Random(6).randbytes(PAGE) * 75,
        b"ab" * (150 * KIB),
    ],
    ids=["noise", "zeros", "ones", "one page", "two bytes"],
)
@pytest.mark.parametrize(
    "old",
    [content(400 * KIB, 7), bytes(400 * KIB), random.Random(6).randbytes(PAGE) * 100, b"\1"],
    ids=["files", "zeros", "one page", "one byte"],
)
def test_make_delta_hostile_image_comes_out_and_costs_no_more_than_the_full_file(
    old: bytes, new: bytes
) -> None:
    made = make(old, new)
    assert made.rebuild(old) == new
    assert made.cost <= made.full + len(made.index_bytes)


def test_make_delta_threads_do_not_change_a_byte() -> None:
    old = content(600 * KIB, 8)
    new = edited(edited(old, random.Random(1)), random.Random(2)) + content(90 * KIB, 9)
    made = [make(old, new, replace(QUICK, threads=threads)) for threads in (1, 2, 7)]
    assert made[0].delta == made[1].delta == made[2].delta
    assert made[0].index == made[1].index == made[2].index


@pytest.mark.parametrize("budget", [16 * KIB, 128 * KIB])
def test_make_delta_no_dictionary_is_longer_than_allowed(budget: int) -> None:
    files = [content(20 * KIB, n) for n in range(40)]
    old, new = b"".join(files), b"".join(file[7:] for file in reversed(files))
    made = make(old, new, Effort(1, 2, budget), 256 * KIB)
    assert made.rebuild(old) == new
    used = [row.dictionary_bytes for row in made.index.chunks if row and row.frame]
    assert used
    assert max(used) <= budget


def test_make_delta_base_that_cannot_be_read_is_no_base() -> None:
    chunk = Chunk(0, 4, 0, 17, bytes(32))
    index = ChunkIndex(4, (chunk,))
    with pytest.raises(NoBaseError):
        make_delta([b"abcd"], index, Base(-1, 4), bytearray().extend, QUICK, ignore)


def test_make_delta_empty_space_needs_no_dictionary_and_no_full_file() -> None:
    old = content(400 * KIB, 10)
    made = make(old, bytes(200 * KIB) + old[200 * KIB :])
    empty = made.index.chunks[: 200 * KIB // SMALL_CHUNK]
    assert all(row is not None and row.frame and not row.windows for row in empty)

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_stub.release.delta.anchors import Matches
from orchestrator_stub.release.delta.windows import (
    NEIGHBOURHOOD_BYTES,
    PAGE_BYTES,
    Surroundings,
    choose_windows,
    same_content,
)
from puad.core.delta import MAX_DICTIONARY_BYTES, MAX_WINDOWS
from puad.core.extent import Extent

MIB = 1 << 20
KIB = 1 << 10
CHUNK = Extent(10 * MIB, MIB)


def matches(*pairs: tuple[int, int]) -> Matches:
    """Anchors with one place each: (new, old)."""
    ordered = sorted(pairs)
    new, old = np.array(ordered, np.int64).reshape(-1, 2).T
    return Matches(np.arange(len(new)), new, old, np.ones(len(new)))


def moved(start: int, length: int, by: int, step: int = 512) -> list[tuple[int, int]]:
    """The anchors of a run of the new image that moved as a whole."""
    return [(at, at + by) for at in range(start, start + length, step)]


def windows_of(
    found: Matches,
    *,
    before: Matches | None = None,
    after: Matches | None = None,
    base_size: int = 64 * MIB,
    budget: int = 2 * MIB,
    unknown: int = 0,
) -> tuple[Extent, ...]:
    around = Surroundings(CHUNK, len(found.new) + unknown, found, before, after)
    return choose_windows(around, base_size, budget)


def covers(windows: tuple[Extent, ...], start: int, length: int) -> bool:
    return any(w.offset <= start and start + length <= w.end for w in windows)


@st.composite
def some_matches(draw: st.DrawFn) -> tuple[Matches, int]:
    base_size = draw(st.integers(1, 40 * MIB))
    seed = draw(st.integers(0, 1 << 16))
    count = draw(st.integers(0, 3000))
    clustered = draw(st.booleans())
    rng = random.Random(seed)
    centres = [rng.randrange(base_size) for _ in range(rng.randint(1, 90))]
    pairs = []
    for _ in range(count):
        old = rng.choice(centres) + rng.randrange(8192) if clustered else rng.randrange(base_size)
        pairs.append((CHUNK.offset + rng.randrange(MIB), min(old, base_size - 1)))
    return matches(*pairs), base_size


@settings(max_examples=60, deadline=None)
@given(some_matches(), st.sampled_from([64 * KIB, MIB, 3 * MIB, MAX_DICTIONARY_BYTES]))
def test_choose_windows_whatever_matches_the_limits_hold(
    given: tuple[Matches, int], budget: int
) -> None:
    found, base_size = given
    windows = windows_of(found, before=found, after=found, base_size=base_size, budget=budget)
    assert 0 < len(windows) <= MAX_WINDOWS
    assert sum(window.length for window in windows) <= budget
    ordered = sorted(windows, key=lambda window: window.offset)
    for window, following in pairwise(ordered):
        assert window.end < following.offset
    for window in windows:
        assert window.offset % PAGE_BYTES == 0
        assert window.end % PAGE_BYTES == 0 or window.end == base_size
        assert window.length > 0
        assert window.end <= base_size


def test_choose_windows_content_that_moved_is_covered_whole() -> None:
    windows = windows_of(matches(*moved(CHUNK.offset, MIB, by=5 * MIB)))
    assert covers(windows, CHUNK.offset + 5 * MIB, MIB)


def test_choose_windows_content_of_three_places_is_covered_in_each() -> None:
    parts = [(CHUNK.offset, 20), (CHUNK.offset + 300 * KIB, 3), (CHUNK.offset + 700 * KIB, 50)]
    found = [pair for start, to in parts for pair in moved(start, 250 * KIB, to * MIB - start)]
    windows = windows_of(matches(*found))
    for _, to in parts:
        assert covers(windows, to * MIB, 249 * KIB)


def test_choose_windows_changed_content_between_what_moved_alike_is_covered() -> None:
    head = moved(CHUNK.offset, 8 * KIB, by=MIB)
    tail = moved(CHUNK.offset + 900 * KIB, 8 * KIB, by=MIB)
    assert covers(windows_of(matches(*head, *tail)), CHUNK.offset + MIB, 908 * KIB)


def test_choose_windows_budget_too_small_keeps_what_most_anchors_ask_for() -> None:
    few = moved(CHUNK.offset, 400 * KIB, by=MIB, step=8 * KIB)
    many = moved(CHUNK.offset + 500 * KIB, 400 * KIB, by=20 * MIB)
    windows = windows_of(matches(*few, *many), budget=512 * KIB)
    assert covers(windows, CHUNK.offset + 500 * KIB + 20 * MIB, 399 * KIB)


def test_choose_windows_most_useful_comes_last() -> None:
    few = moved(CHUNK.offset, 100 * KIB, by=30 * MIB, step=2 * KIB)
    many = moved(CHUNK.offset + 500 * KIB, 400 * KIB, by=MIB)
    windows = windows_of(matches(*few, *many))
    assert covers(windows[-1:], CHUNK.offset + 500 * KIB + MIB, 400 * KIB)
    assert len(windows) == 2


def test_choose_windows_chunk_without_anchors_follows_its_neighbours() -> None:
    before = matches(*moved(CHUNK.offset - NEIGHBOURHOOD_BYTES, 120 * KIB, by=9 * MIB))
    after = matches(*moved(CHUNK.end, 100 * KIB, by=9 * MIB))
    found = windows_of(matches(), before=before, after=after, budget=3 * MIB)
    assert covers(found, CHUNK.offset + 9 * MIB, MIB)
    assert covers(windows_of(matches(), before=before), CHUNK.offset + 9 * MIB, MIB)
    assert covers(windows_of(matches(), after=after), CHUNK.offset + 9 * MIB, MIB)


def test_choose_windows_nothing_known_looks_at_the_same_place() -> None:
    assert covers(windows_of(matches()), CHUNK.offset, MIB)
    [window] = windows_of(matches(), base_size=3 * MIB, budget=8 * MIB)
    assert window == Extent(0, 3 * MIB)


def test_choose_windows_of_two_places_takes_that_where_others_stand() -> None:
    alone = moved(CHUNK.offset, 200 * KIB, by=5 * MIB)
    twice = (CHUNK.offset + 204 * KIB, CHUNK.offset + 204 * KIB + 5 * MIB)
    found = matches(*alone, twice, (twice[0], 60 * MIB))
    found = Matches(
        np.unique(found.new, return_inverse=True)[1], found.new, found.old, found.shares
    )
    windows = windows_of(found, budget=MIB)
    assert covers(windows, twice[1], KIB)
    assert not covers(windows, 60 * MIB, 1)


@pytest.mark.parametrize("by", [-3 * MIB, 0, 4096, 7])
def test_same_content_likeliest_place_comes_first(by: int) -> None:
    found = matches(*moved(CHUNK.offset, MIB, by), (CHUNK.offset + 5, 3))
    places = list(same_content(found, CHUNK, 64 * MIB))
    assert places[0] == CHUNK.offset + by
    assert len(places) <= 4
    assert CHUNK.offset in places


def test_same_content_never_lies_outside_the_old_image() -> None:
    found = matches(*moved(CHUNK.offset, MIB, by=-10 * MIB), *moved(CHUNK.offset, MIB, by=MIB))
    for size in (MIB - 1, MIB, 11 * MIB, 12 * MIB - 1):
        for place in same_content(found, CHUNK, size):
            assert 0 <= place <= size - MIB
    assert list(same_content(matches(), CHUNK, MIB - 1)) == []


def test_choose_windows_budget_is_used_up_only_for_a_chunk_that_is_largely_unknown() -> None:
    found = matches(*moved(CHUNK.offset, 300 * KIB, by=20 * MIB))
    known = windows_of(found, budget=3 * MIB, unknown=100)
    unknown = windows_of(found, budget=3 * MIB, unknown=1000)
    assert sum(window.length for window in known) < 2 * MIB
    assert sum(window.length for window in unknown) > 2.9 * MIB
    for windows in (known, unknown):
        assert covers(windows, CHUNK.offset + 20 * MIB, 300 * KIB)

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_stub.release.delta.anchors import (
    _CHOICE,
    ANCHOR_BYTES,
    MAX_ANCHORS,
    MAX_PLACES,
    Anchors,
    AnchorTable,
    anchor_bits,
    find_anchors,
)

MIB = 1 << 20
BITS = 4


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def by_place(anchors: Anchors) -> dict[int, int]:
    return dict(zip(anchors.places.tolist(), anchors.keys.tolist(), strict=True))


@given(st.integers(0, 200), st.integers(0, 100), st.binary(max_size=40))
def test_find_anchors_content_that_moved_takes_them_along(
    start: int, seed: int, before: bytes
) -> None:
    content = noise(4000, seed)
    alone = by_place(find_anchors(content, start, BITS))
    moved = by_place(find_anchors(before + content, start, BITS))
    expected = {place + len(before): key for place, key in alone.items()}
    behind = {place: key for place, key in moved.items() if place >= start + len(before)}
    assert behind == expected
    assert len(alone) > 100


@given(st.integers(ANCHOR_BYTES, 3000))
def test_find_anchors_pieces_that_overlap_have_those_of_the_whole(cut: int) -> None:
    content = noise(4000)
    whole = by_place(find_anchors(content, 0, BITS))
    first = by_place(find_anchors(content[: cut + ANCHOR_BYTES - 1], 0, BITS))
    second = by_place(find_anchors(content[cut:], cut, BITS))
    assert not first.keys() & second.keys()
    assert first | second == whole


@pytest.mark.parametrize("size", range(ANCHOR_BYTES + 9))
def test_find_anchors_any_small_size_stays_inside(size: int) -> None:
    places = find_anchors(noise(size), 0, 1).places
    assert all(0 <= place <= size - ANCHOR_BYTES for place in places)


def test_find_anchors_are_as_rare_as_asked() -> None:
    found = len(find_anchors(noise(MIB), 0, 8).keys)
    assert MIB / 256 * 0.9 < found < MIB / 256 * 1.1


def test_find_anchors_run_of_one_byte_has_one_at_most() -> None:
    for byte in range(256):
        assert len(find_anchors(bytes([byte]) * 5000, 0, BITS).keys) <= (byte > 0)


def test_anchor_bits_large_images_have_no_more_anchors_than_small_ones() -> None:
    for size in (1, MAX_ANCHORS, 100 * MAX_ANCHORS, 1 << 33, 1 << 37, 1 << 40):
        assert size >> anchor_bits(size) <= MAX_ANCHORS


def test_match_finds_every_place_in_the_order_of_the_new_image() -> None:
    content = noise(20_000)
    table = AnchorTable([find_anchors(content, at, BITS) for at in (50_000, 0)])
    anchors = find_anchors(content[5000:9000], 700, BITS)
    matches = table.match(anchors)
    assert (np.diff(matches.new) >= 0).all()
    moves, counts = np.unique(matches.old - matches.new, return_counts=True)
    assert moves.tolist() == [4300, 54_300]
    assert counts.tolist() == [len(anchors.keys)] * 2
    assert set(matches.shares) == {0.5}
    assert len(set(matches.anchors.tolist())) == len(anchors.keys)


def test_match_what_the_old_image_has_too_often_is_left_out() -> None:
    content, rare = noise(2000), find_anchors(noise(2000, 2), 90_000, BITS)
    often = [find_anchors(content, at * 5000, BITS) for at in range(MAX_PLACES + 1)]
    assert len(AnchorTable([*often[1:], rare]).match(often[0]).new) > 0
    assert len(AnchorTable([*often, rare]).match(often[0]).new) == 0
    assert len(AnchorTable([*often, rare]).match(rare).new) == len(rare.keys)


def test_match_nothing_in_common_is_empty() -> None:
    table = AnchorTable([find_anchors(noise(5000), 0, BITS)])
    assert len(table.match(find_anchors(noise(5000, 2), 0, BITS)).new) == 0
    assert len(AnchorTable([find_anchors(b"", 0, BITS)]).match(find_anchors(b"", 0, 4)).new) == 0


def test_find_anchors_content_made_of_anchors_is_bounded_in_memory() -> None:
    whole = 1 << 64
    back = pow(int(_CHOICE), -1, whole)
    rng = random.Random(4)
    words = [(whole - 1 - rng.randrange(1 << 56)) * back % whole for _ in range(MIB // 8)]
    piece = np.array(words, "<u8").tobytes()
    tracemalloc.start()
    found = find_anchors(piece, 0, 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert MIB / 128 <= len(found.keys) < MIB / 120
    assert peak < 64 * MIB
    kept = find_anchors(piece[: MIB // 2] + noise(MIB // 2), 0, 8)
    assert len(np.intersect1d(found.keys, kept.keys)) > MIB / 300

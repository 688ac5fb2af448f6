# SPDX-License-Identifier: Apache-2.0
"""Anchors: places that an image's own content marks, so that they are found wherever it moved.

Rules:

1. Whether a place is an anchor, and the key that it is found by, depend on the `ANCHOR_BYTES` that
   begin there and on nothing else. So content takes its anchors along, by whatever distance it
   moves.
2. The larger an image is, the rarer are its anchors: there are some `MAX_ANCHORS` and never much
   more than twice as many, so they need the same memory, whatever the image's size and content.
   Where a piece has too many, those with the lowest keys count, in the old image as in the new one.
3. What repeats marks nothing: a key counts once in each piece that is looked at, and not at all
   when the old image has it in more than `MAX_PLACES` places. An empty page has no anchor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ANCHOR_BYTES: Final = 16
MAX_ANCHORS: Final = 4 << 20
MAX_PLACES: Final = 8
MIN_BITS: Final = 6
# A piece keeps twice as many as it should have, and a few.
_FEW: Final = 64
_WORD_BYTES: Final = 8
_WORDS: Final = ANCHOR_BYTES // _WORD_BYTES
_ALL_ONES: Final = (1 << 64) - 1
# Odd numbers without a pattern; a product's high bits depend on every bit of the other factor.
_CHOICE: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX: Final = np.uint64(0xD6E8FEB86659FD93)
_FOLD: Final = np.uint64(32)

Keys = NDArray[np.uint64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Anchors:
    """Some anchors: the key of each, and the place where it begins, in bytes."""

    keys: Keys
    places: Places


@dataclass(frozen=True, slots=True)
class Matches:
    """Anchors of a new image that an old one has as well, in the order of the new image.

    Attributes:
        anchors: Which anchor it is; an anchor that the old image has twice is here twice.
        new: Where it begins in the new image, in bytes.
        old: Where it begins in the old one, in bytes.
        shares: What it weighs: one anchor weighs 1, whatever the number of its places.
    """

    anchors: Places
    new: Places
    old: Places
    shares: NDArray[np.float64]


def anchor_bits(size: int) -> int:
    """How rare the anchors of an old image of `size` bytes are: one of 2^bits places is one."""
    return max(MIN_BITS, (size // MAX_ANCHORS).bit_length())


def find_anchors(data: bytes, start: int, bits: int) -> Anchors:
    """The anchors that begin in a piece of an image, in the order of their keys.

    Args:
        data: The piece; the last `ANCHOR_BYTES - 1` of it only finish anchors.
        start: Where it begins in the image, in bytes.
        bits: How rare they are; see `anchor_bits`.
    """
    octets = np.frombuffer(data, np.uint8)
    least = np.uint64(_ALL_ONES - (1 << (64 - bits)) + 1)
    keys, places = [], []
    for shift in range(_WORD_BYTES):
        count = (len(octets) - shift) // _WORD_BYTES
        if count < _WORDS:
            continue
        words = octets[shift : shift + count * _WORD_BYTES].copy().view("<u8")
        chosen = np.flatnonzero(words[: count - _WORDS + 1] * _CHOICE >= least)
        keys.append(_keys(words, chosen))
        places.append(chosen * _WORD_BYTES + shift + start)
    if not keys:
        return Anchors(np.empty(0, np.uint64), np.empty(0, np.int64))
    found = _once_each(np.concatenate(keys), np.concatenate(places))
    most = (len(data) >> (bits - 1)) + _FEW
    return Anchors(found.keys[:most], found.places[:most])


def _keys(words: Keys, chosen: NDArray[np.intp]) -> Keys:
    key = words[chosen] * _CHOICE
    for following in range(1, _WORDS):
        key = ((key ^ (key >> _FOLD)) + words[chosen + following]) * _MIX
    return key ^ (key >> _FOLD)


def _once_each(keys: Keys, places: Places) -> Anchors:
    """Of the same key the first place alone."""
    order = np.lexsort((places, keys))
    keys, places = keys[order], places[order]
    first = np.ones(len(keys), np.bool_)
    first[1:] = keys[1:] != keys[:-1]
    return Anchors(keys[first], places[first])


class AnchorTable:
    """The anchors of an old image, by their keys."""

    def __init__(self, pieces: Iterable[Anchors]) -> None:
        parts = list(pieces)
        keys = np.concatenate([part.keys for part in parts])
        places = np.concatenate([part.places for part in parts])
        parts.clear()
        order = np.argsort(keys, kind="stable")
        self._keys: Keys = keys[order]
        self._places: Places = places[order]

    def match(self, anchors: Anchors) -> Matches:
        """Where the old image has these anchors, those left out that it has too often."""
        first = np.searchsorted(self._keys, anchors.keys, "left")
        counts = np.searchsorted(self._keys, anchors.keys, "right") - first
        counts[counts > MAX_PLACES] = 0
        found = np.flatnonzero(counts)
        found = found[np.argsort(anchors.places[found], kind="stable")]
        counts, first = counts[found], first[found]
        which = np.repeat(np.arange(len(found)), counts)
        nth = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        return Matches(
            anchors=which,
            new=anchors.places[found][which],
            old=self._places[first[which] + nth],
            shares=1.0 / counts[which],
        )

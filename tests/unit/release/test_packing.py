# SPDX-License-Identifier: Apache-2.0
"""Packed images: what the standard tools accept, and nothing else."""

from __future__ import annotations

import functools
import random
import subprocess
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_stub.release.errors import InputError
from orchestrator_stub.release.packing import (
    NODE_MEMORY_BYTES,
    OWN_MEMORY_BYTES,
    unpack,
)
from puad.core.packing import Packing, find_packing

NOISE = random.Random(5)
DATA = NOISE.randbytes(90_000) + bytes(3_000_000) + NOISE.randbytes(5)
TOOLS = {Packing.GZIP: ["gzip", "-9nc"], Packing.XZ: ["xz", "-1c"]}
READERS = {Packing.GZIP: ["gzip", "-dc"], Packing.XZ: ["xz", "-dc"]}
EVERY = pytest.mark.parametrize("packing", list(Packing))


def pack(data: bytes, packing: Packing, *options: str) -> bytes:
    command = [*TOOLS[packing], *options]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def unpacked(data: bytes, packing: Packing, size: int = 1 << 20) -> bytes:
    pieces = in_pieces(data, size)
    return b"".join(unpack(pieces, packing, memory_bytes=NODE_MEMORY_BYTES, on="image"))


def by_tool(data: bytes, packing: Packing) -> bytes | None:
    """What the standard tool makes of it; None when it complains."""
    done = subprocess.run(READERS[packing], input=data, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


@EVERY
@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_unpack_in_pieces_of_any_size_is_what_was_packed(packing: Packing, size: int) -> None:
    data = DATA if size > 7 else DATA[89_000:93_000]
    packed = pack(data, packing)
    assert find_packing(packed) is packing
    assert unpacked(packed, packing, size) == data == by_tool(packed, packing)


@EVERY
@pytest.mark.parametrize("between", [b"", bytes(4), bytes(8), bytes(3), b"x", b"\0x"])
@pytest.mark.parametrize("behind", [b"", bytes(4), bytes(3), b"x", bytes(512) + b"x"])
def test_unpack_of_several_accepts_what_the_tool_accepts(
    packing: Packing, between: bytes, behind: bytes
) -> None:
    first, second = pack(DATA[:5000], packing), pack(DATA[-5000:], packing)
    packed = first + between + second + behind
    right = by_tool(packed, packing)
    if right is None:
        with pytest.raises(InputError, match="damaged"):
            unpacked(packed, packing)
    else:
        assert unpacked(packed, packing) == right == DATA[:5000] + DATA[-5000:]


@EVERY
def test_unpack_of_a_file_cut_off_anywhere_is_refused(packing: Packing) -> None:
    packed = pack(DATA[:3000], packing)
    for length in {*range(64), *range(len(packed) - 64, len(packed)), len(packed) // 2}:
        with pytest.raises(InputError, match="damaged"):
            unpacked(packed[:length], packing)


@EVERY
@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 255))
def test_unpack_with_a_byte_changed_is_refused_or_gives_the_same(
    packing: Packing, place: int, change: int
) -> None:
    packed = bytearray(small(packing))
    packed[place % len(packed)] ^= change
    try:
        made = unpacked(bytes(packed), packing)
    except InputError:
        return
    # gzip does not vouch for the date and the system in its header
    assert made == DATA[:3000]


@functools.cache
def small(packing: Packing) -> bytes:
    return pack(DATA[:3000], packing)


def test_unpack_of_a_bomb_holds_little_in_memory() -> None:
    packed = pack(bytes(40 << 20), Packing.XZ)
    assert len(packed) < 1 << 20
    tracemalloc.start()
    pieces = unpack([packed], Packing.XZ, memory_bytes=NODE_MEMORY_BYTES, on="image")
    assert sum(map(len, pieces)) == 40 << 20
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 << 20


@pytest.mark.parametrize(("option", "fits"), [("dict=32MiB", True), ("dict=33MiB", False)])
def test_unpack_of_a_dictionary_that_a_node_has_not_the_memory_for_is_refused(
    option: str, fits: bool
) -> None:
    packed = pack(b"x", Packing.XZ, f"--lzma2=preset=0,{option}")
    own = unpack([packed], Packing.XZ, memory_bytes=OWN_MEMORY_BYTES, on="image")
    assert b"".join(own) == b"x"
    if fits:
        assert unpacked(packed, Packing.XZ) == b"x"
    else:
        with pytest.raises(InputError, match="48 MiB of memory") as caught:
            unpacked(packed, Packing.XZ)
        assert "raw.zst" in caught.value.hint


def test_find_packing_of_anything_else_is_none(tmp_path: Path) -> None:
    for head in (b"", b"\x1f", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", bytes(6)):
        assert find_packing(head) is None

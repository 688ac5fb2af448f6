# SPDX-License-Identifier: Apache-2.0
"""The format raw.zst against frames that lie about what they make."""

from __future__ import annotations

import resource

import pytest
import zstandard

from puad.core.errors import Code, ImageError
from puad.images.format import PIECE_BYTES
from puad.images.raw_zst import RawZst
from tests.unit.images.published_image import MEMORY_BYTES, decode_chunk, zstd_bomb

MIB = 1 << 20
GIB = 1 << 30
ZST = RawZst()


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_bomb_that_declares_the_chunk_stops_at_its_size() -> None:
    frame = zstd_bomb(MIB, 4 * GIB)
    before = peak_kib()
    with pytest.raises(ImageError) as caught:
        decode_chunk(ZST, frame, MIB)
    assert caught.value.code is Code.IMAGE_INVALID
    assert peak_kib() - before < 16 * 1024


def test_bomb_that_declares_its_size_is_refused_unread() -> None:
    frame = zstd_bomb(GIB, GIB)
    before = peak_kib()
    with pytest.raises(ImageError) as caught:
        decode_chunk(ZST, frame, MIB)
    assert caught.value.code is Code.IMAGE_INVALID
    assert peak_kib() - before < 16 * 1024


def test_bomb_in_a_file_comes_in_small_pieces() -> None:
    pieces = ZST.decode_file([zstd_bomb(GIB, GIB)], MEMORY_BYTES)
    before = peak_kib()
    taken = [len(next(pieces)) for _ in range(100)]
    assert set(taken) == {PIECE_BYTES}
    assert peak_kib() - before < 16 * 1024


def test_honest_frame_of_the_same_kind_is_taken() -> None:
    assert decode_chunk(ZST, zstd_bomb(MIB, MIB), MIB) == b"a" * MIB


def test_frame_without_a_size_is_refused() -> None:
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(b"a" * 100)
    with pytest.raises(ImageError) as caught:
        decode_chunk(ZST, frame, 100)
    assert caught.value.code is Code.IMAGE_INVALID


def test_skippable_frame_is_no_chunk() -> None:
    frame = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    with pytest.raises(ImageError):
        decode_chunk(ZST, frame, 4)


def test_frame_with_a_large_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    file = compressor.compress(b"ab" * MIB) + compressor.flush()
    with pytest.raises(ImageError) as caught:
        list(ZST.decode_file([file], MEMORY_BYTES))
    assert caught.value.code is Code.IMAGE_INVALID


def test_file_of_garbage_is_refused() -> None:
    with pytest.raises(ImageError) as caught:
        list(ZST.decode_file([b"no zstd frame at all"], MEMORY_BYTES))
    assert caught.value.code is Code.IMAGE_INVALID

# SPDX-License-Identifier: Apache-2.0
"""Frames that are decompressed in place: exactly what they declare, or nothing that counts."""

from __future__ import annotations

import random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from puad.core.errors import ImageError
from puad.images import FramedFormat, get, zstd_frame
from tests.unit.images.published_image import ENCODERS, FRAMED, zstd_bomb

WINDOW = 8 << 20
MIB = 1 << 20


def fill(frame: bytes, length: int, dictionary: bytes = b"") -> bytes:
    into = bytearray(length)
    raw = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    zstd_frame.fill(memoryview(frame), memoryview(into), WINDOW, raw if dictionary else None)
    return bytes(into)


def compress(data: bytes, dictionary: bytes = b"", *, checksum: bool = True) -> bytes:
    raw = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    given_dictionary = raw if dictionary else None
    compressor = zstandard.ZstdCompressor(
        level=3, dict_data=given_dictionary, write_checksum=checksum
    )
    return compressor.compress(data)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


DATA = noise(1000) + bytes(300_000) + noise(1000) * 3


@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize("data", [b"a", DATA, noise(MIB), bytes(MIB)], ids=len)
def test_frame_gives_its_bytes(data: bytes, *, checksum: bool) -> None:
    assert fill(compress(data, checksum=checksum), len(data)) == data


def test_frame_gives_its_bytes_with_its_dictionary() -> None:
    old = noise(MIB)
    data = old[5000:300_000] + b"new" + old[300_100:600_000]
    frame = compress(data, old)
    assert len(frame) < 10_000
    assert fill(frame, len(data), old) == data


@pytest.mark.parametrize("wrong", [b"", noise(MIB - 1), noise(MIB)[1:] + b"x"], ids=len)
def test_frame_with_another_dictionary_does_not_give_its_bytes(wrong: bytes) -> None:
    old = noise(MIB)
    data = old[5000:300_000] + b"new" + old[300_100:600_000]
    try:
        made = fill(compress(data, old), len(data), wrong)
    except zstandard.ZstdError:
        return
    assert made != data


@pytest.mark.parametrize("difference", [-1, 1])
def test_room_of_another_size_is_refused(difference: int) -> None:
    with pytest.raises(zstandard.ZstdError):
        fill(compress(DATA), len(DATA) + difference)


@pytest.mark.parametrize("frame", [compress(DATA), compress(noise(5000))], ids=["blocks", "raw"])
def test_frame_that_is_cut_anywhere_is_refused(frame: bytes) -> None:
    length = zstandard.get_frame_parameters(frame).content_size
    for end in range(len(frame)):
        with pytest.raises(zstandard.ZstdError):
            fill(frame[:end], length)


@pytest.mark.parametrize("tail", [b"\0", b"x" * 5, compress(b"")], ids=len)
def test_bytes_behind_a_frame_are_refused(tail: bytes) -> None:
    with pytest.raises(zstandard.ZstdError):
        fill(compress(DATA) + tail, len(DATA))


def test_bomb_stops_at_what_it_declares() -> None:
    with pytest.raises(zstandard.ZstdError):
        fill(zstd_bomb(MIB, 1 << 30), MIB)


@pytest.mark.parametrize("made", [0, 1, MIB // 2, MIB - 1])
def test_frame_that_makes_less_than_it_declares_is_refused(made: int) -> None:
    with pytest.raises(zstandard.ZstdError):
        fill(zstd_bomb(MIB, made), MIB)


def test_skippable_frame_and_large_window_are_refused() -> None:
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"abcd"
    params = zstandard.ZstdCompressionParameters.from_level(3, window_log=24)
    compressor = zstandard.ZstdCompressor(compression_params=params)
    streaming = compressor.compressobj(size=20 << 20)
    large = streaming.compress(bytes(20 << 20)) + streaming.flush()
    for frame, length in ((skippable, 4), (large, 20 << 20)):
        with pytest.raises(zstandard.ZstdError):
            fill(frame, length)


@given(st.binary(max_size=200), st.integers(1, 1000))
def test_any_bytes_give_what_they_declare_or_are_refused(tail: bytes, length: int) -> None:
    for frame in (tail, zstandard.FRAME_HEADER + tail, compress(DATA)[: len(tail)] + tail):
        try:
            made = fill(frame, length)
        except zstandard.ZstdError:
            continue
        assert zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False) == made


@pytest.mark.parametrize("name", FRAMED)
@pytest.mark.parametrize("size", [1, 4096, 300_001])
def test_format_fills_what_it_decodes(name: str, size: int) -> None:
    image_format = get(name)
    assert isinstance(image_format, FramedFormat)
    data = noise(size)
    frame = ENCODERS[name](data)
    into = bytearray(size)
    image_format.fill_chunk(memoryview(frame), memoryview(into))
    assert bytes(into) == data
    for wrong, length in ((frame[:-1], size), (frame + b"x", size), (frame, size + 1)):
        with pytest.raises(ImageError):
            image_format.fill_chunk(memoryview(wrong), memoryview(bytearray(length)))

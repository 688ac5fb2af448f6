# SPDX-License-Identifier: Apache-2.0
"""The contract that every image format keeps, whichever it is."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad import images
from puad.core.errors import Code, ImageError
from puad.images.format import PIECE_BYTES, FramedFormat, ImageFormat
from tests.unit.images.published_image import (
    COMPRESSORS,
    ENCODERS,
    FRAMED,
    MEMORY_BYTES,
    compress,
    decode_chunk,
    publish,
)

SIZES = (1, 511, 512, 513, 4095, 4096, 4097, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 4 << 20)


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that compress to about a half."""
    half = random.Random(seed).randbytes(size // 2)
    return half + bytes(size - len(half))


@pytest.fixture(params=images.known())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def image_format(name: str) -> ImageFormat:
    return images.get(name)


@pytest.fixture(params=FRAMED)
def framed(request: pytest.FixtureRequest) -> tuple[str, FramedFormat]:
    image_format = images.get(request.param)
    assert isinstance(image_format, FramedFormat)
    return request.param, image_format


def decode(image_format: ImageFormat, pieces: Iterable[bytes]) -> bytes:
    return b"".join(image_format.decode_file(pieces, MEMORY_BYTES))


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", SIZES)
def test_chunk_of_its_frame_has_its_bytes(framed: tuple[str, FramedFormat], size: int) -> None:
    name, image_format = framed
    data = noise(size)
    assert decode_chunk(image_format, ENCODERS[name](data), size) == data


@pytest.mark.parametrize("error", [-1, 1])
@pytest.mark.parametrize("size", SIZES[1:])
def test_chunk_off_by_one_is_refused(
    framed: tuple[str, FramedFormat], size: int, error: int
) -> None:
    name, image_format = framed
    with pytest.raises(ImageError) as caught:
        decode_chunk(image_format, ENCODERS[name](noise(size)), size + error)
    assert caught.value.code is Code.IMAGE_INVALID


def test_chunk_of_truncated_frame_is_refused(framed: tuple[str, FramedFormat]) -> None:
    name, image_format = framed
    size = 2048
    frame = ENCODERS[name](noise(size))
    for length in range(len(frame)):
        with pytest.raises(ImageError) as caught:
            decode_chunk(image_format, frame[:length], size)
        assert caught.value.code is Code.IMAGE_INVALID


@pytest.mark.parametrize("garbage", [b"\0", b"\x28\xb5\x2f\xfd", b"garbage" * 1000])
def test_chunk_of_frame_with_trailing_garbage_is_refused(
    framed: tuple[str, FramedFormat], garbage: bytes
) -> None:
    name, image_format = framed
    with pytest.raises(ImageError) as caught:
        decode_chunk(image_format, ENCODERS[name](noise(4096)) + garbage, 4096)
    assert caught.value.code is Code.IMAGE_INVALID


def test_chunk_of_two_frames_is_refused(framed: tuple[str, FramedFormat]) -> None:
    name, image_format = framed
    frame = ENCODERS[name](noise(4096))
    with pytest.raises(ImageError):
        decode_chunk(image_format, frame + frame, 4096)


@pytest.mark.parametrize("size", SIZES[:-1])
def test_file_gives_the_image_and_no_byte_more(
    name: str, image_format: ImageFormat, size: int
) -> None:
    assert decode(image_format, [compress(name, noise(size))]) == noise(size)


@pytest.mark.parametrize("piece_bytes", [1, 1000, 1 << 20])
def test_file_in_pieces_of_any_size_gives_the_image(
    name: str, image_format: ImageFormat, piece_bytes: int
) -> None:
    published = publish(name, noise(20_000 if piece_bytes == 1 else 1_000_000))
    decoded = image_format.decode_file(in_pieces(published.file, piece_bytes), MEMORY_BYTES)
    pieces = list(decoded)
    assert b"".join(pieces) == published.image
    assert max(map(len, pieces)) <= PIECE_BYTES


@given(image=st.binary(max_size=5000), cuts=st.lists(st.integers(1, 4999), max_size=5))
def test_file_of_several_parts_gives_them_one_after_another(image: bytes, cuts: list[int]) -> None:
    bounds = [0, *sorted(set(cuts)), len(image)]
    parts = [image[start:end] for start, end in itertools.pairwise(bounds)]
    for name in images.known():
        file = b"".join(compress(name, part) for part in parts)
        assert decode(images.get(name), in_pieces(file, 17)) == image


def test_file_that_is_truncated_gives_less_than_the_image_or_is_refused(
    name: str, image_format: ImageFormat
) -> None:
    published = publish(name, noise(3000), chunk_bytes=1024)
    for length in range(len(published.file)):
        given_bytes = b""
        try:
            for piece in image_format.decode_file([published.file[:length]], MEMORY_BYTES):
                given_bytes += piece
        except ImageError:
            pass
        else:
            assert len(given_bytes) < len(published.image)
        assert published.image.startswith(given_bytes)


@pytest.mark.parametrize("name", sorted(COMPRESSORS))
def test_compressed_file_that_is_truncated_is_refused_at_every_byte(name: str) -> None:
    file = compress(name, noise(3000))
    for length in range(len(file)):
        with pytest.raises(ImageError) as caught:
            decode(images.get(name), [file[:length]])
        assert caught.value.code is Code.IMAGE_INVALID


@pytest.mark.parametrize("garbage", [b"x", b"\x1f", b"\0\0\0x", b"garbage" * 30_000])
@pytest.mark.parametrize("name", sorted({*images.known()} - {"raw"}))
def test_file_with_trailing_garbage_is_refused(name: str, garbage: bytes) -> None:
    file = compress(name, noise(3000)) + garbage
    for pieces in ([file], list(in_pieces(file, 1000))):
        with pytest.raises(ImageError) as caught:
            decode(images.get(name), pieces)
        assert caught.value.code is Code.IMAGE_INVALID


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_file_with_a_flipped_bit_raises_nothing_but_its_own_error(at: int, bit: int) -> None:
    for name in images.known():
        file = bytearray(compress(name, noise(3000)))
        file[at % len(file)] ^= 1 << bit
        with contextlib.suppress(ImageError):
            assert len(decode(images.get(name), [bytes(file)])) < MEMORY_BYTES


def test_known_names_give_formats() -> None:
    assert images.known() == ("raw", "raw.gz", "raw.xz", "raw.zst")
    assert len({type(images.get(name)) for name in images.known()}) == 4


@pytest.mark.parametrize("name", ["", "zip", "os", "members", "puad.images.raw", "../raw"])
def test_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(ImageError) as caught:
        images.get(name)
    assert caught.value.code is Code.FORMAT_UNKNOWN


def test_second_format_of_a_name_is_a_bug() -> None:
    with pytest.raises(TypeError, match="raw"):

        class Again(images.ImageFormat, name="raw"):
            pass

# SPDX-License-Identifier: Apache-2.0
"""The contract that every image format keeps, whichever it is."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from puad import images
from puad.core.errors import Code, ImageError
from puad.images.format import PIECE_BYTES, ImageFormat
from tests.unit.images.published_image import ENCODERS, publish

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


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", SIZES)
def test_chunk_of_its_frame_has_its_bytes(name: str, image_format: ImageFormat, size: int) -> None:
    data = noise(size)
    assert image_format.decode_chunk(ENCODERS[name](data), size) == data


@pytest.mark.parametrize("error", [-1, 1])
@pytest.mark.parametrize("size", SIZES[1:])
def test_chunk_off_by_one_is_refused(
    name: str, image_format: ImageFormat, size: int, error: int
) -> None:
    with pytest.raises(ImageError) as caught:
        image_format.decode_chunk(ENCODERS[name](noise(size)), size + error)
    assert caught.value.code is Code.IMAGE_INVALID


def test_chunk_of_truncated_frame_is_refused(name: str, image_format: ImageFormat) -> None:
    size = 8192
    frame = ENCODERS[name](noise(size))
    for length in [*range(30), *range(30, len(frame), 97), len(frame) - 1]:
        with pytest.raises(ImageError) as caught:
            image_format.decode_chunk(frame[:length], size)
        assert caught.value.code is Code.IMAGE_INVALID


@pytest.mark.parametrize("garbage", [b"\0", b"\x28\xb5\x2f\xfd", b"garbage" * 1000])
def test_chunk_of_frame_with_trailing_garbage_is_refused(
    name: str, image_format: ImageFormat, garbage: bytes
) -> None:
    with pytest.raises(ImageError) as caught:
        image_format.decode_chunk(ENCODERS[name](noise(4096)) + garbage, 4096)
    assert caught.value.code is Code.IMAGE_INVALID


def test_chunk_of_two_frames_is_refused(name: str, image_format: ImageFormat) -> None:
    frame = ENCODERS[name](noise(4096))
    with pytest.raises(ImageError):
        image_format.decode_chunk(frame + frame, 4096)


@pytest.mark.parametrize("piece_bytes", [1, 1000, 1 << 20])
def test_file_in_pieces_of_any_size_gives_the_image(
    name: str, image_format: ImageFormat, piece_bytes: int
) -> None:
    published = publish(name, noise(20_000 if piece_bytes == 1 else 3_000_000))
    pieces = list(image_format.decode_file(in_pieces(published.file, piece_bytes)))
    assert b"".join(pieces) == published.image
    assert max(map(len, pieces)) <= PIECE_BYTES


def test_file_that_is_truncated_gives_less_than_the_image(
    name: str, image_format: ImageFormat
) -> None:
    published = publish(name, noise(50_000), chunk_bytes=16_384)
    for length in [*range(20), *range(20, len(published.file), 499)]:
        given = b"".join(image_format.decode_file([published.file[:length]]))
        assert len(given) < len(published.image)
        assert published.image.startswith(given)


def test_known_names_give_formats() -> None:
    assert images.known() == ("raw", "raw.zst")
    assert len({type(images.get(name)) for name in images.known()}) == 2


@pytest.mark.parametrize("name", ["", "zip", "os", "puad.images.raw", "../raw"])
def test_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(ImageError) as caught:
        images.get(name)
    assert caught.value.code is Code.FORMAT_UNKNOWN


def test_second_format_of_a_name_is_a_bug() -> None:
    with pytest.raises(TypeError, match="raw"):

        class Again(images.ImageFormat, name="raw"):
            pass

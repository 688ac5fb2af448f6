# SPDX-License-Identifier: Apache-2.0
"""The formats raw.gz and raw.xz: members, padding and memory, as the tools themselves have them."""

from __future__ import annotations

import gzip
import lzma
import resource
import subprocess
import zlib
from collections.abc import Iterator

import pytest

from puad import images
from puad.core.errors import Code, ImageError
from puad.images.format import PIECE_BYTES
from tests.unit.images.published_image import MEMORY_BYTES, compress

MIB = 1 << 20
GZ, XZ = compress("raw.gz", b"first" * 100), compress("raw.xz", b"first" * 100)
TOOLS = {"raw.gz": "gzip", "raw.xz": "xz"}
NAMES = sorted(TOOLS)


def decode(name: str, file: bytes, memory_bytes: int = MEMORY_BYTES) -> bytes:
    return b"".join(images.get(name).decode_file([file], memory_bytes))


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def behind_a_member() -> Iterator[tuple[str, bytes]]:
    for name in NAMES:
        member = compress(name, b"second")
        for zeros in (*range(9), 70_000, 70_001):
            yield name, bytes(zeros)
            yield name, bytes(zeros) + member
        yield name, member * 3
        yield name, member[:-1]
        yield name, b"\0\0\0\0x"
        yield name, b"x" + member
    yield "raw.gz", XZ
    yield "raw.xz", GZ


@pytest.mark.parametrize(
    ("name", "rest"), list(behind_a_member()), ids=lambda value: str(len(value)) + str(value[-9:])
)
def test_what_stands_behind_a_member_is_taken_as_the_tool_takes_it(name: str, rest: bytes) -> None:
    file = compress(name, b"first" * 100) + rest
    tool = subprocess.run([TOOLS[name], "-dc"], input=file, capture_output=True, check=False)
    if tool.returncode:
        with pytest.raises(ImageError) as caught:
            decode(name, file)
        assert caught.value.code is Code.IMAGE_INVALID
    else:
        assert decode(name, file) == tool.stdout


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_member_is_told_as_such(name: str) -> None:
    with pytest.raises(ImageError, match="something else follows its end"):
        decode(name, compress(name, b"first") + b"notes")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", [b"", b"\0", b"\0" * 4 + GZ, b"\0" * 4 + XZ, b"neither"])
def test_file_that_does_not_begin_with_a_member_is_refused(name: str, file: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        decode(name, file)
    assert caught.value.code is Code.IMAGE_INVALID


@pytest.mark.parametrize("name", NAMES)
def test_bomb_comes_in_small_pieces_and_little_memory(name: str) -> None:
    """32 MiB of zeros for each member, far more than anyone takes of them."""
    bomb = compress(name, bytes(32 * MIB)) * 64
    pieces = images.get(name).decode_file([bomb], MEMORY_BYTES)
    next(pieces)
    before = peak_kib()
    taken = [len(next(pieces)) for _ in range(100)]
    assert max(taken) == PIECE_BYTES
    assert peak_kib() - before < 8 * 1024


@pytest.mark.parametrize("name", NAMES)
def test_members_of_nothing_make_nothing(name: str) -> None:
    assert decode(name, compress(name, b"") * 2000 + compress(name, b"end")) == b"end"


@pytest.mark.parametrize("at", [-8, -4, -1])
def test_gzip_member_with_a_wrong_checksum_or_size_is_refused(at: int) -> None:
    file = bytearray(GZ)
    file[at] ^= 1
    with pytest.raises(ImageError, match="incorrect"):
        decode("raw.gz", bytes(file))


def test_bare_deflate_and_zlib_are_not_gzip() -> None:
    for file in (zlib.compress(b"image"), zlib.compress(b"image", wbits=-15)):
        with pytest.raises(ImageError):
            decode("raw.gz", file)


def test_gzip_header_with_every_field_is_taken() -> None:
    flags = 0b0001_1110  # a checksum of the header, extra field, name, comment
    head = bytes([0x1F, 0x8B, 8, flags]) + bytes(6) + b"\2\0xx" + b"name\0" + b"comment\0"
    head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    assert decode("raw.gz", head + gzip.compress(b"image")[10:]) == b"image"


@pytest.mark.parametrize("check", [lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_SHA256])
def test_xz_stream_with_any_check_is_taken(check: int) -> None:
    assert decode("raw.xz", lzma.compress(b"image", check=check)) == b"image"


def test_xz_stream_that_needs_more_memory_is_refused_with_the_key_that_bounds_it() -> None:
    file = lzma.compress(b"image", preset=9)
    with pytest.raises(ImageError, match=r"limits\.xz_memory_bytes") as caught:
        decode("raw.xz", file)
    assert caught.value.code is Code.IMAGE_INVALID
    assert str(MEMORY_BYTES) in str(caught.value)
    assert decode("raw.xz", file, 80 * MIB) == b"image"


def test_second_xz_stream_keeps_to_the_memory_as_well() -> None:
    with pytest.raises(ImageError, match=r"limits\.xz_memory_bytes"):
        decode("raw.xz", XZ + lzma.compress(b"image", preset=9))


def test_lzma_file_of_the_old_kind_is_not_xz() -> None:
    with pytest.raises(ImageError):
        decode("raw.xz", lzma.compress(b"image", lzma.FORMAT_ALONE))

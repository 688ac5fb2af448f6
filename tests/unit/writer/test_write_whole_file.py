# SPDX-License-Identifier: Apache-2.0
"""Writing an image that has one hash: the slot is right, or it is spoilt."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import pytest

from puad.core.errors import Code, DownloadError, ImageError, OperatorError
from tests.unit.images.published_image import Published, publish, zstd_bomb
from tests.unit.writer.conftest import SLOT_BYTES, Make
from tests.unit.writer.workbench import Bench, MemorySource, is_old

MIB = 1 << 20
SIZE = 3 * MIB + 4097


def source_of(published: Published, file: bytes | None = None) -> MemorySource:
    return MemorySource(published.file if file is None else file, piece_bytes=65_536)


def assert_spoilt(bench: Bench, size: int) -> None:
    edge = min(MIB, size)
    assert bench.content[:edge] == bytes(edge)
    assert bench.content[size - edge : size] == bytes(edge)
    assert is_old(bench.content[size:])


@pytest.mark.parametrize("size", [1, 4095, 4097, MIB - 1, MIB, MIB + 1, SIZE, SLOT_BYTES])
def test_image_with_right_hashes_lies_on_the_slot(
    bench: Bench, make_whole: Make, size: int
) -> None:
    published = make_whole(size, chunk_bytes=MIB)
    result = bench.write(published, source_of(published), indexed=False)
    assert bench.content[:size] == published.image
    assert is_old(bench.content[size:])
    assert result.image_hash == published.release.manifest.image_hash
    assert result.bytes_fetched == len(published.file)
    assert not bench.journal.exists()


@pytest.mark.parametrize("at", [5000, MIB, SIZE - 10])
def test_flipped_bit_spoils_the_slot(bench: Bench, make_whole: Make, at: int) -> None:
    published = make_whole(SIZE, chunk_bytes=MIB)
    forged = published.file[:at] + bytes([published.file[at] ^ 1]) + published.file[at + 1 :]
    with pytest.raises(ImageError) as caught:
        bench.write(published, source_of(published, forged), indexed=False)
    assert caught.value.code in {Code.HASH_MISMATCH, Code.IMAGE_INVALID}
    if not is_old(bench.content):  # a frame that breaks in the first MiB stops before any write
        assert_spoilt(bench, SIZE)


@pytest.mark.parametrize("hash_name", ["file_hash", "image_hash"])
def test_other_signed_hash_spoils_the_slot(bench: Bench, make_whole: Make, hash_name: str) -> None:
    published = make_whole(SIZE, chunk_bytes=MIB)
    release = published.release
    if hash_name == "file_hash":
        release = replace(release, file_hash="0" * 64)
    else:
        release = replace(release, manifest=replace(release.manifest, image_hash="0" * 64))
    with pytest.raises(ImageError) as caught:
        bench.write(published, source_of(published), indexed=False, release=release)
    assert caught.value.code is Code.HASH_MISMATCH
    assert_spoilt(bench, SIZE)


def test_small_image_with_wrong_hash_is_spoilt_whole(bench: Bench, make_whole: Make) -> None:
    published = make_whole(5000)
    release = replace(published.release, file_hash="0" * 64)
    with pytest.raises(ImageError):
        bench.write(published, indexed=False, release=release)
    assert_spoilt(bench, 5000)


@pytest.mark.parametrize("error", [-1, 1])
def test_signed_image_size_off_by_one_is_refused(
    bench: Bench, make_whole: Make, error: int
) -> None:
    published = make_whole(SIZE, chunk_bytes=MIB)
    manifest = replace(published.release.manifest, image_size=SIZE + error)
    release = replace(published.release, manifest=manifest)
    with pytest.raises(ImageError) as caught:
        bench.write(published, source_of(published), indexed=False, release=release)
    assert caught.value.code is Code.IMAGE_INVALID
    assert_spoilt(bench, SIZE + error)


def test_bomb_stops_at_the_signed_size(bench: Bench) -> None:
    published = publish("raw", random.Random(1).randbytes(2 * MIB))
    bomb = zstd_bomb((1 << 32) - 1, 1 << 32)
    manifest = replace(published.release.manifest, format="raw.zst")
    release = replace(published.release, manifest=manifest, file_size=len(bomb))
    with pytest.raises(ImageError) as caught:
        bench.write(published, source_of(published, bomb), indexed=False, release=release)
    assert caught.value.code is Code.IMAGE_INVALID
    assert_spoilt(bench, 2 * MIB)


@pytest.mark.parametrize("breaks_at", [1, MIB, 2 * MIB + 1, SIZE - 1])
def test_broken_download_spoils_what_was_written(
    bench: Bench, make_whole: Make, breaks_at: int
) -> None:
    published = make_whole(SIZE, chunk_bytes=MIB)
    source = source_of(published)
    source.breaks_at = breaks_at
    with pytest.raises(DownloadError):
        bench.write(published, source, indexed=False)
    content = bench.content
    assert is_old(content) or content[:MIB] == bytes(MIB)
    assert breaks_at < 2 * MIB or content[:MIB] == bytes(MIB)


def test_cancelled_write_spoils_what_was_written(bench: Bench, make_whole: Make) -> None:
    published = make_whole(SIZE, chunk_bytes=MIB)
    reported: list[int] = []
    with pytest.raises(OperatorError):
        bench.write(
            published,
            source_of(published),
            indexed=False,
            progress=lambda done, _: reported.append(done),
            cancelled=lambda: bool(reported),
        )
    assert_spoilt(bench, SIZE)


def test_failed_write_is_not_resumed(bench: Bench, make_whole: Make) -> None:
    published = make_whole(SIZE, chunk_bytes=MIB)
    source = source_of(published)
    source.breaks_at = 2 * MIB
    with pytest.raises(DownloadError):
        bench.write(published, source, indexed=False)
    result = bench.write(published, source_of(published), indexed=False)
    assert result.bytes_fetched == len(published.file)
    assert bench.content[:SIZE] == published.image


def test_signed_file_that_is_cut_anywhere_never_counts_as_written(
    bench: Bench, make_whole: Make
) -> None:
    published = make_whole(40)
    for length in range(1, len(published.file)):
        with pytest.raises(ImageError) as caught:
            bench.write(published.with_signed_file(published.file[:length]), indexed=False)
        assert caught.value.code is Code.IMAGE_INVALID
        assert is_old(bench.content) or bench.content[:40] == bytes(40)


def test_signed_file_with_garbage_behind_it_spoils_the_slot(bench: Bench, make_whole: Make) -> None:
    published = make_whole(SIZE)
    cut = published.with_signed_file(published.file + b"x")
    with pytest.raises(ImageError) as caught:
        bench.write(cut, source_of(cut), indexed=False)
    assert caught.value.code is Code.IMAGE_INVALID
    assert_spoilt(bench, SIZE)


def test_short_writes_are_gone_on_with(
    bench: Bench, make_whole: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:4096], at))
    published = make_whole(200_000)
    bench.write(published, source_of(published), indexed=False)
    assert bench.content[:200_000] == published.image

# SPDX-License-Identifier: Apache-2.0
"""Writing an image whose chunks have no frames: checked one by one, from the file's beginning."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from puad.core.chunks import ChunkIndex
from puad.core.errors import Code, DownloadError, ImageError, OperatorError
from tests.unit.images.published_image import COMPRESSORS, Published, compress, publish
from tests.unit.writer.conftest import SLOT_BYTES, Make
from tests.unit.writer.workbench import Bench, MemorySource, is_old

MIB = 1 << 20
SIZE = 20 * 4096 + 7


def right_chunks(bench: Bench, published: Published) -> list[int]:
    content = bench.content
    return [
        number
        for number, chunk in enumerate(published.index.chunks)
        if content[chunk.image_offset :][: chunk.image_length]
        == published.image[chunk.image_offset :][: chunk.image_length]
    ]


def with_lie(published: Published, number: int) -> Published:
    """An index that gives one chunk another hash."""
    chunks = list(published.index.chunks)
    chunks[number] = replace(chunks[number], sha256=bytes(32))
    return replace(published, index=ChunkIndex(published.index.image_size, tuple(chunks)))


def assert_spoilt(bench: Bench, size: int) -> None:
    edge = min(MIB, size)
    assert bench.content[:edge] == bytes(edge)
    assert bench.content[size - edge : size] == bytes(edge)
    assert is_old(bench.content[size:])


@pytest.mark.parametrize("size", [1, 511, 512, 513, 4095, 4096, 4097, SIZE])
def test_image_lies_on_the_slot_and_nothing_after_it(
    bench: Bench, make_whole: Make, size: int
) -> None:
    published = make_whole(size)
    assert not published.index.framed
    result = bench.write(published)
    assert bench.content[:size] == published.image
    assert is_old(bench.content[size:])
    assert (result.bytes_written, result.bytes_fetched) == (size, len(published.file))
    assert result.image_hash is None


@pytest.mark.parametrize("chunk_bytes", [1000, 4097, MIB, 4 * MIB])
def test_chunks_of_any_length_are_written_right(
    bench: Bench, make_whole: Make, chunk_bytes: int
) -> None:
    size = SLOT_BYTES if chunk_bytes >= MIB else 50_001
    published = make_whole(size, chunk_bytes)
    bench.write(published, MemorySource(published.file, piece_bytes=65_536))
    assert bench.content[:size] == published.image


@pytest.mark.parametrize("number", [0, 7, 20])
def test_chunk_without_its_hash_writes_nothing_of_it(
    bench: Bench, make_whole: Make, number: int
) -> None:
    published = with_lie(make_whole(SIZE), number)
    with pytest.raises(ImageError) as caught:
        bench.write(published)
    assert caught.value.code is Code.HASH_MISMATCH
    assert bench.content[: number * 4096] == published.image[: number * 4096]
    assert is_old(bench.content[number * 4096 :])


def test_flipped_bit_never_reaches_the_slot(bench: Bench, make_whole: Make) -> None:
    published = make_whole(SIZE)
    at = len(published.file) // 2
    forged = published.file[:at] + bytes([published.file[at] ^ 1]) + published.file[at + 1 :]
    with pytest.raises(ImageError):
        bench.write(published, MemorySource(forged))
    right = right_chunks(bench, published)
    assert right == list(range(len(right)))
    assert is_old(bench.content[len(right) * 4096 :])


@pytest.mark.parametrize("name", sorted(COMPRESSORS))
def test_members_in_the_wrong_order_are_refused(bench: Bench, name: str) -> None:
    image = random.Random(1).randbytes(8 * 4096)
    published = publish(name, image, 4096)
    halves = [compress(name, image[start : start + 4 * 4096]) for start in (4 * 4096, 0)]
    with pytest.raises(ImageError) as caught:
        bench.write(published.with_signed_file(b"".join(halves)))
    assert caught.value.code is Code.HASH_MISMATCH
    assert is_old(bench.content)


def test_other_signed_file_hash_spoils_the_slot(bench: Bench, make_whole: Make) -> None:
    published = make_whole(2 * MIB + 5, MIB)
    release = replace(published.release, file_hash="0" * 64)
    source = MemorySource(published.file, piece_bytes=65_536)
    with pytest.raises(ImageError) as caught:
        bench.write(published, source, release=release)
    assert caught.value.code is Code.HASH_MISMATCH
    assert_spoilt(bench, 2 * MIB + 5)
    bench.write(published, MemorySource(published.file, piece_bytes=65_536))
    assert bench.content[: 2 * MIB + 5] == published.image


@pytest.mark.parametrize("extra", [b"x", b"\0" * 5])
def test_file_that_goes_on_after_the_image_spoils_the_slot(
    bench: Bench, make_whole: Make, extra: bytes
) -> None:
    published = make_whole(SIZE)
    name = published.release.manifest.format
    longer = published.with_signed_file(compress(name, published.image + extra))
    with pytest.raises(ImageError) as caught:
        bench.write(longer)
    assert caught.value.code is Code.IMAGE_INVALID
    assert_spoilt(bench, SIZE)


def test_signed_file_that_is_cut_anywhere_never_counts_as_written(
    bench: Bench, make_whole: Make
) -> None:
    published = make_whole(40)
    for length in range(1, len(published.file)):
        with pytest.raises(ImageError) as caught:
            bench.write(published.with_signed_file(published.file[:length]))
        assert caught.value.code is Code.IMAGE_INVALID
        assert is_old(bench.content) or bench.content[:40] == bytes(40)


@pytest.mark.parametrize("breaks_at", [1, 8192, 30_000, 70_000])
def test_broken_download_keeps_what_was_verified_and_writes_it_no_second_time(
    bench: Bench, make_whole: Make, breaks_at: int
) -> None:
    published = make_whole(SIZE)
    with pytest.raises(DownloadError):
        bench.write(published, MemorySource(published.file, breaks_at=breaks_at))
    right = right_chunks(bench, published)
    assert is_old(bench.content[len(right) * 4096 :])
    result = bench.write(published)
    assert bench.content[:SIZE] == published.image
    kept = sum(published.index.chunks[number].image_length for number in right)
    assert (result.bytes_written, result.bytes_fetched) == (SIZE - kept, len(published.file))


def test_finished_image_is_fetched_no_second_time(bench: Bench, make_whole: Make) -> None:
    published = make_whole(SIZE)
    bench.write(published)
    source = MemorySource(published.file)
    result = bench.write(published, source)
    assert source.reads == []
    assert (result.bytes_fetched, result.bytes_written) == (0, 0)


def test_slot_changed_behind_the_journal_is_written_again(bench: Bench, make_whole: Make) -> None:
    published = make_whole(SIZE)
    bench.write(published)
    with bench.slot.open("r+b") as slot:
        slot.seek(5 * 4096 + 17)
        slot.write(b"\0\0\0")
    result = bench.write(published)
    assert result.bytes_written == 4096
    assert bench.content[:SIZE] == published.image


def test_progress_rises_to_the_whole_also_when_it_goes_on(bench: Bench, make_whole: Make) -> None:
    published = make_whole(SIZE)
    with pytest.raises(DownloadError):
        bench.write(published, MemorySource(published.file, breaks_at=40_000))
    seen: list[tuple[int, int]] = []
    bench.write(published, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(set(seen))
    assert (seen[0], seen[-1]) == ((0, SIZE), (SIZE, SIZE))


@pytest.mark.parametrize("after", [0, 1, 5])
def test_cancelled_write_stops_and_can_go_on(bench: Bench, make_whole: Make, after: int) -> None:
    published = make_whole(SIZE)
    reported: list[int] = []
    with pytest.raises(OperatorError) as caught:
        bench.write(
            published,
            progress=lambda done, _: reported.append(done),
            cancelled=lambda: len(reported) > after,
        )
    assert caught.value.code is Code.CANCELLED
    result = bench.write(published)
    assert bench.content[:SIZE] == published.image
    assert result.bytes_written == SIZE - after * 4096


@dataclass
class SilentSource:
    """A source that gives nothing until it is cancelled."""

    asked: threading.Event

    def read(self, offset: int, length: int, cancelled: Callable[[], bool]) -> Iterator[bytes]:
        self.asked.set()
        waiting = threading.Event()
        while not cancelled():
            waiting.wait(0.01)
        yield from ()


def test_cancel_ends_a_write_whose_source_is_silent(bench: Bench, make_whole: Make) -> None:
    source = SilentSource(threading.Event())
    with pytest.raises(OperatorError) as caught:
        bench.write(make_whole(SIZE), source, cancelled=source.asked.is_set)
    assert caught.value.code is Code.CANCELLED


def test_index_with_frames_of_a_file_without_is_refused(bench: Bench) -> None:
    published = publish("raw", random.Random(1).randbytes(SIZE), 4096)
    manifest = replace(published.release.manifest, format="raw.gz")
    with pytest.raises(ImageError) as caught:
        bench.write(published, release=replace(published.release, manifest=manifest))
    assert caught.value.code is Code.IMAGE_INVALID
    assert is_old(bench.content)


def test_short_writes_are_gone_on_with(
    bench: Bench, make_whole: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:512], at))
    published = make_whole(SIZE)
    bench.write(published)
    assert bench.content[:SIZE] == published.image

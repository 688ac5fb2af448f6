# SPDX-License-Identifier: Apache-2.0
"""Writing an indexed image: only verified bytes, exactly placed, and never fetched twice."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace

import pytest

from puad.core.cancelling import cancellation
from puad.core.errors import Code, DownloadError, ImageError, OperatorError
from puad.writer import ChunkJournal
from tests.unit.images.published_image import publish
from tests.unit.writer.conftest import SLOT_BYTES, Make
from tests.unit.writer.workbench import LIMITS, Bench, MemorySource, is_old

MIB = 1 << 20
SIZE = 100 * 4096
EDGES = (1, 511, 512, 513, 4095, 4096, 4097, 12_288, 12_289)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("size", EDGES)
def test_image_of_odd_size_lies_at_the_start_and_nothing_after_it(
    bench: Bench, make: Make, size: int
) -> None:
    published = make(size)
    result = bench.write(published)
    assert bench.content[:size] == published.image
    assert is_old(bench.content[size:])
    assert result.bytes_written == size
    assert result.bytes_fetched == len(published.file)


@pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1, 3 * MIB + 513])
def test_image_of_whole_chunks_lies_on_the_slot(bench: Bench, make: Make, size: int) -> None:
    published = make(size, chunk_bytes=MIB)
    bench.write(published, MemorySource(published.file, piece_bytes=65_536))
    assert bench.content[:size] == published.image
    assert is_old(bench.content[size:])


@pytest.mark.parametrize("chunk_bytes", [1000, 4097, 10_000])
def test_chunks_that_begin_off_a_page_are_written_right(
    bench: Bench, make: Make, chunk_bytes: int
) -> None:
    published = make(50_001, chunk_bytes)
    bench.write(published)
    assert bench.content[:50_001] == published.image
    assert is_old(bench.content[50_001:])


def test_image_as_large_as_the_slot_fits(bench: Bench, make: Make) -> None:
    published = make(SLOT_BYTES, chunk_bytes=MIB)
    bench.write(published, MemorySource(published.file, piece_bytes=65_536))
    assert bench.content == published.image


@pytest.mark.parametrize("indexed", [True, False])
def test_image_larger_than_the_slot_writes_and_fetches_nothing(
    bench: Bench, make: Make, *, indexed: bool
) -> None:
    published = make(SLOT_BYTES + 1, chunk_bytes=MIB)
    source = MemorySource(published.file)
    with pytest.raises(ImageError) as caught:
        bench.write(published, source, indexed=indexed)
    assert caught.value.code is Code.IMAGE_TOO_LARGE
    assert is_old(bench.content)
    assert source.reads == []


def test_image_of_unknown_format_writes_nothing(bench: Bench, make: Make) -> None:
    published = make(4096)
    manifest = replace(published.release.manifest, format="zip")
    with pytest.raises(ImageError) as caught:
        bench.write(published, release=replace(published.release, manifest=manifest))
    assert caught.value.code is Code.FORMAT_UNKNOWN
    assert is_old(bench.content)


@pytest.mark.parametrize("number", range(6))
def test_flipped_bit_never_reaches_the_slot(bench: Bench, make: Make, number: int) -> None:
    published = make(6 * 4096)
    chunk = published.index.chunks[number]
    forged = flipped(published.file, chunk.file_offset + chunk.file_length - 1)
    with pytest.raises(ImageError) as caught:
        bench.write(published, MemorySource(forged))
    assert caught.value.code in {Code.HASH_MISMATCH, Code.IMAGE_INVALID}
    for other in published.index.chunks:
        there = bench.content[other.image_offset :][: other.image_length]
        right = published.image[other.image_offset :][: other.image_length]
        # what had come behind it meanwhile may be there, if it is right
        assert is_old(there) or (there == right and other is not chunk)


def test_right_chunks_in_the_wrong_order_are_refused(bench: Bench, make: Make) -> None:
    published = make(2 * 4096)
    first, second = published.index.chunks
    if first.file_length != second.file_length:
        pytest.fail("random chunks have frames of one length")
    forged = published.file[second.file_offset :] + published.file[: second.file_offset]
    with pytest.raises(ImageError) as caught:
        bench.write(published, MemorySource(forged))
    assert caught.value.code is Code.HASH_MISMATCH
    assert is_old(bench.content)


@pytest.mark.parametrize("breaks_at", [1, 4000, 4109, 4110, 20_000, 40_000, 65_000])
def test_broken_download_goes_on_with_no_verified_byte_twice(
    bench: Bench, make: Make, breaks_at: int
) -> None:
    published = make(16 * 4096 + 7)
    with pytest.raises(DownloadError):
        bench.write(published, MemorySource(published.file, breaks_at=breaks_at))
    written = [
        chunk
        for chunk in published.index.chunks
        if bench.content[chunk.image_offset :][: chunk.image_length]
        == published.image[chunk.image_offset :][: chunk.image_length]
    ]
    source = MemorySource(published.file)
    result = bench.write(published, source)
    assert bench.content[: len(published.image)] == published.image
    for chunk, (start, stop) in itertools.product(written, source.given):
        assert stop <= chunk.file_offset or start >= chunk.file_offset + chunk.file_length, (
            "a verified byte was fetched again"
        )
    assert result.bytes_written == len(published.image) - sum(c.image_length for c in written)


def test_finished_image_is_fetched_no_second_time(bench: Bench, make: Make) -> None:
    published = make(100_000)
    bench.write(published)
    source = MemorySource(published.file)
    result = bench.write(published, source)
    assert source.reads == []
    assert (result.bytes_fetched, result.bytes_written) == (0, 0)


def test_slot_changed_behind_the_journal_is_written_again(bench: Bench, make: Make) -> None:
    published = make(10 * 4096)
    bench.write(published)
    with bench.slot.open("r+b") as slot:
        slot.seek(5 * 4096 + 17)
        slot.write(b"\0\0\0")
    source = MemorySource(published.file)
    bench.write(published, source)
    chunk = published.index.chunks[5]
    assert source.reads == [(chunk.file_offset, chunk.file_length)]
    assert bench.content[: 10 * 4096] == published.image


def test_other_image_after_a_broken_one_begins_anew(bench: Bench, make: Make) -> None:
    first, second = make(50_000), make(60_000)
    with pytest.raises(DownloadError):
        bench.write(first, MemorySource(first.file, breaks_at=30_000))
    result = bench.write(second)
    assert bench.content[:60_000] == second.image
    assert result.bytes_fetched == len(second.file)


def test_lost_journal_costs_only_work(bench: Bench, make: Make) -> None:
    published = make(50_000)
    bench.write(published)
    bench.journal.unlink()
    bench.write(published)
    assert bench.content[:50_000] == published.image


def test_requests_are_bounded_and_join_what_lies_side_by_side(bench: Bench, make: Make) -> None:
    published = make(64 * 4096)
    source = MemorySource(published.file)
    bench.write(published, source)
    assert all(length <= LIMITS.range_bytes for _, length in source.reads)
    assert len(source.reads) <= 64 // 3 + 1
    ends = [offset + length for offset, length in source.reads]
    assert [offset for offset, _ in source.reads] == [0, *ends[:-1]]


def test_chunk_larger_than_a_request_is_still_fetched(bench: Bench, make: Make) -> None:
    published = make(100_000, chunk_bytes=50_000)
    source = MemorySource(published.file)
    bench.write(published, source)
    assert len(source.reads) == 2
    assert bench.content[:100_000] == published.image


def test_progress_rises_to_the_whole(bench: Bench, make: Make) -> None:
    published = make(40_000)
    seen: list[tuple[int, int]] = []
    bench.write(published, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(set(seen))
    assert seen[0] == (0, 40_000)
    assert seen[-1] == (40_000, 40_000)


def test_progress_of_a_resumed_write_counts_what_is_there(bench: Bench, make: Make) -> None:
    published = make(40_000)
    with pytest.raises(DownloadError):
        bench.write(published, MemorySource(published.file, breaks_at=21_000))
    seen: list[int] = []
    fetched: list[int] = []
    source = MemorySource(published.file)
    bench.write(
        published,
        source,
        progress=lambda done, _: (fetched if source.reads else seen).append(done),
    )
    assert seen == [0, 4096, 8192, 12_288, 16_384, 20_480]
    assert fetched[-1] == 40_000


@pytest.mark.parametrize("after", [0, 1, 5])
def test_cancelled_write_stops_and_can_go_on(bench: Bench, make: Make, after: int) -> None:
    published = make(20 * 4096)
    reported: list[int] = []
    with pytest.raises(OperatorError) as caught:
        bench.write(
            published,
            progress=lambda done, _: reported.append(done),
            cancelled=lambda: len(reported) > after,
        )
    assert caught.value.code is Code.CANCELLED
    # what had come whole is not thrown away, and no more is fetched
    trays = LIMITS.queue_chunks + min(len(os.sched_getaffinity(0)), 4)
    assert after * 4096 <= reported[-1] <= (after + trays) * 4096
    result = bench.write(published)
    assert bench.content[: 20 * 4096] == published.image
    assert result.bytes_written == 20 * 4096 - reported[-1]


def test_error_of_the_caller_ends_the_write(bench: Bench, make: Make) -> None:
    def fail(_done: int, _total: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bench.write(make(40_000), progress=fail)


@pytest.mark.parametrize("zeros", [False, True])
def test_who_is_cancelled_while_it_is_told_lists_all_that_was_written(
    bench: Bench, make: Make, *, zeros: bool
) -> None:
    published = make(SIZE)
    if zeros:
        published = publish("raw.zst", bytes(SIZE // 2) + published.image[SIZE // 2 :], 4096)

    def progress(done: int, _total: int) -> None:
        if done >= 40_000:
            raise cancellation()

    with pytest.raises(OperatorError) as caught:
        bench.write(published, progress=progress)
    assert caught.value.code is Code.CANCELLED
    chunks = published.index.chunks
    places = [slice(one.image_offset, one.image_offset + one.image_length) for one in chunks]
    there = {n for n, at in enumerate(places) if bench.content[at] == published.image[at]}
    with ChunkJournal(bench.journal, published.release.file_hash) as journal:
        assert journal.chunks == there
    assert len(there) < len(chunks)

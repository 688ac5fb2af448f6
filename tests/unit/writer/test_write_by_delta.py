# SPDX-License-Identifier: Apache-2.0
"""Writing by a delta: whatever lies on the active slot, the new image lies right in the end."""

from __future__ import annotations

import logging
import mmap
import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from puad.core.delta import DeltaChunk, DeltaIndex
from puad.core.errors import Code, DownloadError
from puad.core.extent import Extent
from puad.writer import DeltaFile, Deltas, chunk_writer, frame_fetcher
from puad.writer.chunk_decoder import ChunkDecoder
from puad.writer.image import WriteResult
from puad.writer.pipeline import Pipeline
from puad.writer.tray import Tray
from tests.unit.images.published_image import Published, publish
from tests.unit.writer.published_delta import PublishedDelta, publish_delta
from tests.unit.writer.workbench import LIMITS, Bench, MemorySource

PATIENCE_S = 60
COUNT = 64
CHUNK = 4096
SIZE = COUNT * CHUNK + 99


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def changed(old: bytes, every: int = 3) -> bytes:
    """A few bytes inserted in every so-manieth chunk, and the rest moved on within it."""
    new = bytearray(old)
    for start in range(0, len(old) - CHUNK, every * CHUNK):
        new[start + 10 : start + CHUNK] = b"new!" + old[start + 10 : start + CHUNK - 4]
    return bytes(new)


OLD = noise(SIZE)
NEW = changed(OLD)
PUBLISHED = publish("raw.zst", NEW, CHUNK)
DELTA = publish_delta(PUBLISHED, OLD)


def write(
    bench: Bench,
    delta: PublishedDelta,
    published: Published = PUBLISHED,
    *,
    delta_source: MemorySource | None = None,
    source: MemorySource | None = None,
) -> WriteResult:
    with delta.on(bench.folder / "active", delta_source) as deltas:
        return bench.write(published, source, deltas=deltas)


def test_delta_brings_the_image_for_its_own_bytes(bench: Bench) -> None:
    source = MemorySource(PUBLISHED.file)
    result = write(bench, DELTA, source=source)
    assert bench.content[:SIZE] == NEW
    assert source.reads == []
    assert result.bytes_fetched == result.delta_bytes == len(DELTA.file) < len(PUBLISHED.file) / 8
    assert result.bytes_written == SIZE
    assert result.fallen_back == 0


def test_delta_is_asked_for_in_few_requests(bench: Bench) -> None:
    delta_source = DELTA.source()
    write(bench, DELTA, delta_source=delta_source)
    ends = [offset + length for offset, length in delta_source.reads]
    assert [offset for offset, _ in delta_source.reads] == [0, *ends[:-1]]
    assert len(delta_source.reads) == 1


def test_chunk_that_the_delta_lacks_comes_from_the_full_file(bench: Bench) -> None:
    delta = publish_delta(PUBLISHED, OLD, lacks=frozenset({0, 5, 6, 63}))
    source = MemorySource(PUBLISHED.file)
    result = write(bench, delta, source=source)
    assert bench.content[:SIZE] == NEW
    chunks = [PUBLISHED.index.chunks[number] for number in (0, 5, 6, 63)]
    assert sum(length for _, length in source.reads) == sum(c.file_length for c in chunks)
    assert len(source.reads) == 3
    assert result.fallen_back == 0


def test_frame_without_windows_needs_nothing_of_the_old_image(bench: Bench) -> None:
    image = bytes(range(256)) * 16 * 3
    published = publish("raw.zst", image, CHUNK)
    delta = publish_delta(published, b"")
    # no chunk is cheaper than in the full file, so it is made so
    chunks = tuple(replace(chunk, file_length=CHUNK) for chunk in published.index.chunks)
    index = replace(published.index, chunks=chunks)
    result = write(bench, delta, replace(published, index=index))
    assert bench.content[: len(image)] == image
    assert result.bytes_fetched == len(delta.file)


@pytest.mark.parametrize("at", [0, 10, SIZE - 1])
def test_old_image_with_another_bit_costs_only_bytes(bench: Bench, at: int) -> None:
    old = bytearray(OLD)
    old[at] ^= 1
    result = write(bench, DELTA.with_old(bytes(old)))
    assert bench.content[:SIZE] == NEW
    assert result.fallen_back >= 1
    assert result.bytes_fetched < len(PUBLISHED.file) / 4


def test_delta_of_another_image_is_given_up(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    delta_source = DELTA.source()
    delta_source.piece_bytes = 16
    result = write(bench, DELTA.with_old(noise(SIZE, 2)), delta_source=delta_source)
    assert bench.content[:SIZE] == NEW
    assert 16 <= result.fallen_back <= 16 + 6  # what was on its way when it was given up
    assert result.bytes_fetched - result.delta_bytes == len(PUBLISHED.file)
    assert f"{result.fallen_back} chunks did not come out of the delta" in caplog.text


@pytest.mark.parametrize("size", [0, 1, SIZE // 2, SIZE - 1])
def test_old_image_that_ends_early_costs_only_bytes(bench: Bench, size: int) -> None:
    result = write(bench, DELTA.with_old(OLD[:size]))
    assert bench.content[:SIZE] == NEW
    assert result.fallen_back >= 1


def test_delta_that_lies_costs_only_bytes(bench: Bench) -> None:
    file = bytearray(DELTA.file)
    for made in DELTA.index.chunks[:9]:
        if made and made.frame:
            file[made.frame.end - 3] ^= 1
    result = write(bench, replace(DELTA, file=bytes(file)))
    assert bench.content[:SIZE] == NEW
    assert result.fallen_back == sum(1 for m in DELTA.index.chunks[:9] if m and m.frame)


@dataclass
class Refusing(MemorySource):
    """Gives a few bytes of each range, and then an error, so many times."""

    code: Code = Code.DOWNLOAD_UNREACHABLE
    after: int = 0
    times: int = 1 << 30

    def read(self, offset: int, length: int, cancelled: Callable[[], bool]) -> Iterator[bytes]:
        if not self.times:
            yield from super().read(offset, length, cancelled)
            return
        self.times -= 1
        self.reads.append((offset, length))
        if self.after:
            yield self.file[offset : offset + self.after]
        raise DownloadError(self.code, "The test's server does not have it")


@pytest.mark.parametrize("code", [Code.DOWNLOAD_REFUSED, Code.DOWNLOAD_MISMATCH])
@pytest.mark.parametrize("after", [0, 1, 300])
def test_delta_that_the_server_does_not_give(bench: Bench, code: Code, after: int) -> None:
    refusing = Refusing(DELTA.file, code=code, after=after)
    result = write(bench, DELTA, delta_source=refusing)
    assert bench.content[:SIZE] == NEW
    assert result.delta_bytes == after
    assert len(refusing.reads) == 1


def test_delta_out_of_reach_is_given_up_once_the_full_file_is_in_reach(bench: Bench) -> None:
    refusing, source = Refusing(DELTA.file), MemorySource(PUBLISHED.file)
    result = write(bench, DELTA, delta_source=refusing, source=source)
    assert bench.content[:SIZE] == NEW
    assert len(refusing.reads) == 2
    assert result.delta_bytes == 0


def test_delta_that_is_back_goes_on_for_the_price_of_one_chunk(bench: Bench) -> None:
    refusing, source = Refusing(DELTA.file, times=1), MemorySource(PUBLISHED.file)
    result = write(bench, DELTA, delta_source=refusing, source=source)
    assert bench.content[:SIZE] == NEW
    first = PUBLISHED.index.chunks[0]
    assert source.reads == [(first.file_offset, first.file_length)]
    assert result.delta_bytes > len(DELTA.file) * 9 / 10


@pytest.mark.parametrize("after", [0, 1, 300])
def test_link_that_is_down_costs_nothing_of_the_full_file(bench: Bench, after: int) -> None:
    refusing, source = Refusing(DELTA.file, after=after), Refusing(PUBLISHED.file)
    with pytest.raises(DownloadError) as caught:
        write(bench, DELTA, delta_source=refusing, source=source)
    assert caught.value.code is Code.DOWNLOAD_UNREACHABLE
    assert len(refusing.reads) == len(source.reads) == 1


def test_old_image_that_changes_under_way_costs_only_bytes(bench: Bench) -> None:
    active = bench.folder / "active"

    @dataclass
    class Meddling(MemorySource):
        def read(self, offset: int, length: int, cancelled: Callable[[], bool]) -> Iterator[bytes]:
            for number, piece in enumerate(super().read(offset, length, cancelled)):
                if number == 1:
                    with active.open("r+b") as file:
                        file.seek(SIZE // 2)
                        file.write(noise(SIZE // 2, 9))
                yield piece

    result = write(bench, DELTA, delta_source=Meddling(DELTA.file, piece_bytes=16))
    assert bench.content[:SIZE] == NEW
    assert result.fallen_back >= 1


def test_old_image_with_broken_sectors_costs_only_bytes(bench: Bench) -> None:
    """Reading the memory of this process where its file has ended is an EIO of the kernel."""
    pages = -(-SIZE // mmap.PAGESIZE) * mmap.PAGESIZE
    file = bench.folder / "active"
    file.write_bytes(OLD.ljust(pages, b"\0"))
    broken_from = 48 * CHUNK
    with file.open("r+b") as opened:
        memory = mmap.mmap(opened.fileno(), pages, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED)
    start = next(
        int(line.partition("-")[0], 16)
        for line in Path("/proc/self/maps").read_text().splitlines()
        if str(file) in line
    )
    os.truncate(file, broken_from)
    moved = DeltaIndex(1 << 60, tuple(made and shifted(made, start) for made in DELTA.index.chunks))
    fd = os.open("/proc/self/mem", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Input/output error"):
            os.pread(fd, CHUNK, start + broken_from)
        deltas = Deltas(fd, lambda: iter([DeltaFile("13.0", moved, DELTA.source())]))
        result = bench.write(PUBLISHED, deltas=deltas)
    finally:
        os.close(fd)
        memory.close()
    assert bench.content[:SIZE] == NEW
    assert 16 <= result.fallen_back <= 20


def shifted(made: DeltaChunk, by: int) -> DeltaChunk:
    return replace(made, windows=tuple(Extent(w.offset + by, w.length) for w in made.windows))


def test_kindred_image_on_the_slot_is_kept(bench: Bench) -> None:
    bench.slot.write_bytes(OLD + bytes(bench.slot_bytes - SIZE))
    source = MemorySource(PUBLISHED.file)
    result = bench.write(PUBLISHED, source)
    assert bench.content[:SIZE] == NEW
    same = [
        chunk
        for chunk in PUBLISHED.index.chunks
        if OLD[chunk.image_offset :][: chunk.image_length]
        == NEW[chunk.image_offset :][: chunk.image_length]
    ]
    assert result.bytes_written == SIZE - sum(chunk.image_length for chunk in same)
    assert len(same) > COUNT / 3


def test_finished_image_asks_for_no_delta(bench: Bench) -> None:
    write(bench, DELTA)
    delta = replace(DELTA, loads=0)
    result = write(bench, delta)
    assert (result.bytes_fetched, result.bytes_written, delta.loads) == (0, 0, 0)


@pytest.fixture
def short_laps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_fetcher, "LAP_BYTES", 8 * CHUNK)
    monkeypatch.setattr(chunk_writer, "LAP_BYTES", 8 * CHUNK)


def test_delta_and_full_file_are_fetched_lap_by_lap(bench: Bench, short_laps: None) -> None:
    delta = publish_delta(PUBLISHED, OLD, lacks=frozenset(range(0, COUNT, 5)))
    log: list[int] = []  # laps, in the order in which their bytes were asked for
    frames = [made.frame if made else None for made in delta.index.chunks]

    @dataclass
    class Logging(MemorySource):
        offsets: dict[int, int] = field(default_factory=dict)

        def read(self, offset: int, length: int, cancelled: Callable[[], bool]) -> Iterator[bytes]:
            log.append(self.offsets[offset] // 8)
            return super().read(offset, length, cancelled)

    delta_source = Logging(delta.file)
    delta_source.offsets = {f.offset: n for n, f in enumerate(frames) if f}
    source = Logging(PUBLISHED.file)
    source.offsets = {chunk.file_offset: n for n, chunk in enumerate(PUBLISHED.index.chunks)}
    result = write(bench, delta, delta_source=delta_source, source=source)
    assert bench.content[:SIZE] == NEW
    assert result.fallen_back == 0
    assert log == sorted(log)
    assert len(delta_source.reads) == 8


def test_delta_that_was_given_up_is_not_asked_for_again(bench: Bench, short_laps: None) -> None:
    delta_source = DELTA.source()
    result = write(bench, DELTA.with_old(noise(SIZE, 2)), delta_source=delta_source)
    assert bench.content[:SIZE] == NEW
    assert len(delta_source.reads) < 8
    assert result.bytes_fetched - result.delta_bytes == len(PUBLISHED.file)


@pytest.mark.parametrize("breaks_at", range(1, len(DELTA.file), 401))
def test_broken_delta_goes_on_with_no_verified_frame_twice(bench: Bench, breaks_at: int) -> None:
    first = DELTA.source()
    first.breaks_at = breaks_at
    with pytest.raises(DownloadError):
        write(bench, DELTA, delta_source=first, source=Refusing(PUBLISHED.file))
    whole = max(
        (m.frame.end for m in DELTA.index.chunks if m and m.frame and m.frame.end <= breaks_at),
        default=0,
    )
    second = DELTA.source()
    result = write(bench, DELTA, delta_source=second)
    assert bench.content[:SIZE] == NEW
    assert second.reads[0][0] == whole
    assert result.bytes_fetched == len(DELTA.file) - whole


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_old_image_and_any_delta_give_the_right_image(
    bench: Bench, data: st.DataObject
) -> None:
    bench.__post_init__()
    bench.journal.unlink(missing_ok=True)
    old, file = bytearray(OLD), bytearray(DELTA.file)
    spots = st.tuples(st.integers(0, SIZE - 1), st.integers(1, 3 * CHUNK))
    for place, length in data.draw(st.lists(spots, max_size=5)):
        old[place : place + length] = noise(len(old[place : place + length]), place)
    for place in data.draw(st.lists(st.integers(0, len(file) - 1), max_size=5)):
        file[place] ^= 0x55
    cut = data.draw(st.integers(0, SIZE))
    result = write(bench, replace(DELTA, old=bytes(old[: cut or SIZE]), file=bytes(file)))
    assert bench.content[:SIZE] == NEW
    assert result.bytes_fetched <= len(DELTA.file) + len(PUBLISHED.file)


def test_listener_with_a_bug_leaves_no_thread_that_waits_for_the_rest_of_a_delta(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # one for each tray, so that all have been fetched, and one waits for a thread to decode it
    old = noise((min(len(os.sched_getaffinity(0)), 4) + LIMITS.queue_chunks) * CHUNK)
    published = publish("raw.zst", changed(old, every=1), CHUNK)
    stopped = threading.Event()
    decode, halt = ChunkDecoder.decode, Pipeline._halt

    def decode_the_rest_afterwards(self: ChunkDecoder, tray: Tray) -> bool:
        if tray.number:
            assert stopped.wait(PATIENCE_S)
        return decode(self, tray)

    def halt_and_say_so(self: Pipeline) -> None:
        halt(self)
        stopped.set()

    def progress(done: int, _total: int) -> None:
        if done:
            raise ZeroDivisionError

    monkeypatch.setattr(ChunkDecoder, "decode", decode_the_rest_afterwards)
    monkeypatch.setattr(Pipeline, "_halt", halt_and_say_so)
    with (
        publish_delta(published, old).on(bench.folder / "active", None) as deltas,
        ThreadPoolExecutor(1) as pool,
    ):
        writing = pool.submit(bench.write, published, deltas=deltas, progress=progress)
        with pytest.raises(ZeroDivisionError):
            writing.result(timeout=PATIENCE_S)

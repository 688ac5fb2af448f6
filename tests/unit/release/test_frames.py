# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import io
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from orchestrator_stub.release.errors import InputError
from orchestrator_stub.release.frames import ENCODERS, encode_image, index_image
from orchestrator_stub.release.image import open_image
from puad.core.chunks import CHUNK_BYTES, parse_index
from puad.core.disk_map import DiskMap
from puad.core.extent import Extent
from puad.images import known


def ignore(_count: int) -> None:
    pass


def write_image(folder: Path, size: int) -> Path:
    path = folder / "root.img"
    path.write_bytes(os.urandom(size))
    return path


@pytest.mark.parametrize("name", sorted(ENCODERS))
@pytest.mark.parametrize(
    "size", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES]
)
def test_encode_image_any_size_index_covers_it_and_reads_back(
    tmp_path: Path, name: str, size: int
) -> None:
    path, out, seen = write_image(tmp_path, size), io.BytesIO(), list[int]()
    with open_image(path) as image:
        encoded, index = encode_image(
            image, out, ENCODERS[name](1), threads=3, progress=seen.append
        )
    file = out.getvalue()
    assert (encoded.image_size, encoded.file_size) == (size, len(file))
    assert encoded.image_hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert encoded.file_hash == hashlib.sha256(file).hexdigest()
    assert sum(seen) == size
    assert parse_index(index.dump(), image_size=size, file_size=len(file)) == index
    assert sum(chunk.image_length for chunk in index.chunks) == size
    for chunk in index.chunks:
        frame = file[chunk.file_offset : chunk.file_offset + chunk.file_length]
        if name == "raw.zst":
            assert zstandard.frame_content_size(frame) == chunk.image_length
            frame = zstandard.ZstdDecompressor().decompress(frame)
        assert hashlib.sha256(frame).digest() == chunk.sha256


def test_encode_image_frames_stay_in_order_when_threads_do_not(tmp_path: Path) -> None:
    path, out = write_image(tmp_path, 12 * CHUNK_BYTES), io.BytesIO()
    turn = threading.Semaphore(1)

    def slow_on_odd_calls(chunk: bytes) -> bytes:
        if turn.acquire(blocking=False):
            time.sleep(0.05)
            turn.release()
        return chunk

    with open_image(path) as image:
        encode_image(image, out, slow_on_odd_calls, threads=2, progress=ignore)
    assert out.getvalue() == path.read_bytes()


def test_encode_image_holds_few_chunks_at_a_time(tmp_path: Path) -> None:
    path = write_image(tmp_path, 1)
    os.truncate(path, 64 * CHUNK_BYTES)
    begun = written = most = 0
    lock = threading.Lock()

    def count(chunk: bytes) -> bytes:
        nonlocal begun, most
        with lock:
            begun += 1
            most = max(most, begun - written)
        return chunk

    class SlowFile(io.BytesIO):
        def write(self, data: object) -> int:
            nonlocal written
            time.sleep(0.001)
            with lock:
                written += 1
            return CHUNK_BYTES

    with open_image(path) as image:
        encode_image(image, SlowFile(), count, threads=2, progress=ignore)
    assert (begun, written) == (64, 64)
    assert most <= 5


def test_encode_image_error_in_a_thread_ends_the_work(tmp_path: Path) -> None:
    path = write_image(tmp_path, 8 * CHUNK_BYTES)

    def fail(_chunk: bytes) -> bytes:
        raise MemoryError

    with open_image(path) as image, pytest.raises(MemoryError):
        encode_image(image, io.BytesIO(), fail, threads=2, progress=ignore)


def test_encode_image_file_that_shrinks_is_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path, 2 * CHUNK_BYTES)
    with open_image(path) as image:
        os.truncate(path, CHUNK_BYTES + 5)
        with pytest.raises(InputError, match="shorter"):
            encode_image(image, io.BytesIO(), bytes, threads=1, progress=ignore)


def test_encode_image_file_that_is_written_to_is_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path, 2 * CHUNK_BYTES)
    with open_image(path) as image:
        os.utime(path, ns=(1, 1))
        with pytest.raises(InputError, match="written to"):
            encode_image(image, io.BytesIO(), bytes, threads=1, progress=ignore)


def test_index_image_has_the_hashes_of_encoding_and_no_frames(tmp_path: Path) -> None:
    path, seen = write_image(tmp_path, CHUNK_BYTES + 9), list[int]()
    with open_image(path) as image:
        encoded, framed = encode_image(image, io.BytesIO(), bytes, threads=2, progress=ignore)
        image_hash, index = index_image(image, threads=2, progress=seen.append)
    assert image_hash == encoded.image_hash
    assert [chunk.sha256 for chunk in index.chunks] == [chunk.sha256 for chunk in framed.chunks]
    assert seen == [CHUNK_BYTES, 9]
    assert not index.framed
    assert parse_index(index.dump(), image_size=CHUNK_BYTES + 9, file_size=1) == index


@pytest.mark.parametrize(
    ("start", "length"),
    [
        (512, 4096),
        (CHUNK_BYTES, CHUNK_BYTES),
        (CHUNK_BYTES - 512, CHUNK_BYTES + 1024),
        (0, 5 * CHUNK_BYTES + 512),
        (3 * CHUNK_BYTES + 512, 2 * CHUNK_BYTES),
    ],
)
def test_encode_image_of_a_disk_has_chunks_that_end_where_its_root_image_does(
    tmp_path: Path, start: int, length: int
) -> None:
    path, size, out = write_image(tmp_path, 5 * CHUNK_BYTES + 512), 5 * CHUNK_BYTES + 512, b""
    with open_image(path) as opened:
        image = replace(opened, disk=DiskMap(size, Extent(start, length)))
        file = io.BytesIO()
        encoded, index = encode_image(image, file, bytes, threads=2, progress=ignore)
        image_hash, _ = index_image(image, threads=1, progress=ignore)
        out = file.getvalue()
    assert out == path.read_bytes()
    assert encoded.image_size == length
    assert encoded.image_hash == image_hash
    assert image_hash == hashlib.sha256(out[start : start + length]).hexdigest()
    borders = {chunk.image_offset for chunk in index.chunks} | {size}
    assert {start, start + length} <= borders
    assert parse_index(index.dump(), image_size=size, file_size=size) == index
    assert max(chunk.image_length for chunk in index.chunks) <= CHUNK_BYTES


def test_encoders_every_one_is_a_format_that_nodes_know() -> None:
    assert set(ENCODERS) <= set(known())

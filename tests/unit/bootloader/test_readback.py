# SPDX-License-Identifier: Apache-2.0
"""Reading back: every bit that differs is found, in either way, and whatever fails ends it."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootloader import readers
from bootloader.chunks import Chunk
from bootloader.errors import BootloaderError, ErrorName
from bootloader.readback import hash_from_medium, verify_chunks
from bootloader.readers import BUFFER_BYTES, THREAD_NAME

MIB = 1 << 20
FLIPS = 1000


@pytest.fixture(autouse=True)
def _no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(readers, "_most_readers", lambda: 6)
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


@contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def cut(image: bytes, lengths: Sequence[int]) -> list[Chunk]:
    """The chunks of an image, of these lengths in turn."""
    chunks: list[Chunk] = []
    at = 0
    while at < len(image):
        piece = image[at : at + lengths[len(chunks) % len(lengths)]]
        chunks.append(Chunk(at, len(piece), hashlib.sha256(piece).digest()))
        at += len(piece)
    return chunks


def by_one_hash(fd: int, image: bytes) -> bool:
    return hash_from_medium(fd, len(image), "b") == hashlib.sha256(image).hexdigest()


def by_chunks(fd: int, image: bytes) -> bool:
    try:
        verify_chunks(fd, cut(image, [30_000, 4096, 1]), "b")
    except BootloaderError as error:
        if error.name is not ErrorName.IMAGE_MISMATCH:
            raise
        return False
    return True


Way = Callable[[int, bytes], bool]
each_way = pytest.mark.parametrize("is_same", [by_one_hash, by_chunks])


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A file on a file system that syncs at once."""
    path = Path(f"/dev/shm/puad-readback-{os.getpid()}")
    yield path
    path.unlink()


@each_way
def test_bit_that_differs_is_caught_each_time(in_memory: Path, is_same: Way) -> None:
    image = os.urandom(100_001)
    in_memory.write_bytes(image)
    random = Random(6)
    with opened(in_memory, os.O_RDWR) as fd:
        for _ in range(FLIPS):
            at, bit = random.randrange(len(image)), 1 << random.randrange(8)
            os.pwrite(fd, bytes([image[at] ^ bit]), at)
            assert not is_same(fd, image), (at, bit)
            os.pwrite(fd, image[at : at + 1], at)
        assert is_same(fd, image)


@pytest.mark.parametrize("size", [1, 4095, 4096, MIB + 1, 3 * MIB, 9 * MIB - 5])
@pytest.mark.parametrize("place", ["tmp_path", "in_memory"])
def test_hash_from_medium_is_that_of_the_first_bytes(
    request: pytest.FixtureRequest, size: int, place: str
) -> None:
    path: Path = request.getfixturevalue(place)
    path = path / "slot" if path.is_dir() else path
    data = os.urandom(size + 5000)
    path.write_bytes(data)
    with opened(path) as fd:
        assert hash_from_medium(fd, size, "slot") == hashlib.sha256(data[:size]).hexdigest()
        whole = hashlib.sha256(data).hexdigest()
        assert hash_from_medium(fd, len(data) + 1, "slot") == whole
        assert not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT


@settings(max_examples=25, deadline=None)  # each writes a file of some MiB to the disk
@given(st.lists(st.integers(1, 3 * MIB), min_size=1, max_size=5), st.integers(1, 4 * MIB))
def test_chunks_of_any_lengths_are_found_to_be_right(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], size: int
) -> None:
    lengths = [length if size // length < 50 else length + size // 50 for length in lengths]
    image = Random(size).randbytes(size)
    path = tmp_path_factory.mktemp("chunks") / "slot"
    path.write_bytes(image + b"behind the image")
    chunks = cut(image, lengths)
    told: list[int] = []
    with opened(path) as fd:
        verify_chunks(fd, chunks, "b", told.append)
    assert told == [*(chunk.offset for chunk in chunks), size]
    path.unlink()


def test_chunk_that_differs_is_named(tmp_path: Path) -> None:
    image = os.urandom(9 * MIB)
    path = tmp_path / "slot"
    path.write_bytes(image[: 5 * MIB] + b"another chunk" + image[5 * MIB + 13 :])
    with opened(path) as fd, pytest.raises(BootloaderError) as caught:
        verify_chunks(fd, cut(image, [MIB]), "b")
    assert caught.value.name is ErrorName.IMAGE_MISMATCH
    assert "chunk 5, at 5.00 MiB," in str(caught.value)


def test_nothing_is_read_behind_a_chunk_that_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "_most_readers", lambda: 1)
    (tmp_path / "slot").write_bytes(bytes(9 * MIB))
    read: list[int] = []
    really_read = os.preadv

    def noting(fd: int, buffers: list[memoryview], offset: int) -> int:
        read.append(offset)
        return really_read(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", noting)
    with opened(tmp_path / "slot") as fd, pytest.raises(BootloaderError):
        verify_chunks(fd, cut(bytes(2 * MIB) + b"\1" + bytes(7 * MIB - 1), [MIB]), "b")
    assert read == [0, MIB, 2 * MIB]


@each_way
@pytest.mark.parametrize("at", [0, 1, 4, 8])
def test_read_that_fails_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_same: Way, at: int
) -> None:
    (tmp_path / "slot").write_bytes(bytes(9 * MIB))
    really_read = os.preadv

    def failing(fd: int, buffers: list[memoryview], offset: int) -> int:
        if offset <= at * BUFFER_BYTES < offset + len(buffers[0]):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return really_read(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", failing)
    with (
        opened(tmp_path / "slot") as fd,
        pytest.raises(BootloaderError, match="Input/output error") as caught,
    ):
        is_same(fd, bytes(9 * MIB))
    assert caught.value.name is ErrorName.STORAGE_FAILED


@each_way
def test_reads_that_bring_little_each_bring_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_same: Way
) -> None:
    image = os.urandom(100_001)
    (tmp_path / "slot").write_bytes(image)
    really_read = os.preadv

    def little(fd: int, buffers: list[memoryview], offset: int) -> int:
        return really_read(fd, [buffers[0][:4096]], offset)

    monkeypatch.setattr(os, "preadv", little)
    with opened(tmp_path / "slot") as fd:
        assert is_same(fd, image)


@each_way
@pytest.mark.parametrize("short", [1, 5000, 100_000])
def test_file_that_ends_early_is_not_the_image(tmp_path: Path, is_same: Way, short: int) -> None:
    image = bytes(100_001)
    (tmp_path / "slot").write_bytes(image[:-short])
    with opened(tmp_path / "slot") as fd:
        assert not is_same(fd, image)


@each_way
def test_descriptor_that_cannot_be_read_says_so(tmp_path: Path, is_same: Way) -> None:
    (tmp_path / "slot").write_bytes(b"image")
    for flags, path in ((os.O_WRONLY, tmp_path / "slot"), (os.O_RDONLY, tmp_path)):
        with opened(path, flags) as fd, pytest.raises(BootloaderError) as caught:
            is_same(fd, b"image")
        assert caught.value.name is ErrorName.STORAGE_FAILED


@each_way
def test_without_direct_io_the_cache_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_same: Way
) -> None:
    (tmp_path / "slot").write_bytes(b"image")

    def refuse(_fd: int, _command: int, _flags: int = 0) -> int:
        if _flags & os.O_DIRECT:
            raise OSError(22, "Invalid argument")
        return 0

    dropped: list[int] = []
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    monkeypatch.setattr(
        os, "posix_fadvise", lambda _fd, _at, _bytes, advice: dropped.append(advice)
    )
    with opened(tmp_path / "slot") as fd:
        assert is_same(fd, b"image")
    assert dropped == [os.POSIX_FADV_DONTNEED]


@pytest.fixture(params=["off", "on"])
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A file of 9 MiB and the loop device over it, with direct I/O below or without."""
    file = tmp_path / "slot.img"
    file.write_bytes(os.urandom(9 * MIB))
    direct = f"--direct-io={request.param}"
    attach: list[str | Path] = ["/usr/sbin/losetup", "--find", "--show", direct, file]
    done = subprocess.run(attach, check=True, capture_output=True, text=True)
    path = Path(done.stdout.strip())
    yield file, path
    subprocess.run(["/usr/sbin/losetup", "--detach", path], check=True)


@each_way
def test_device_is_read_and_not_what_memory_remembers_of_it(
    device: tuple[Path, Path], is_same: Way
) -> None:
    file, node = device
    image = file.read_bytes()
    with opened(node) as fd, opened(file, os.O_RDWR) as below:
        assert is_same(fd, image)
        remembered = os.pread(fd, MIB, 4 * MIB)
        os.pwrite(below, bytes([image[4 * MIB] ^ 1]), 4 * MIB)
        os.fsync(below)
        assert os.pread(fd, MIB, 4 * MIB) == remembered  # from the page cache of the device
        assert not is_same(fd, image)


@each_way
@pytest.mark.parametrize("device", ["on"], indirect=True)
def test_device_whose_sectors_cannot_be_read_says_so(
    device: tuple[Path, Path], is_same: Way
) -> None:
    file, node = device
    image = file.read_bytes()
    os.truncate(file, 6 * MIB + 4096)
    with opened(node) as fd, pytest.raises(BootloaderError, match="Input/output") as caught:
        is_same(fd, image)
    assert caught.value.name is ErrorName.STORAGE_FAILED


MEMORY = """
import hashlib, os, re, sys
from pathlib import Path
from bootloader.chunks import Chunk
from bootloader.readback import hash_from_medium, verify_chunks

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

length, count = 4 << 20, 64
fd = os.open(sys.argv[1], os.O_RDONLY)
sha256 = hashlib.sha256(bytes(length)).digest()
before = peak()
verify_chunks(fd, [Chunk(at * length, length, sha256) for at in range(count)], "b")
hash_from_medium(fd, count * length, "b")
print(peak() - before)
"""


def test_memory_is_a_buffer_for_each_reader_whatever_the_size(tmp_path: Path) -> None:
    path = tmp_path / "slot"
    path.touch()
    os.truncate(path, 256 << 20)
    grown = subprocess.check_output([sys.executable, "-c", MEMORY, path], text=True)
    assert int(grown) < 12 << 10

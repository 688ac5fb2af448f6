# SPDX-License-Identifier: Apache-2.0
"""The destination: each byte of a disk goes where the map says, and nowhere else."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from puad.core.errors import Code, StorageError
from puad.core.extent import Extent
from puad.writer.destination import Destination
from puad.writer.slot import SlotFile, make_buffer
from puad.writer.spool import Spool

KIB = 1 << 10
FULL = Path("/dev/full")


@contextmanager
def files(*sizes: int) -> Iterator[list[int]]:
    """Files in memory, which know no direct I/O."""
    fds = [os.memfd_create(f"file-{number}") for number in range(len(sizes))]
    for fd, size in zip(fds, sizes, strict=True):
        os.ftruncate(fd, size)
    yield fds
    for fd in fds:
        os.close(fd)


def buffer_of(data: bytes) -> memoryview:
    view = make_buffer(len(data))
    view[:] = data
    return view


@st.composite
def layouts(draw: st.DrawFn) -> tuple[int, Extent, list[Extent]]:
    """A disk, its root image, and the runs of a boot file in any order, none over another."""
    size = draw(st.integers(3, 40_000))
    cuts = draw(st.lists(st.integers(1, size - 1), min_size=2, max_size=12, unique=True))
    bounds = [0, *sorted(cuts), size]
    runs = [Extent(a, b - a) for a, b in itertools.pairwise(bounds)]
    parts = draw(st.permutations(runs))
    taken = draw(st.integers(1, len(parts)))
    return size, parts[0], list(parts[1:taken])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(layout=layouts(), chunk_bytes=st.integers(700, 50_000))
def test_disk_in_chunks_of_any_length_is_taken_apart(
    tmp_path: Path, layout: tuple[int, Extent, list[Extent]], chunk_bytes: int
) -> None:
    size, root, runs = layout
    disk = random.Random(size).randbytes(size)
    boot_file = b"".join(disk[run.offset : run.end] for run in runs)
    slot_path = tmp_path / "slot"  # on a file system with direct I/O, if there is one
    slot_path.write_bytes(bytes([0xEE]) * root.length)
    fd = os.open(slot_path, os.O_RDWR)
    with files(len(boot_file)) as (spool_fd,):
        destination = Destination(SlotFile(fd), root, [Spool(spool_fd, runs)])
        for start in range(0, size, chunk_bytes):
            piece = disk[start : start + chunk_bytes]
            assert destination.wants(start, len(piece)) == any(
                run.part_of(Extent(start, len(piece))).length for run in (root, *runs)
            )
            destination.write(start, buffer_of(piece))
        destination.sync()
        assert slot_path.read_bytes() == disk[root.offset : root.end]
        assert os.pread(spool_fd, size, 0) == boot_file
        assert_reads_what_it_holds(destination, disk, [root, *runs])
        destination.close()
    os.close(fd)


def assert_reads_what_it_holds(destination: Destination, disk: bytes, held: list[Extent]) -> None:
    kept = [any(run.offset <= at < run.end for run in held) for at in range(len(disk))]
    for start in range(0, len(disk), max(1, len(disk) // 7)):
        into = make_buffer(min(5000, len(disk) - start))
        whole = all(kept[start : start + len(into)])
        assert destination.read(start, into) == whole
        if whole:
            assert bytes(into) == disk[start : start + len(into)]


@pytest.mark.parametrize("edge", [1 << 31, 1 << 32])
@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_offsets_around_the_sizes_of_numbers_lose_no_bit(edge: int, shift: int) -> None:
    root = Extent(edge + shift, 10_000)
    run = Extent(root.end + edge, 5000)
    with files(10_000, 5000) as (slot_fd, spool_fd):
        destination = Destination(SlotFile(slot_fd), root, [Spool(spool_fd, [run])])
        for extent, mark in ((root, b"r"), (run, b"b")):
            assert not destination.wants(extent.offset - 2, 2)
            assert destination.wants(extent.offset - 2, 3)
            assert destination.wants(extent.end - 1, 2)
            assert not destination.wants(extent.end, 2)
            destination.write(extent.offset - 2, buffer_of(b"xx" + mark * extent.length + b"yy"))
        assert os.pread(slot_fd, 20_000, 0) == b"r" * 10_000
        assert os.pread(spool_fd, 20_000, 0) == b"b" * 5000


def test_bytes_that_lie_in_two_files_go_to_both_and_are_not_read_back() -> None:
    root, run = Extent(0, 8192), Extent(4096, 4096)
    with files(8192, 4096) as (slot_fd, spool_fd):
        destination = Destination(SlotFile(slot_fd), root, [Spool(spool_fd, [run])])
        destination.write(0, buffer_of(b"a" * 4096 + b"b" * 4096))
        assert os.pread(slot_fd, 9000, 0) == b"a" * 4096 + b"b" * 4096
        assert os.pread(spool_fd, 9000, 0) == b"b" * 4096
        assert destination.read(0, make_buffer(4096))
        assert not destination.read(0, make_buffer(8192))


def test_part_that_ends_before_another_begins_to_matter_is_passed_over() -> None:
    root, run = Extent(0, 8192), Extent(0, 100)
    with files(8192, 100) as (slot_fd, spool_fd):
        destination = Destination(SlotFile(slot_fd), root, [Spool(spool_fd, [run])])
        destination.write(4096, buffer_of(b"r" * 4096))
        assert os.pread(slot_fd, 9000, 0) == bytes(4096) + b"r" * 4096
        assert os.pread(spool_fd, 100, 0) == bytes(100)


def test_part_that_its_medium_does_not_give_is_not_there() -> None:
    with files(8192, 100) as (slot_fd, spool_fd):
        spool = Spool(spool_fd, [Extent(8192, 200)])
        destination = Destination(SlotFile(slot_fd), Extent(0, 8192), [spool])
        assert destination.read(4096, make_buffer(4096 + 100))
        assert not destination.read(4096, make_buffer(4096 + 101))


def test_zeros_go_to_every_part_and_nowhere_else() -> None:
    root, run = Extent(5000, 8192), Extent(20_000, 3 << 20)
    with files(9000, run.length + 10) as (slot_fd, spool_fd):
        os.pwrite(slot_fd, b"s" * 9000, 0)
        os.pwrite(spool_fd, b"b" * (run.length + 10), 0)
        spool = Spool(spool_fd, [run])
        destination = Destination(SlotFile(slot_fd), root, [spool])
        destination.zero(6000, 20_000 + run.length - 6000 - 1)
        assert os.pread(slot_fd, 9999, 0) == b"s" * 1000 + bytes(7192) + b"s" * 808
        assert os.pread(spool_fd, 4 << 20, 0) == bytes(run.length - 1) + b"b" * 11


def test_spoilt_destination_keeps_neither_end_of_the_slot_nor_any_of_a_spool() -> None:
    mib = 1 << 20
    with files(3 * mib + 9, 100) as (slot_fd, spool_fd):
        os.pwrite(slot_fd, b"s" * (3 * mib + 9), 0)
        os.pwrite(spool_fd, b"b" * 100, 0)
        spool = Spool(spool_fd, [Extent(4 * mib, 100)])
        destination = Destination(SlotFile(slot_fd), Extent(0, 3 * mib), [spool])
        destination.spoil()
        content = os.pread(slot_fd, 4 * mib, 0)
        assert content == bytes(mib) + b"s" * mib + bytes(mib) + b"s" * 9
        assert os.fstat(spool_fd).st_size == 0
        assert spool.spoilt


def test_slot_that_cannot_be_spoilt_hides_no_error() -> None:
    fd = os.open(FULL, os.O_RDWR)
    with files(100) as (spool_fd,):
        Destination(SlotFile(fd), Extent(0, 100), [Spool(spool_fd, [Extent(0, 100)])]).spoil()
        assert os.fstat(spool_fd).st_size == 0
    os.close(fd)


def test_spool_on_a_full_disk_is_a_storage_error() -> None:
    fd = os.open(FULL, os.O_RDWR)
    spool = Spool(fd, [Extent(0, 10)])
    with pytest.raises(StorageError) as caught:
        spool.write(0, memoryview(b"0123456789"))
    assert caught.value.code is Code.DISK_FULL
    with pytest.raises(StorageError) as caught:
        spool.sync()  # a device that has no fsync
    assert caught.value.code is Code.STATE_UNWRITABLE
    with pytest.raises(StorageError):
        spool.spoil()
    os.close(fd)


def test_spool_that_is_short_or_broken_gives_nothing() -> None:
    with files(5) as (fd,):
        assert not Spool(fd, [Extent(0, 10)]).read(0, make_buffer(10))
        assert Spool(fd, [Extent(0, 10)]).read(0, make_buffer(5))
    closed = os.memfd_create("closed")
    os.close(closed)
    assert not Spool(closed, [Extent(0, 10)]).read(0, make_buffer(10))


def test_spool_goes_on_after_short_reads_and_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    write, read = os.pwrite, os.preadv
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: write(fd, data[:3], at))
    monkeypatch.setattr(os, "preadv", lambda fd, into, at: read(fd, [into[0][:2]], at))
    with files(10) as (fd,):
        spool = Spool(fd, [Extent(0, 10)])
        spool.write(0, memoryview(b"0123456789"))
        into = bytearray(10)
        assert spool.read(0, memoryview(into))
        assert into == b"0123456789"


def test_spool_syncs_what_an_earlier_process_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with files(10) as (fd,):
        spool = Spool(fd, [Extent(0, 10)])
        spool.sync()
        spool.sync()
        assert synced == [fd]
        spool.write(0, memoryview(b"x"))
        spool.sync()
        assert synced == [fd, fd]

# SPDX-License-Identifier: Apache-2.0
"""Slots and journals whose medium fails, by the kernel's own means."""

from __future__ import annotations

import fcntl
import os
import random
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from puad.core.errors import Code, StorageError
from puad.writer import ChunkJournal
from puad.writer.slot import SlotFile, make_buffer
from tests.unit.images.published_image import publish
from tests.unit.writer.conftest import Make
from tests.unit.writer.workbench import Bench, MemorySource

SIZE = 100_000
FULL = Path("/dev/full")  # every write: ENOSPC
UNMAPPED = Path("/proc/self/mem")  # page 0 is not mapped: every read and write there: EIO


@pytest.fixture
def file_size_limit() -> Iterator[None]:
    """Let no file of this process grow beyond 50 kB."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("slot", [FULL, UNMAPPED], ids=["full", "io-error"])
@pytest.mark.parametrize("indexed", [True, False])
def test_slot_that_fails_is_a_storage_error(
    bench: Bench, make: Make, slot: Path, *, indexed: bool
) -> None:
    with pytest.raises(StorageError) as caught:
        bench.write(make(SIZE), slot=slot, indexed=indexed)
    assert caught.value.code is Code.SLOT_WRITE_FAILED


def test_slot_that_fails_midway_keeps_what_was_synced(
    bench: Bench, make: Make, file_size_limit: None
) -> None:
    published = make(SIZE)
    bench.slot.write_bytes(b"")
    with pytest.raises(StorageError) as caught:
        bench.write(published)
    assert caught.value.code is Code.SLOT_WRITE_FAILED
    with ChunkJournal(bench.journal, published.release.file_hash) as journal:
        assert journal.chunks
        for number in journal.chunks:
            place = slice(number * 4096, (number + 1) * 4096)
            assert bench.content[place] == published.image[place]


def test_slot_that_cannot_be_read_back_is_written_again(bench: Bench, make: Make) -> None:
    published = make(SIZE)
    bench.write(published)
    bench.slot.write_bytes(b"")  # reading back ends at once
    bench.write(published)
    assert bench.content == published.image


def test_journal_on_a_full_disk_is_a_storage_error(bench: Bench, make: Make) -> None:
    published = make(SIZE)
    with pytest.raises(StorageError) as caught:
        bench.write(published, journal=ChunkJournal(FULL, published.release.file_hash))
    assert caught.value.code in {Code.DISK_FULL, Code.STATE_UNWRITABLE}


def test_journal_that_fills_the_disk_later_is_a_storage_error(bench: Bench, make: Make) -> None:
    published = make(SIZE)
    journal = ChunkJournal(bench.journal, published.release.file_hash)
    with journal:
        full = os.open(FULL, os.O_WRONLY)
        os.dup2(full, journal._fd)
        os.close(full)
        with pytest.raises(StorageError) as caught:
            journal.add([1, 2, 3])
    assert caught.value.code is Code.DISK_FULL


@pytest.mark.parametrize("kind", ["folder", "link", "absent-folder"])
def test_journal_that_cannot_be_opened_is_a_storage_error(
    bench: Bench, make: Make, kind: str
) -> None:
    published = make(SIZE)
    path = bench.folder / "journal"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(bench.slot)
    else:
        path = path / "absent" / "journal"
    with pytest.raises(StorageError) as caught:
        bench.write(published, journal=ChunkJournal(path, published.release.file_hash))
    assert caught.value.code is Code.STATE_UNWRITABLE
    assert bench.content[:1] == b"\xee"


def test_descriptor_comes_back_without_direct_io(bench: Bench, make: Make) -> None:
    fd = os.open(bench.slot, os.O_RDWR)
    try:
        slot = SlotFile(fd)
        slot.write(0, make_buffer(8192))
        slot.close()
        assert not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT
    finally:
        os.close(fd)


def test_slot_without_direct_io_is_written_through_the_cache(make: Make) -> None:
    fd = os.memfd_create("slot")
    try:
        os.ftruncate(fd, 1 << 20)
        slot = SlotFile(fd)
        data = make_buffer(10_000)
        data[:] = b"x" * 10_000
        slot.write(4096, data)
        slot.sync()
        into = make_buffer(10_000)
        assert slot.read(4096, into)
        assert bytes(into) == b"x" * 10_000
        assert not slot.read((1 << 20) - 1, into)
    finally:
        os.close(fd)


def test_image_on_a_medium_without_direct_io_lies_right(
    bench: Bench, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_direct_io(monkeypatch)
    published = make(SIZE)
    bench.write(published)
    assert bench.content[:SIZE] == published.image
    assert bench.write(published).bytes_fetched == 0


def refuse_direct_io(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the kernel's answer to O_DIRECT what it is on media that cannot do it."""
    real = fcntl.fcntl

    def refusing(fd: int, command: int, argument: int = 0) -> int:
        if command == fcntl.F_SETFL and argument & os.O_DIRECT:
            raise OSError(22, "Invalid argument")
        return real(fd, command, argument)

    monkeypatch.setattr(fcntl, "fcntl", refusing)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A loop device whose file system has room for less than the device has: then it fails."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    file = folder / "slot.img"
    file.touch()
    os.truncate(file, 4 << 20)
    attach: list[str | Path] = ["/usr/sbin/losetup", "--find", "--show", file]
    done = subprocess.run(attach, check=True, capture_output=True, text=True)
    device = Path(done.stdout.strip())
    # the kernel keeps a write protection of a loop device beyond its file
    subprocess.run(["/usr/sbin/blockdev", "--setrw", device], check=True)
    yield device
    subprocess.run(["/usr/sbin/blockdev", "--setrw", device], check=True)
    subprocess.run(["/usr/sbin/losetup", "--detach", device], check=True)
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_device_that_fails_at_a_sector_can_be_gone_on_with_when_mended(
    bench: Bench, small_disk: Path, tmp_path: Path
) -> None:
    published = publish("raw.zst", random.Random(3).randbytes(2 << 20), 1 << 16)
    with pytest.raises(StorageError) as caught:
        bench.write(published, slot=small_disk)
    assert caught.value.code is Code.SLOT_WRITE_FAILED
    mend: list[str | Path] = ["mount", "-o", "remount,size=8m", tmp_path / "small"]
    subprocess.run(mend, check=True)
    source = MemorySource(published.file, piece_bytes=1 << 16)
    result = bench.write(published, source, slot=small_disk)
    with small_disk.open("rb") as slot:
        assert slot.read(len(published.image)) == published.image
    assert result.bytes_fetched < len(published.file)


def test_device_that_goes_under_way_is_a_storage_error(
    bench: Bench, small_disk: Path, tmp_path: Path
) -> None:
    """A device that has gone has no room any more, as this one has none then."""
    published = publish("raw.zst", random.Random(3).randbytes(512 << 10), 1 << 14)

    @dataclass
    class Taking(MemorySource):
        def read(self, offset: int, length: int, cancelled: Callable[[], bool]) -> Iterator[bytes]:
            if offset > 200 << 10:
                os.truncate(tmp_path / "small/slot.img", 0)
                shrink: list[str | Path] = ["/usr/sbin/losetup", "--set-capacity", small_disk]
                subprocess.run(shrink, check=True)
            return super().read(offset, length, cancelled)

    with pytest.raises(StorageError) as caught:
        bench.write(published, Taking(published.file), slot=small_disk)
    assert caught.value.code is Code.SLOT_WRITE_FAILED

# SPDX-License-Identifier: Apache-2.0
"""Zeros without sending zeros, on real devices and files."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from puad.core.errors import Code, StorageError
from puad.writer import slot as slot_module
from puad.writer.slot import SlotFile, make_buffer
from puad.writer.zero_range import zero_range

MIB = 1 << 20
SIZE = 4 * MIB


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "slot.img"
    path.write_bytes(b"\xee" * SIZE)
    return path


@pytest.fixture
def device(file: Path) -> Iterator[Path]:
    attach: list[str | Path] = ["/usr/sbin/losetup", "--find", "--show", file]
    done = subprocess.run(attach, check=True, capture_output=True, text=True)
    path = Path(done.stdout.strip())
    # the kernel keeps a write protection of a loop device beyond its file
    subprocess.run(["/usr/sbin/blockdev", "--setrw", path], check=True)
    yield path
    subprocess.run(["/usr/sbin/losetup", "--detach", path], check=True)


@pytest.fixture(params=["file", "device"])
def fd(request: pytest.FixtureRequest) -> Iterator[int]:
    opened = os.open(request.getfixturevalue(request.param), os.O_RDWR)
    yield opened
    os.close(opened)


def content(fd: int) -> bytes:
    """What the cache gives, and the medium as well."""
    cached = os.pread(fd, SIZE, 0)
    direct = make_buffer(SIZE)
    slot = SlotFile(fd)
    assert slot.read(0, direct)
    slot.close()
    assert bytes(direct) == cached
    return cached


@pytest.mark.parametrize(
    ("offset", "length"), [(0, SIZE), (MIB, MIB), (4096, 4096), (512, 512), (SIZE - 512, 512)]
)
def test_range_is_zero_and_nothing_else(fd: int, offset: int, length: int) -> None:
    os.pread(fd, SIZE, 0)  # what is in the cache now must not come back
    assert zero_range(fd, offset, length)
    os.fsync(fd)
    expected = b"\xee" * offset + bytes(length) + b"\xee" * (SIZE - offset - length)
    assert content(fd) == expected


def test_zeros_stay_when_neighbours_are_written(fd: int) -> None:
    slot = SlotFile(fd)
    slot.zero(MIB, MIB)
    data = make_buffer(MIB)
    data[:] = b"x" * MIB
    slot.write(0, data)
    slot.write(2 * MIB, data)
    slot.sync()
    slot.close()
    assert content(fd) == b"x" * MIB + bytes(MIB) + b"x" * MIB + b"\xee" * MIB


@pytest.mark.parametrize(("offset", "length"), [(1, 1000), (100, 4096), (4095, 2), (511, 513)])
def test_range_off_the_sectors_of_a_device_is_written(
    device: Path, offset: int, length: int
) -> None:
    fd = os.open(device, os.O_RDWR)
    try:
        assert not zero_range(fd, offset, length)
        slot = SlotFile(fd)
        slot.zero(offset, length)
        slot.sync()
        slot.close()
        expected = b"\xee" * offset + bytes(length) + b"\xee" * (SIZE - offset - length)
        assert content(fd) == expected
    finally:
        os.close(fd)


def test_range_behind_the_end_of_a_file_is_written(file: Path) -> None:
    os.truncate(file, MIB + 100)
    fd = os.open(file, os.O_RDWR)
    try:
        assert not zero_range(fd, MIB, 4096)
        slot = SlotFile(fd)
        slot.zero(MIB, 3 * MIB)
        slot.sync()
        slot.close()
    finally:
        os.close(fd)
    assert file.read_bytes() == b"\xee" * MIB + bytes(3 * MIB)


@pytest.mark.parametrize(("offset", "waits"), [(0, False), (512, True)])
def test_zeros_that_share_a_page_wait_for_who_writes_beside_them(
    fd: int, offset: int, waits: bool
) -> None:
    slot = SlotFile(fd)
    zeroing = threading.Thread(target=slot.zero, args=(offset, MIB))
    with slot._mode.held(direct=False):
        zeroing.start()
        zeroing.join(0.2 if waits else 60)
        assert zeroing.is_alive() == waits
    zeroing.join(60)
    assert os.pread(fd, MIB, offset) == bytes(MIB)


def test_hole_takes_no_room(file: Path) -> None:
    before = file.stat().st_blocks
    fd = os.open(file, os.O_RDWR)
    assert zero_range(fd, 0, 2 * MIB)
    os.close(fd)
    assert file.stat().st_blocks < before


def test_pipe_cannot_be_zeroed() -> None:
    reading, writing = os.pipe()
    assert not zero_range(writing, 0, 4096)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(("number", "works"), [(95, True), (22, True), (5, False)])
def test_medium_that_cannot_is_written_and_one_that_fails_is_an_error(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: int, works: bool
) -> None:
    """Answers of the kernel that the media of this machine do not give: EOPNOTSUPP, EINVAL, EIO."""

    def answer(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "ioctl", answer)
    fd = os.open(file, os.O_RDWR)
    slot = slot_module.SlotFile(fd)
    try:
        if works:
            slot.zero(0, MIB)
            assert file.read_bytes()[:MIB] == bytes(MIB)
        else:
            with pytest.raises(StorageError) as caught:
                slot.zero(0, MIB)
            assert caught.value.code is Code.SLOT_WRITE_FAILED
    finally:
        slot.close()
        os.close(fd)

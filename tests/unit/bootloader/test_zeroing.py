# SPDX-License-Identifier: Apache-2.0
"""Zeroing, on a file system that punches holes and on one that cannot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootloader.errors import BootloaderError, ErrorName
from bootloader.zeroing import zero_tail

BYTES = (3 << 20) + 512
SLOT_BYTES = 2 << 30


@pytest.fixture
def without_holes(tmp_path: Path) -> Iterator[Path]:
    """A file system that cannot punch holes."""
    subprocess.run(["/usr/bin/mount", "-t", "ramfs", "none", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["/usr/bin/umount", tmp_path], check=True)


@pytest.fixture(params=["tmp_path", "without_holes"])
def folder(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


def zeroed(path: Path, begin: int, end: int) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        zero_tail(fd, begin, end, path)
    finally:
        os.close(fd)


@pytest.mark.parametrize("begin", [0, 1, 4095, 4096, 4097, 1 << 20, BYTES - 1, BYTES])
def test_zero_tail_zeroes_all_behind_and_nothing_before(folder: Path, begin: int) -> None:
    data = os.urandom(BYTES)
    path = folder / "slot"
    path.write_bytes(data)
    zeroed(path, begin, BYTES)
    assert path.read_bytes() == data[:begin] + bytes(BYTES - begin)


def test_zero_tail_of_a_large_sparse_slot_keeps_it_sparse(tmp_path: Path) -> None:
    path = tmp_path / "slot"
    with path.open("wb") as file:
        file.write(b"image")
        file.truncate(SLOT_BYTES)
        file.seek(SLOT_BYTES - 8)
        file.write(b"unsigned")
    zeroed(path, 5, SLOT_BYTES)
    assert path.stat().st_size == SLOT_BYTES
    assert path.stat().st_blocks * 512 < 1 << 20
    with path.open("rb") as file:
        assert file.read(10) == b"image" + bytes(5)
        file.seek(SLOT_BYTES - 8)
        assert file.read() == bytes(8)


def test_zero_tail_without_holes_writes_nothing_when_all_is_zero(without_holes: Path) -> None:
    path = without_holes / "slot"
    path.write_bytes(b"image" + bytes(BYTES))
    os.utime(path, (0, 0))
    zeroed(path, 5, BYTES)
    assert path.stat().st_mtime == 0
    zeroed(path, 4, BYTES)
    assert path.stat().st_mtime > 0


def test_zero_tail_that_cannot_write_says_storage_failed(tmp_path: Path) -> None:
    path = tmp_path / "slot"
    path.write_bytes(b"unsigned")
    fd = os.open(path, os.O_RDONLY)
    with pytest.raises(BootloaderError) as caught:
        zero_tail(fd, 1, 8, path)
    os.close(fd)
    assert caught.value.name is ErrorName.STORAGE_FAILED

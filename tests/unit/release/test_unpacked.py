# SPDX-License-Identifier: Apache-2.0
"""What a packed image unpacks to: whole, sparse, bounded, and gone afterwards."""

from __future__ import annotations

import gzip
import os
import resource
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator_stub.release import unpacked as module
from orchestrator_stub.release.errors import InputError, WriteError
from orchestrator_stub.release.image import open_image
from orchestrator_stub.release.packing import NODE_MEMORY_BYTES
from orchestrator_stub.release.unpacked import unpacked
from puad.core.packing import Packing

MIB = 1 << 20
DATA = os.urandom(70_000) + bytes(12 * MIB) + os.urandom(5000) + bytes(3 * MIB)


def no_progress(what: str, total: int) -> Callable[[int], object]:
    return lambda _count: None


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(gzip.compress(DATA, mtime=0))
    return path


def test_unpacked_is_the_whole_image_and_takes_no_room_for_what_is_empty(
    packed: Path, tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    told = list[int]()

    def progress(what: str, total: int) -> Callable[[int], object]:
        assert (what, total) == ("unpacking", packed.stat().st_size)
        return told.append

    with (
        open_image(packed) as image,
        unpacked(image, tmp_path / "work", NODE_MEMORY_BYTES, progress) as raw,
    ):
        assert raw.packed == image
        assert (image.packing, raw.packing) == (Packing.GZIP, None)
        assert raw.size == len(DATA)
        assert b"".join(raw.chunks()) == DATA
        assert os.fstat(raw.descriptor).st_blocks * 512 < 4 * MIB
        assert list((tmp_path / "work").iterdir()) == []  # it has no name
        descriptor = raw.descriptor
    assert sum(told) == packed.stat().st_size
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_unpacked_of_a_plain_image_is_the_image(tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(DATA)
    with (
        open_image(tmp_path / "root") as image,
        unpacked(image, tmp_path, NODE_MEMORY_BYTES, no_progress) as raw,
    ):
        assert raw is image


def test_unpacked_larger_than_an_index_can_hold_is_refused(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpack_all() -> None:
        with (
            open_image(packed) as image,
            unpacked(image, tmp_path, NODE_MEMORY_BYTES, no_progress),
        ):
            pass

    monkeypatch.setattr(module, "MAX_BYTES", len(DATA))
    unpack_all()
    monkeypatch.setattr(module, "MAX_BYTES", len(DATA) - 1)
    with pytest.raises(InputError, match="unpacks to more than"):
        unpack_all()


def test_unpacked_where_nothing_can_be_written_says_so(packed: Path, tmp_path: Path) -> None:
    with (
        open_image(packed) as image,
        pytest.raises(WriteError),
        unpacked(image, tmp_path / "absent", NODE_MEMORY_BYTES, no_progress),
    ):
        pass


def test_unpacked_without_room_for_it_says_so(packed: Path, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5 * MIB + 100, before[1]))
    try:
        with (
            open_image(packed) as image,
            pytest.raises(WriteError, match="too large"),
            unpacked(image, tmp_path, NODE_MEMORY_BYTES, no_progress),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_unpacked_of_a_bomb_leaves_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = tmp_path / "bomb.raw.gz"
    bomb.write_bytes(gzip.compress(b"\1" * (40 * MIB), 1))
    held: list[int] = []
    full = SimpleNamespace(f_bavail=19, f_blocks=1000)

    def status(descriptor: int) -> SimpleNamespace:
        held.append(os.fstat(descriptor).st_size)
        return full

    monkeypatch.setattr(os, "fstatvfs", status)
    with (
        open_image(bomb) as image,
        pytest.raises(WriteError, match="more than there is room for"),
        unpacked(image, tmp_path, NODE_MEMORY_BYTES, no_progress),
    ):
        pass
    assert [size >> 20 for size in held] == [16]
    assert [path.name for path in tmp_path.iterdir()] == [bomb.name]


def test_unpacked_of_a_file_that_is_written_to_meanwhile_is_refused(
    packed: Path, tmp_path: Path
) -> None:
    with open_image(packed) as image:
        os.utime(packed, ns=(1, 1))
        with (
            pytest.raises(InputError, match="written to"),
            unpacked(image, tmp_path, NODE_MEMORY_BYTES, no_progress),
        ):
            pass

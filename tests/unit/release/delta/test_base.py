# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import os
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from orchestrator_stub.release.delta.base import Base, NoBaseError, opened_base, serves_as_base
from orchestrator_stub.release.errors import WriteError
from orchestrator_stub.release.release import Release, ReleaseFile
from puad.core.disk_map import DiskMap
from puad.core.extent import Extent
from puad.core.manifest import Manifest
from tests.unit.release.delta.deltas import ignore

MIB = 1 << 20
NOISE = random.Random(3).randbytes(2 * MIB + 777)
IMAGE = NOISE[:MIB] + bytes(3 * MIB) + NOISE[MIB:] + bytes(5)


def release(image: bytes, kind: str = "raw.zst", disk: DiskMap | None = None) -> Release:
    manifest = Manifest(
        profile="edge",
        version="1",
        format=kind,
        image_size=len(image),
        image_hash=hashlib.sha256(image).hexdigest(),
        built_at=datetime(2026, 1, 1, tzinfo=UTC),
        disk=disk,
    )
    file = ReleaseFile("edge/1/edge-1", 1, "0" * 64, manifest.dump())
    return Release(manifest, file, (file,))


def published(folder: Path, image: bytes, kind: str) -> Path:
    file = folder / "published"
    if kind == "raw":
        file.write_bytes(image)
    else:
        compressor = zstandard.ZstdCompressor(level=1)
        pieces = (image[at : at + MIB] for at in range(0, len(image), MIB))
        file.write_bytes(b"".join(map(compressor.compress, pieces)))
    return file


@pytest.mark.parametrize("kind", ["raw", "raw.zst"])
def test_opened_base_has_the_bytes_of_the_image_and_leaves_no_file(
    tmp_path: Path, kind: str
) -> None:
    file, seen, work = published(tmp_path, IMAGE, kind), list[int](), tmp_path / "work"
    work.mkdir()
    with opened_base(release(IMAGE, kind), file, work, seen.append) as base:
        assert list(work.iterdir()) == []
        assert base.size == sum(seen) == len(IMAGE)
        assert base.read(Extent(0, base.size)) == IMAGE
        assert base.read(Extent(MIB - 3, 9)) == IMAGE[MIB - 3 : MIB + 6]
        if kind == "raw.zst":
            assert os.fstat(base.descriptor).st_blocks * 512 < len(IMAGE) - 2 * MIB
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("kind", ["raw", "raw.zst"])
@pytest.mark.parametrize("other", [IMAGE[:-1], IMAGE + b"\0", b"x" + IMAGE[1:], IMAGE * 2, b""])
def test_opened_base_of_other_bytes_is_no_base(tmp_path: Path, kind: str, other: bytes) -> None:
    file = published(tmp_path, other, kind)
    with (
        pytest.raises(NoBaseError, match="signed"),
        opened_base(release(IMAGE, kind), file, tmp_path, ignore),
    ):
        pytest.fail("it was taken")


@pytest.mark.parametrize("damage", ["cut", "noise", "absent", "folder"])
def test_opened_base_that_cannot_be_unpacked_is_no_base(tmp_path: Path, damage: str) -> None:
    file = published(tmp_path, IMAGE, "raw.zst")
    data = file.read_bytes()
    file.unlink()
    if damage == "cut":
        file.write_bytes(data[:-9])
    elif damage == "noise":
        file.write_bytes(NOISE[:5000])
    elif damage == "folder":
        file.mkdir()
    with (
        pytest.raises(NoBaseError),
        opened_base(release(IMAGE), file, tmp_path, ignore),
    ):
        pytest.fail("it was taken")


def test_opened_base_bomb_is_not_unpacked_beyond_the_signed_size(tmp_path: Path) -> None:
    file = tmp_path / "published"
    file.write_bytes(zstandard.ZstdCompressor(level=1).compress(bytes(256 * MIB)))
    with (
        pytest.raises(NoBaseError, match="larger"),
        opened_base(release(bytes(MIB)), file, tmp_path, ignore),
    ):
        pytest.fail("it was taken")


def test_opened_base_without_room_to_unpack_it_is_an_error(tmp_path: Path) -> None:
    file = published(tmp_path, IMAGE, "raw.zst")
    with (
        pytest.raises(WriteError),
        opened_base(release(IMAGE), file, tmp_path / "absent", ignore),
    ):
        pytest.fail("it was taken")


def test_read_base_that_becomes_shorter_is_no_base(tmp_path: Path) -> None:
    with published(tmp_path, b"abcd", "raw").open("rb") as file:
        base = Base(file.fileno(), 8)
        assert base.read(Extent(1, 3)) == b"bcd"
        with pytest.raises(NoBaseError, match="shorter"):
            base.read(Extent(1, 4))


def test_serves_as_base_a_root_image_that_nodes_can_read_by_chunks() -> None:
    disk = DiskMap(10 * len(IMAGE), Extent(0, len(IMAGE)))
    assert serves_as_base(release(IMAGE, "raw"))
    assert serves_as_base(release(IMAGE, "raw.zst"))
    assert not serves_as_base(release(IMAGE, "raw.xz"))
    assert not serves_as_base(release(IMAGE, "raw.zst", disk))

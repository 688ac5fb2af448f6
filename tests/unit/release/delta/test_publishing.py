# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator_stub.release.delta.listing import with_deltas, without_deltas
from orchestrator_stub.release.delta.making import Effort
from orchestrator_stub.release.delta.publishing import NewImage, add_deltas, choose_bases
from orchestrator_stub.release.image import open_image
from orchestrator_stub.release.layout import Layout
from orchestrator_stub.release.release import Release, ReleaseFile, make_release
from puad.core.chunks import Chunk, ChunkIndex
from puad.core.delta import Delta
from puad.core.disk_map import DiskMap
from puad.core.extent import Extent
from puad.core.manifest import Manifest, parse_manifest

SIZE = 5000
INDEX = "edge/9/edge-9.idx"
MANIFEST = Manifest(
    profile="edge",
    version="9",
    format="raw.zst",
    image_size=SIZE,
    image_hash="ab" * 32,
    built_at=datetime(2026, 1, 1, tzinfo=UTC),
    index=INDEX,
)


def release(manifest: Manifest) -> Release:
    image = ReleaseFile("edge/9/edge-9.raw.zst", SIZE, "0" * 64, manifest.dump())
    index = ReleaseFile(INDEX, 10, "1" * 64)
    return make_release((index, image))


def by_path(files: Iterable[ReleaseFile]) -> dict[str, ReleaseFile]:
    return {file.path: file for file in files}


def unused(what: str, total: int) -> Callable[[int], object]:
    raise AssertionError("no work was to be done")


def chosen(published: list[Manifest], count: int = 3) -> list[str]:
    releases = [release(one) for one in published]
    return [one.key[1] for one in choose_bases(releases, ("edge", "9"), count)]


def test_choose_bases_are_older_versions_newest_first() -> None:
    published = [replace(MANIFEST, version=v) for v in ("8", "8.10", "10", "8.9", "9~rc1", "9")]
    assert chosen(published) == ["9~rc1", "8.10", "8.9"]
    assert chosen(published, 1) == ["9~rc1"]
    assert chosen(published, 16) == ["9~rc1", "8.10", "8.9", "8"]
    assert chosen(published, 0) == []


def test_choose_bases_other_profiles_formats_and_disks_do_not_count() -> None:
    older = replace(MANIFEST, version="8")
    disk = DiskMap(9 * SIZE, Extent(4096, SIZE))
    assert chosen([older]) == ["8"]
    assert chosen([replace(older, profile="kiosk")]) == []
    assert chosen([replace(older, format="raw.xz")]) == []
    assert chosen([replace(older, disk=disk)]) == []


@pytest.mark.parametrize(
    "manifest",
    [
        replace(MANIFEST, index=None),
        replace(MANIFEST, disk=DiskMap(9 * SIZE, Extent(4096, SIZE))),
        replace(MANIFEST, format="raw.gz"),
    ],
    ids=["no index", "whole disk", "no frames"],
)
def test_add_deltas_image_that_is_not_read_by_frames_has_none(
    tmp_path: Path, manifest: Manifest
) -> None:
    framed = manifest.format == "raw.zst"
    chunks = (Chunk(0, SIZE, 0, SIZE if framed else 0, bytes(32)),)
    (tmp_path / "image").write_bytes(os.urandom(SIZE))
    base = release(replace(MANIFEST, version="8"))
    with open_image(tmp_path / "image") as image:
        new = NewImage(image, release(manifest), tmp_path, ChunkIndex(SIZE, chunks))
        made = add_deltas(new, [base], Layout(tmp_path), Effort(1, 1), unused)
    assert made.files == new.release.files
    assert made.warnings == ()


def test_deltas_put_in_and_taken_out_leave_the_same_release() -> None:
    plain = release(MANIFEST)
    rows = (Delta("8", "cd" * 32, "edge/9/d", "edge/9/i"),)
    files = (ReleaseFile("edge/9/d", 1, "2" * 64), ReleaseFile("edge/9/i", 1, "3" * 64))
    full = make_release(with_deltas(plain, rows, files))
    assert full.manifest.deltas == rows
    assert by_path(full.files).items() > by_path(files).items()
    assert by_path(without_deltas(full)) == by_path(plain.files)
    assert by_path(with_deltas(full, rows, files)) == by_path(full.files)


def test_without_deltas_a_manifest_of_before_them_says_the_same() -> None:
    custom = {"puad": {k: v for k, v in MANIFEST.dump()["puad"].items() if k != "deltas"}}
    image = ReleaseFile("edge/9/edge-9.raw.zst", SIZE, "0" * 64, custom)
    assert parse_manifest(custom) == MANIFEST
    assert without_deltas(make_release((image,)))[0].custom == MANIFEST.dump()

# SPDX-License-Identifier: Apache-2.0
"""The manifest, which has a twin in puad: boot control takes what that one takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bootloader.errors import BootloaderError, ErrorName
from bootloader.manifest import MAX_BOOT_FILE_BYTES, parse_manifest
from puad.core import manifest as puad_manifest
from puad.core.boot_file import BootFile, BootFileKind
from puad.core.delta import Delta
from puad.core.disk_map import DiskMap
from puad.core.extent import Extent
from tests.unit.bootloader.signing import INDEX, boot_file, manifest_of

ALIKE = (
    "profile",
    "version",
    "image_size",
    "image_hash",
    "built_at",
    "min_version",
    "root_partuuid",
)
PLAIN = puad_manifest.Manifest(
    profile="edge",
    version="13.1",
    format="raw.zst",
    image_size=4096,
    image_hash="ab" * 32,
    built_at=datetime(2026, 1, 1, tzinfo=UTC),
    index=INDEX,
    min_version="13.0",
    boot_files=(BootFile(BootFileKind.LINUX, "edge/13.1/linux", 6, "cd" * 32),),
)
WITH_DELTAS = replace(
    PLAIN,
    deltas=tuple(Delta(f"13.{n}", "ef" * 32, f"edge/{n}.dzst", f"edge/{n}.idx") for n in range(16)),
)
UKI = BootFile(
    BootFileKind.UKI,
    "",
    MAX_BOOT_FILE_BYTES,
    "cd" * 32,
    tuple(Extent(n << 19, 1 << 19) for n in range(1024)),
)
DISK = replace(
    PLAIN,
    boot_files=(UKI,),
    root_partuuid="8e8e8e8e-2222-3333-4444-555555555555",
    disk=DiskMap(1 << 30, Extent(1 << 29, 4096)),
)
LARGEST = replace(DISK, image_size=1 << 40, disk=DiskMap(1 << 40, Extent(0, 1 << 40)))


@pytest.mark.parametrize("manifest", [PLAIN, WITH_DELTAS, DISK, LARGEST])
def test_manifest_is_read_as_puad_reads_it(manifest: puad_manifest.Manifest) -> None:
    custom = manifest.dump()
    theirs = puad_manifest.parse_manifest(custom)
    assert theirs == manifest
    ours = parse_manifest(custom)
    for name in ALIKE:
        assert getattr(ours, name) == getattr(theirs, name)
    assert [(kind.value, file.size, file.sha256) for kind, file in ours.boot_files.items()] == [
        (file.kind.value, file.size, file.sha256) for file in theirs.boot_files
    ]


def test_index_of_a_whole_disk_is_none_of_the_slot() -> None:
    assert parse_manifest(PLAIN.dump()).index == INDEX
    assert parse_manifest(DISK.dump()).index is None
    assert parse_manifest(manifest_of(b"image", index=INDEX, disk={})).index is None


@pytest.mark.parametrize(
    "changes",
    [
        {"index": "/etc/passwd"},
        {"index": "a/../b"},
        {"index": 5},
        {"index": ""},
        {"image_size": (1 << 40) + 1},
        {"image_size": True},
        {"boot_files": [boot_file("linux", b"x") | {"size": MAX_BOOT_FILE_BYTES + 1}]},
        {"boot_files": [boot_file("linux", b"x"), boot_file("linux", b"y")]},
        {"boot_files": [boot_file("linux", b"x") | {"kind": ["linux"]}]},
        {"boot_files": [boot_file("linux", b"x")] * 4},
        {"boot_files": {"linux": boot_file("linux", b"x")}},
        {"built_at": "yesterday"},
        {"built_at": "2026-1-2T3:4:5Z"},
        {"built_at": "2026-13-23T10:00:00Z"},
        {"built_at": 1_800_000_000},
    ],
)
def test_manifest_that_says_anything_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BootloaderError) as caught:
        parse_manifest(manifest_of(b"image", **changes))
    assert caught.value.name is ErrorName.TARGET_UNKNOWN


@pytest.mark.parametrize("custom", [None, "puad", ["puad"], 5, {}, {"puad": []}])
def test_manifest_that_is_no_object_is_refused(custom: object) -> None:
    with pytest.raises(BootloaderError) as caught:
        parse_manifest(custom)
    assert caught.value.name is ErrorName.TARGET_UNKNOWN


@pytest.mark.parametrize("deltas", [None, [], {}, [{"from_version": 5}], "x" * 1000])
def test_manifest_whose_deltas_are_for_others_is_taken(deltas: object) -> None:
    assert parse_manifest(manifest_of(b"image", deltas=deltas)).image_size == 5

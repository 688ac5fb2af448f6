# SPDX-License-Identifier: Apache-2.0
"""The manifest: what it takes, and that nothing else gets through."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.boot_file import MAX_BOOT_FILE_BYTES, MAX_EXTENTS, BootFile, BootFileKind
from puad.core.delta import MAX_DELTAS, Delta
from puad.core.disk_map import DiskMap
from puad.core.errors import Code, TrustError
from puad.core.extent import Extent
from puad.core.manifest import CUSTOM_KEY, MAX_IMAGE_BYTES, Manifest, parse_manifest

FULL = Manifest(
    profile="edge",
    version="3.0.20250717.1000",
    format="raw.zst",
    image_size=138_412_032,
    image_hash="ab" * 32,
    built_at=datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
    index="edge/13.1/edge-13.1.raw.zst.idx",
    min_version="3.0",
    root_partuuid="0fc63daf-8483-4772-8e79-3d69d8477de4",
    boot_files=(
        BootFile(BootFileKind.LINUX, "edge/13.1/edge-13.1.linux", 10, "cd" * 32),
        BootFile(BootFileKind.INITRD, "edge/13.1/edge-13.1.initrd", 20, "ef" * 32),
    ),
    deltas=(Delta("13.0", "01" * 32, "edge/13.1/a.dzst", "edge/13.1/a.dzst.idx"),),
)
ROOT = Extent(1 << 20, FULL.image_size)
DISK = replace(
    FULL,
    format="raw.gz",
    disk=DiskMap(1 << 30, ROOT),
    boot_files=(BootFile(BootFileKind.UKI, "", 30, "cd" * 32, (Extent(900, 20), Extent(512, 10))),),
)


def refused(custom: Any) -> bool:
    with pytest.raises(TrustError) as caught:
        parse_manifest(custom)
    return caught.value.code is Code.MANIFEST_INVALID


def changed(**fields: Any) -> dict[str, Any]:
    return {CUSTOM_KEY: FULL.dump()[CUSTOM_KEY] | fields}


def without(field: str) -> dict[str, Any]:
    document = FULL.dump()
    del document[CUSTOM_KEY][field]
    return document


def test_manifest_that_was_dumped_reads_back_the_same() -> None:
    assert parse_manifest(FULL.dump()) == FULL


def test_manifest_of_a_whole_disk_reads_back_the_same() -> None:
    read = parse_manifest(DISK.dump())
    assert read == DISK
    assert read.unpacked_size == 1 << 30
    assert FULL.unpacked_size == FULL.image_size
    assert DISK.disk is not None
    assert DISK.root_extent == DISK.disk.root
    assert FULL.root_extent == Extent(0, FULL.image_size)


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9999, 1, 1)),  # noqa: DTZ001 -- hypothesis adds the zone
    st.integers(-12 * 60, 12 * 60),
    st.integers(1, MAX_IMAGE_BYTES),
)
def test_manifest_of_any_time_and_size_reads_back_the_same(
    built_at: datetime, zone_minutes: int, image_size: int
) -> None:
    zone = timezone(timedelta(minutes=zone_minutes))
    made = replace(
        FULL, built_at=built_at.replace(microsecond=0, tzinfo=zone), image_size=image_size
    )
    assert parse_manifest(made.dump()) == made


def test_manifest_without_options_has_none() -> None:
    made = replace(FULL, index=None, min_version=None, root_partuuid=None, boot_files=(), deltas=())
    assert parse_manifest(made.dump()) == made
    document = made.dump()
    for field in ("index", "min_version", "root_partuuid", "boot_files", "deltas", "disk"):
        del document[CUSTOM_KEY][field]
    assert parse_manifest(document) == made


def test_manifest_with_unknown_keys_is_taken() -> None:
    assert parse_manifest(changed(later=[1, 2])) == FULL


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(JSON)
def test_manifest_of_any_document_is_refused(custom: Any) -> None:
    assert refused(custom)
    assert refused({CUSTOM_KEY: custom})


@given(st.sampled_from(sorted(FULL.dump()[CUSTOM_KEY])), JSON)
def test_manifest_with_any_value_in_a_field_never_breaks_the_reader(field: str, value: Any) -> None:
    with contextlib.suppress(TrustError):
        parse_manifest(changed(**{field: value}))


@given(st.lists(JSON | st.fixed_dictionaries({"kind": JSON | st.just("uki")}), max_size=3))
def test_manifest_with_any_boot_files_never_breaks_the_reader(rows: list[Any]) -> None:
    with contextlib.suppress(TrustError):
        assert parse_manifest(changed(boot_files=rows)).boot_files == ()


@pytest.mark.parametrize(
    "field", ["schema", "profile", "version", "format", "image_size", "image_sha256", "built_at"]
)
def test_manifest_without_a_field_is_refused(field: str) -> None:
    assert refused(without(field))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", 2),
        ("profile", ""),
        ("profile", "../edge"),
        ("profile", "edge\n"),
        ("profile", "-edge"),
        ("profile", "e" * 129),
        ("version", 13.1),
        ("version", "13 1"),
        ("format", "raw/zst"),
        ("image_size", 0),
        ("image_size", -1),
        ("image_size", True),
        ("image_size", 1.5),
        ("image_size", "1"),
        ("image_size", MAX_IMAGE_BYTES + 1),
        ("image_sha256", "AB" * 32),
        ("image_sha256", "ab" * 31),
        ("image_sha256", "ab" * 33),
        ("built_at", "2026-11-23 10:00:00"),
        ("built_at", "2026-13-23T10:00:00Z"),
        ("built_at", 1_800_000_000),
        ("built_at", "2026-1-2T3:4:5Z"),
        ("built_at", "٢٠٢٦-11-23T10:00:00Z"),
        ("index", "/etc/passwd"),
        ("index", "edge/../../x"),
        ("index", "edge//x"),
        ("index", "a/" * 8 + "a"),
        ("index", ""),
        ("min_version", ""),
        ("root_partuuid", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
        ("root_partuuid", "0fc63daf"),
        ("boot_files", {}),
        ("boot_files", "uki"),
        ("boot_files", [1]),
        ("deltas", {}),
        ("deltas", [{}]),
        ("deltas", [FULL.deltas[0].dump()] * (MAX_DELTAS + 1)),
        ("deltas", [FULL.deltas[0].dump() | {"from_sha256": "ab"}]),
        ("deltas", [FULL.deltas[0].dump() | {"path": "../a"}]),
        ("deltas", [FULL.deltas[0].dump() | {"index": None}]),
        ("disk", 5),
        ("disk", {"size": FULL.image_size - 1, "root_offset": 0}),
        ("disk", {"size": FULL.image_size, "root_offset": 1}),
        ("disk", {"size": FULL.image_size, "root_offset": -1}),
        ("disk", {"size": MAX_IMAGE_BYTES + 1, "root_offset": 0}),
        ("disk", {"size": MAX_IMAGE_BYTES}),
    ],
)
def test_manifest_with_a_wrong_field_is_refused(field: str, value: Any) -> None:
    assert refused(changed(**{field: value}))


@given(
    st.integers(0, 1 << 20),
    st.integers(1, 1 << 20),
    st.integers(0, 1 << 20),
    st.integers(1, 1 << 20),
)
def test_part_of_an_extent_is_what_both_have(a: int, b: int, c: int, d: int) -> None:
    one, other = Extent(a, b), Extent(c, d)
    both = set(range(a, one.end)) & set(range(c, other.end)) if max(a, b, c, d) < 5000 else None
    part = one.part_of(other)
    assert part.length == max(0, min(one.end, other.end) - max(a, c))
    assert both is None or set(range(part.offset, part.end)) == both


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "grub"},
        {"kind": ["uki"]},
        {"kind": None},
        {"path": "../linux"},
        {"size": 0},
        {"size": MAX_BOOT_FILE_BYTES + 1},
        {"sha256": "00"},
    ],
)
def test_manifest_with_a_wrong_boot_file_is_refused(change: dict[str, Any]) -> None:
    rows = FULL.dump()[CUSTOM_KEY]["boot_files"]
    assert refused(changed(boot_files=[rows[0] | change]))


@pytest.mark.parametrize(
    "change",
    [
        {"path": "edge/13.1/edge.uki"},
        {"extents": []},
        {"extents": {}},
        {"extents": [[900, 29]]},
        {"extents": [[900, 31]]},
        {"extents": [[(1 << 30) - 29, 30]]},
        {"extents": [[-1, 30]]},
        {"extents": [[0, 30, 1]]},
        {"extents": [[0, True]]},
        {"extents": [[0, 1]] * (MAX_EXTENTS + 1)},
        {"extents": [[0, 30], [30, 0]]},
    ],
)
def test_manifest_with_wrong_extents_of_a_boot_file_is_refused(change: dict[str, Any]) -> None:
    document = DISK.dump()[CUSTOM_KEY]
    (row,) = document["boot_files"]
    assert refused({CUSTOM_KEY: document | {"boot_files": [row | change]}})


def test_manifest_of_a_root_image_with_extents_is_refused() -> None:
    assert refused(changed(boot_files=DISK.dump()[CUSTOM_KEY]["boot_files"]))


def test_manifest_with_two_boot_files_of_a_kind_is_refused() -> None:
    row = FULL.dump()[CUSTOM_KEY]["boot_files"][0]
    assert refused(changed(boot_files=[row, row]))


def test_manifest_with_too_many_boot_files_is_refused() -> None:
    rows = FULL.dump()[CUSTOM_KEY]["boot_files"]
    assert refused(changed(boot_files=rows * 2))

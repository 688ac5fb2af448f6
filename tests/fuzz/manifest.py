# SPDX-License-Identifier: Apache-2.0
"""The manifest, as node and boot control read it: what the node takes, boot control takes too."""

from __future__ import annotations

import json
from typing import Any

from bootloader import manifest as boot_manifest
from bootloader.errors import BootloaderError, ErrorName
from puad.core.errors import Code, TrustError
from puad.core.manifest import Manifest, parse_manifest
from tests.fuzz.signed_json import mutator, split
from tests.fuzz.target import Target


def check_manifest(data: bytes) -> str:
    custom, why = _to_custom(data)
    if why:
        return why
    try:
        manifest = parse_manifest(custom)
    except TrustError as error:
        assert error.code is Code.MANIFEST_INVALID
        assert str(error).isprintable()
        return str(error)
    _check_places(manifest)
    assert parse_manifest(json.loads(json.dumps(manifest.dump()))) == manifest
    shape = len(manifest.boot_files), len(manifest.deltas), manifest.disk is not None
    return f"boot files, deltas, disk: {shape}"


def _check_places(manifest: Manifest) -> None:
    size, root = manifest.unpacked_size, manifest.root_extent
    assert 0 < manifest.image_size == root.length
    assert 0 <= root.offset < root.end <= size <= 1 << 40
    assert len({file.kind for file in manifest.boot_files}) == len(manifest.boot_files)
    for file in manifest.boot_files:
        assert bool(file.path) is not bool(file.extents)
        assert 0 < file.size <= 512 << 20
        if file.extents:
            assert manifest.disk is not None
            assert sum(extent.length for extent in file.extents) == file.size
            assert all(0 <= e.offset < e.end <= size for e in file.extents)
    paths = [file.path for file in manifest.boot_files] + [d.path for d in manifest.deltas]
    for path in [*paths, *(delta.index for delta in manifest.deltas), manifest.index or ""]:
        assert path.isascii()
        assert path == path.strip().lstrip("/")
        assert not {".", ".."} & set(path.split("/"))


def check_boot_manifest(data: bytes) -> str:
    custom, why = _to_custom(data)
    if why:
        return why
    try:
        known = parse_manifest(custom)
    except TrustError:
        known = None
    try:
        manifest = boot_manifest.parse_manifest(custom)
    except BootloaderError as error:
        assert error.name is ErrorName.TARGET_UNKNOWN
        assert str(error).isprintable()
        assert known is None, f"the node takes what boot control refuses: {error}"
        return str(error)
    assert 0 < manifest.image_size <= 1 << 40
    assert all(0 < file.size <= 512 << 20 for file in manifest.boot_files.values())
    if known is None:
        return "only boot control takes it"
    _check_same(manifest, known)
    return f"{len(manifest.boot_files)} boot files"


def _check_same(manifest: boot_manifest.Manifest, known: Manifest) -> None:
    assert (manifest.profile, manifest.version) == (known.profile, known.version)
    assert (manifest.image_size, manifest.image_hash) == (known.image_size, known.image_hash)
    assert (manifest.built_at, manifest.min_version) == (known.built_at, known.min_version)
    assert manifest.root_partuuid == known.root_partuuid
    assert manifest.index == (None if known.disk else known.index)
    assert {kind.value: (f.size, f.sha256) for kind, f in manifest.boot_files.items()} == {
        f.kind.value: (f.size, f.sha256) for f in known.boot_files
    }


def _to_custom(data: bytes) -> tuple[Any, str]:
    """The `custom` value as TUF's reader hands it on: any JSON value."""
    try:
        return json.loads(split(data)[1]), ""
    except (ValueError, RecursionError):
        return None, "it is no JSON"


MANIFEST = Target("manifest", check_manifest, mutator())
BOOT_MANIFEST = Target("boot-manifest", check_boot_manifest, mutator(), kept="manifest")

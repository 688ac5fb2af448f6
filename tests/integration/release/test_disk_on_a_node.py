# SPDX-License-Identifier: Apache-2.0
"""From the publisher to the slot: disks that `puad-release add` took, installed by a node."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from puad.core.boot_file import BootFileKind
from puad.download.release import Release
from tests.integration.release.conftest import Site
from tests.integration.release.test_disks import WORDS, compress, erofs, published
from tests.unit.effects.test_install_disk import MemoryRepository, Node, RecordedBootControl
from tests.unit.images.published_disk import PublishedDisk
from tests.unit.release.disk_image.made_disk import ROOT_ID, make_uki, upstream_disk

__all__ = ["erofs"]
SLOT_BYTES = 4 << 20


@pytest.mark.parametrize(
    ("given", "ending"),
    [("raw.gz", "raw.gz"), ("raw.xz", "raw.xz"), ("raw", "raw"), ("raw.gz", "raw.zst")],
)
def test_upstream_disk_is_installed(
    site: Site, tmp_path: Path, erofs: bytes, given: str, ending: str
) -> None:
    uki = make_uki()
    disk = upstream_disk(site.folder, uki=uki, root=erofs)
    image = disk if given == "raw" else compress(disk, given)
    site.run("add", image, *WORDS, "--format", ending)
    _, file, manifest, index = published(site, ending)
    release = Release(
        f"edge/3.0/edge-3.0.{ending}", len(file), hashlib.sha256(file).hexdigest(), manifest
    )
    whole = PublishedDisk(erofs, file, index, release, disk.read_bytes())
    slot = tmp_path / "slot"
    slot.write_bytes(os.urandom(SLOT_BYTES))
    (tmp_path / "persist").mkdir()
    node = Node(tmp_path / "persist", RecordedBootControl(slot), slot_bytes=SLOT_BYTES)
    repository = MemoryRepository(whole, piece_bytes=65_536)
    node.install(repository)
    assert slot.read_bytes()[: len(erofs)] == erofs
    assert node.boot_control.staged == {BootFileKind.UKI: uki}
    assert node.boot_control.root_id == ROOT_ID
    if index.framed:
        fetched = sum(length for source in repository.sources for _, length in source.reads)
        assert fetched < len(file)

# SPDX-License-Identifier: Apache-2.0
"""Whole disks as a publisher signs them: noise, and a map that says which runs of it are what."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from puad.core.boot_file import BootFile, BootFileKind
from puad.core.disk_map import DiskMap
from puad.core.extent import Extent
from tests.unit.images.published_image import Published, publish

Extents = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class PublishedDisk(Published):
    """A published whole disk; `image` is its root image."""

    disk: bytes = b""

    def boot_file(self, kind: BootFileKind) -> tuple[BootFile, bytes]:
        """What is signed about a boot file, and its bytes."""
        file = next(f for f in self.release.manifest.boot_files if f.kind is kind)
        return file, _joined(self.disk, file.extents)


def publish_disk(  # noqa: PLR0913 -- keyword-only
    format_name: str,
    size: int,
    root: tuple[int, int],
    boot_files: Mapping[BootFileKind, Extents],
    *,
    chunk_bytes: int = 4096,
    framed: bool | None = None,
    cut_at_root: bool = True,
    seed: int = 0,
) -> PublishedDisk:
    """Publish a disk of noise.

    Args:
        format_name: In which format.
        size: Size of the disk.
        root: Offset and length of the root image.
        boot_files: Offset and length of each run of a boot file, in the order of its bytes.
        chunk_bytes: How long a chunk is.
        framed: Whether chunks have frames; None for whatever the format can do.
        cut_at_root: Whether chunks begin and end where the root image does, as they should.
        seed: Of the noise.
    """
    disk = random.Random(seed).randbytes(size)
    extent = Extent(*root)
    cuts = (extent.offset, extent.end) if cut_at_root else ()
    published = publish(format_name, disk, chunk_bytes, framed=framed, cuts=cuts)
    image = disk[extent.offset : extent.end]
    manifest = replace(
        published.release.manifest,
        image_size=len(image),
        image_hash=hashlib.sha256(image).hexdigest(),
        disk=DiskMap(size, extent),
        boot_files=tuple(
            _boot_file(kind, disk, [Extent(*run) for run in runs])
            for kind, runs in boot_files.items()
        ),
    )
    release = replace(published.release, manifest=manifest)
    return PublishedDisk(image, published.file, published.index, release, disk)


def _boot_file(kind: BootFileKind, disk: bytes, extents: Sequence[Extent]) -> BootFile:
    content = _joined(disk, extents)
    sha256 = hashlib.sha256(content).hexdigest()
    return BootFile(kind, "", len(content), sha256, tuple(extents))


def _joined(disk: bytes, extents: Sequence[Extent]) -> bytes:
    return b"".join(disk[extent.offset : extent.end] for extent in extents)

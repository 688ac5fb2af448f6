# SPDX-License-Identifier: Apache-2.0
"""Whole disks: root image to the slot, boot files to their spools, whatever ends the write."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from puad import images
from puad.core.boot_file import BootFileKind
from puad.core.chunks import Chunk, ChunkIndex
from puad.core.disk_map import DiskMap
from puad.core.errors import Code, DownloadError, ImageError, OperatorError
from puad.core.extent import Extent
from puad.images import ImageFormat
from puad.writer import Spool, WriteResult
from puad.writer.unpacking import PublishedFile, Unpacking
from tests.unit.images.published_disk import Extents, PublishedDisk, publish_disk
from tests.unit.images.published_image import publish
from tests.unit.writer.workbench import LIMITS, Bench, MemorySource, is_old

MIB = 1 << 20
PAGE = 4096
UKI, LINUX, INITRD = BootFileKind.UKI, BootFileKind.LINUX, BootFileKind.INITRD
FORMATS = images.known()
# How the file is published: chunks with frames, chunks without, or one hash for the file.
WAYS = [
    *(("framed", name) for name in ("raw", "raw.zst")),
    *(("stream", name) for name in FORMATS),
    *(("whole", name) for name in FORMATS),
]
way = pytest.mark.parametrize(("way", "name"), WAYS)
checked = pytest.mark.parametrize(("way", "name"), [w for w in WAYS if w[0] != "whole"])

# Where the UKI lies: before the root image, behind it, around it, in pieces out of order.
ROOT = (10 * PAGE, 30 * PAGE)
UKIS: dict[str, Extents] = {
    "before": [(PAGE, 5 * PAGE + 100)],
    "behind": [(45 * PAGE, 3 * PAGE)],
    "around": [(2 * PAGE, 1000), (44 * PAGE, 5000)],
    "out-of-order": [(44 * PAGE, 512), (3 * PAGE, 512), (46 * PAGE, 1536), (PAGE, 700)],
}
SIZE = 50 * PAGE


@dataclass
class Spools:
    """Spool files of the boot files of a disk."""

    folder: Path
    opened: list[int] = field(default_factory=list)

    def path(self, kind: BootFileKind) -> Path:
        return self.folder / f"{kind}.spool"

    def open(self, disk: PublishedDisk, stack: ExitStack) -> list[Spool]:
        spools = []
        for file in disk.release.manifest.boot_files:
            fd = os.open(self.path(file.kind), os.O_RDWR | os.O_CREAT)
            stack.callback(os.close, fd)
            os.ftruncate(fd, file.size)
            spools.append(Spool(fd, file.extents))
        return spools


def write(bench: Bench, disk: PublishedDisk, way: str, **options: Any) -> WriteResult:
    source = options.pop("source", MemorySource(disk.file, piece_bytes=3000))
    with ExitStack() as stack:
        spools = Spools(bench.folder).open(disk, stack)
        return bench.write(disk, source, indexed=way != "whole", spools=spools, **options)


def disk_of(
    way: str, name: str, *, boot_files: Mapping[BootFileKind, Extents], **options: Any
) -> PublishedDisk:
    size, root = options.pop("size", SIZE), options.pop("root", ROOT)
    return publish_disk(name, size, root, boot_files, framed=way == "framed", **options)


def assert_taken_apart(bench: Bench, disk: PublishedDisk) -> None:
    size = len(disk.image)
    assert bench.content[:size] == disk.image
    assert is_old(bench.content[size:])
    for file in disk.release.manifest.boot_files:
        assert Spools(bench.folder).path(file.kind).read_bytes() == disk.boot_file(file.kind)[1]


@way
@pytest.mark.parametrize("uki", UKIS)
def test_disk_is_taken_apart_wherever_its_uki_lies(
    bench: Bench, way: str, name: str, uki: str
) -> None:
    disk = disk_of(way, name, boot_files={UKI: UKIS[uki]})
    write(bench, disk, way)
    assert_taken_apart(bench, disk)


@way
@pytest.mark.parametrize("offset", [1, 512, 34 * 512, PAGE - 1, MIB + 512])
@pytest.mark.parametrize("cut_at_root", [True, False])
def test_root_that_begins_off_a_page_lies_right(
    bench: Bench, way: str, name: str, offset: int, *, cut_at_root: bool
) -> None:
    size = offset + 100_001 + 700
    uki = [(offset + 100_001, 500), (0, 1)]
    disk = disk_of(
        way, name, size=size, root=(offset, 100_001), boot_files={UKI: uki}, cut_at_root=cut_at_root
    )
    write(bench, disk, way)
    assert_taken_apart(bench, disk)


@way
def test_disk_that_is_all_root_needs_no_boot_file(bench: Bench, way: str, name: str) -> None:
    disk = disk_of(way, name, size=50_000, root=(0, 50_000), boot_files={})
    write(bench, disk, way)
    assert_taken_apart(bench, disk)


@way
def test_disk_larger_than_the_slot_installs_when_its_root_fits(
    bench: Bench, way: str, name: str
) -> None:
    disk = disk_of(way, name, size=60 * PAGE, root=(50 * PAGE, 4 * PAGE), boot_files={})
    write(bench, disk, way, slot_bytes=4 * PAGE)
    assert_taken_apart(bench, disk)


@st.composite
def layouts(draw: st.DrawFn) -> dict[str, Any]:
    """Runs of a disk: one is the root image, the others boot files, or nothing's."""
    size = draw(st.integers(4, 60_000))
    cuts = draw(st.lists(st.integers(1, size - 1), min_size=1, max_size=16, unique=True))
    bounds = [0, *sorted(cuts), size]
    runs = draw(st.permutations([(a, b - a) for a, b in itertools.pairwise(bounds)]))
    boot_files: dict[BootFileKind, list[tuple[int, int]]] = {}
    for run in runs[1:]:
        owner = draw(st.sampled_from([None, LINUX, INITRD, UKI]))
        if owner:
            boot_files.setdefault(owner, []).append(run)
    return {
        "size": size,
        "root": runs[0],
        "boot_files": boot_files,
        "chunk_bytes": draw(st.integers(500, 20_000)),
        "cut_at_root": draw(st.booleans()),
        "seed": draw(st.integers(0, 1000)),
    }


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(layout=layouts(), way=st.sampled_from(WAYS), breaks=st.lists(st.floats(0, 1), max_size=3))
def test_disk_that_breaks_off_and_goes_on_is_taken_apart(
    tmp_path: Path, layout: dict[str, Any], way: tuple[str, str], breaks: list[float]
) -> None:
    for path in tmp_path.iterdir():
        path.unlink()
    bench = Bench(tmp_path, 64_000)
    disk = disk_of(*way, **layout)
    for part in breaks:
        breaks_at = 1 + int(part * (len(disk.file) - 2))
        source = MemorySource(disk.file, breaks_at=breaks_at, piece_bytes=3000)
        try:
            write(bench, disk, way[0], source=source)
        except DownloadError:
            continue
    write(bench, disk, way[0])
    assert_taken_apart(bench, disk)


@checked
def test_finished_disk_is_fetched_no_second_time_when_its_boot_files_are_kept(
    bench: Bench, way: str, name: str
) -> None:
    disk = disk_of(way, name, boot_files={UKI: UKIS["out-of-order"]})
    write(bench, disk, way)
    source = MemorySource(disk.file)
    bench.write(disk, source)  # without spools: the boot files are complete
    assert source.reads == []
    assert_taken_apart(bench, disk)


@checked
def test_lost_spool_is_filled_again_and_the_slot_is_left_alone(
    bench: Bench, way: str, name: str
) -> None:
    disk = disk_of(way, name, boot_files={UKI: UKIS["out-of-order"]})
    write(bench, disk, way)
    Spools(bench.folder).path(UKI).unlink()
    result = write(bench, disk, way)
    assert_taken_apart(bench, disk)
    assert result.bytes_written == 4 * PAGE  # the chunks that hold a piece of the UKI
    if way == "framed":
        assert result.bytes_fetched < len(disk.file) // 5


def test_framed_disk_fetches_only_what_goes_anywhere(bench: Bench) -> None:
    disk = disk_of("framed", "raw", boot_files={UKI: UKIS["out-of-order"]})
    source = MemorySource(disk.file)
    result = write(bench, disk, "framed", source=source)
    assert result.bytes_fetched == 34 * PAGE
    assert sum(length for _, length in source.reads) == 34 * PAGE


@checked
def test_progress_counts_what_goes_anywhere(bench: Bench, way: str, name: str) -> None:
    disk = disk_of(way, name, boot_files={UKI: UKIS["out-of-order"]})
    seen: list[tuple[int, int]] = []
    write(bench, disk, way, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(set(seen))
    assert (seen[0], seen[-1]) == ((0, 34 * PAGE), (34 * PAGE, 34 * PAGE))


@checked
@pytest.mark.parametrize("at", [2 * PAGE + 5, 20 * PAGE, 44 * PAGE + 5])
def test_chunk_without_its_hash_reaches_neither_slot_nor_spool(
    bench: Bench, way: str, name: str, at: int
) -> None:
    disk = disk_of(way, name, boot_files={UKI: UKIS["around"]})
    chunks = list(disk.index.chunks)
    number = next(n for n, c in enumerate(chunks) if c.image_offset <= at < c.image_offset + PAGE)
    chunks[number] = replace(chunks[number], sha256=bytes(32))
    index = ChunkIndex(SIZE, tuple(chunks))
    with pytest.raises(ImageError) as caught:
        write(bench, disk, way, index=index)
    assert caught.value.code is Code.HASH_MISMATCH
    lie = Extent(chunks[number].image_offset, PAGE)
    spooled = Spools(bench.folder).path(UKI).read_bytes()
    at_spool = 0
    for extent in disk.boot_file(UKI)[0].extents:
        common = extent.part_of(lie)
        start = at_spool + common.offset - extent.offset
        assert spooled[start : start + common.length] == bytes(common.length)
        at_spool += extent.length
    common = Extent(*ROOT).part_of(lie)
    start = common.offset - ROOT[0]
    assert is_old(bench.content[start : start + common.length])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("indexed", [True, False])
def test_other_file_hash_spoils_slot_and_spools(bench: Bench, name: str, *, indexed: bool) -> None:
    disk = disk_of("whole", name, boot_files={UKI: UKIS["around"]})
    release = replace(disk.release, file_hash="0" * 64)
    with pytest.raises(ImageError) as caught:
        write(bench, disk, "stream" if indexed else "whole", release=release)
    assert caught.value.code is Code.HASH_MISMATCH
    assert bench.content[: ROOT[1]] == bytes(ROOT[1])
    assert Spools(bench.folder).path(UKI).read_bytes() == b""


@pytest.mark.parametrize("name", FORMATS)
def test_other_image_hash_spoils_slot_and_spools(bench: Bench, name: str) -> None:
    disk = disk_of("whole", name, boot_files={UKI: UKIS["behind"]})
    manifest = replace(disk.release.manifest, image_hash="0" * 64)
    with pytest.raises(ImageError) as caught:
        write(bench, disk, "whole", release=replace(disk.release, manifest=manifest))
    assert caught.value.code is Code.HASH_MISMATCH
    assert bench.content[: ROOT[1]] == bytes(ROOT[1])
    assert Spools(bench.folder).path(UKI).read_bytes() == b""


@pytest.mark.parametrize("breaks_at", [3 * PAGE, 20 * PAGE, 49 * PAGE])
def test_disk_with_one_hash_that_breaks_off_leaves_nothing(bench: Bench, breaks_at: int) -> None:
    disk = disk_of("whole", "raw", boot_files={UKI: UKIS["before"]})
    with pytest.raises(DownloadError):
        write(bench, disk, "whole", source=MemorySource(disk.file, breaks_at=breaks_at))
    spooled = Spools(bench.folder).path(UKI).read_bytes()
    assert not spooled.strip(b"\0")
    assert is_old(bench.content) or bench.content[: ROOT[1]] == bytes(ROOT[1])


@dataclass
class Ones(ImageFormat):
    """The same byte, so many times, at next to no cost."""

    length: int
    begun: threading.Event = field(default_factory=threading.Event)

    def decode_file(self, pieces: Iterable[bytes], memory_bytes: int) -> Iterator[bytes]:
        for _ in pieces:
            pass
        piece = b"\1" * (1 << 18)
        for start in range(0, self.length, len(piece)):
            self.begun.set()
            yield piece[: self.length - start]


@pytest.mark.parametrize("error", [-1, 0, 1])
@pytest.mark.parametrize("size", [512, PAGE, 1 << 31, 1 << 32])
@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("indexed", [True, False])
def test_disk_of_a_size_off_by_one_is_refused(
    bench: Bench, size: int, error: int, *, at_end: bool, indexed: bool
) -> None:
    published = publish("raw", b"\1" * 512)
    chunks = [
        Chunk(at, min(4 * MIB, size - 512 - at), 0, 0, bytes(32))
        for at in range(0, size - 512, 4 * MIB)
    ]
    root = Chunk(size - 512 if at_end else 0, 512, 0, 0, published.index.chunks[0].sha256)
    if not at_end:
        chunks = [replace(chunk, image_offset=chunk.image_offset + 512) for chunk in chunks]
    index = ChunkIndex(size, (*chunks, root) if at_end else (root, *chunks))
    disk = DiskMap(size, Extent(root.image_offset, 512))
    release = replace(published.release, manifest=replace(published.release.manifest, disk=disk))
    options: dict[str, Any] = {"release": release, "index": index if indexed else None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "get", lambda _name: Ones(size + error))
        if error:
            with pytest.raises(ImageError) as caught:
                bench.write(published, **options)
            assert caught.value.code is Code.IMAGE_INVALID
            assert is_old(bench.content[512:])
        else:
            bench.write(published, **options)
            assert bench.content[:512] == b"\1" * 512


def test_skipping_what_nobody_wants_ends_when_it_is_cancelled() -> None:
    ones = Ones(1 << 60)
    published = publish("raw", bytes(512))
    file = PublishedFile(published.release, ones, MemorySource(published.file))
    with (
        Unpacking(file, LIMITS, ones.begun.is_set) as unpacking,
        pytest.raises(OperatorError) as caught,
    ):
        unpacking.skip(1 << 60)
    assert caught.value.code is Code.CANCELLED

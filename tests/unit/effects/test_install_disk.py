# SPDX-License-Identifier: Apache-2.0
"""The install of a whole disk: nothing is staged before it was verified, and in the right order."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from puad.bootcontrol import BootControl
from puad.config import Limits
from puad.core.boot_file import BootFileKind
from puad.core.errors import Code, DownloadError, ImageError, StorageError
from puad.core.model import Assessment, Facts, Offer, Slot, SlotState
from puad.core.run import Goal
from puad.download.release import Release, SignedChain
from puad.download.repository import ReleaseRepository
from puad.effects.install import Installer
from puad.effects.watch import Progress, Watch
from tests.unit.images.published_disk import PublishedDisk, publish_disk
from tests.unit.writer.workbench import MemorySource, is_old

PAGE = 4096
UKI = BootFileKind.UKI
RUNS = ((40 * PAGE, 5000), (PAGE, 700))
PARTUUID = "3ad4cd0c-7ee8-4b3b-8ffd-e1a22d1b3c1f"


@dataclass
class RecordedBootControl:
    """Takes what it is given, and notes the order."""

    slot: Path
    calls: list[str] = field(default_factory=list)
    staged: dict[str, bytes] = field(default_factory=dict)
    root_id: str = ""

    def disarm(self, slot: str) -> None:
        self.calls.append(f"disarm {slot}")

    def open_inactive(self, slot: str) -> int:
        self.calls.append(f"open {slot}")
        return os.open(self.slot, os.O_RDWR)

    def stage(self, slot: str, kind: str, fd: int, size: int, sha256: str) -> None:
        self.calls.append(f"stage {slot} {kind}")
        self.staged[kind] = os.pread(fd, size, 0)

    def set_root_id(self, slot: str, partuuid: str) -> None:
        self.calls.append(f"set-root-id {slot}")
        self.root_id = partuuid

    def seal(
        self,
        slot: str,
        roots: Sequence[bytes],
        targets: bytes,
        target_path: str,
        index: bytes = b"",
        progress: Callable[[int], None] = lambda _done: None,
    ) -> None:
        self.calls.append(f"seal {slot}")


@dataclass
class MemoryRepository:
    """A repository with one disk and its index."""

    disk: PublishedDisk
    breaks_at: int | None = None
    piece_bytes: int = 1000
    sources: list[MemorySource] = field(default_factory=list)

    def release(self, _url: str) -> Release:
        return self.disk.release

    def small_target(self, _path: str, _most_bytes: int) -> bytes:
        return self.disk.index.dump()

    def source(self, path: str) -> MemorySource:
        assert path == self.disk.release.path
        self.sources.append(MemorySource(self.disk.file, self.breaks_at, self.piece_bytes))
        return self.sources[-1]

    def chain(self) -> SignedChain:
        return SignedChain((), b"targets")


@dataclass
class Node:
    """What an install needs."""

    folder: Path
    boot_control: RecordedBootControl
    progress: list[Progress] = field(default_factory=list)
    slot_bytes: int = 50 * PAGE

    def install(self, repository: MemoryRepository) -> None:
        watch = Watch()
        watch.listener = self.progress.append
        limits = Limits(journal_batch_bytes=8192, queue_chunks=2, range_bytes=16_384)
        boot_control = cast("BootControl", self.boot_control)
        installer = Installer(boot_control, self.folder, limits, watch)
        release = repository.disk.release
        offer = Offer(release.path, release.manifest.version, release.file_hash, "edge")
        slots = (
            Slot("a", SlotState.BOOTED, Assessment.GOOD),
            Slot("b", SlotState.INACTIVE, Assessment.BAD, size_bytes=self.slot_bytes),
        )
        facts = Facts("boot", "a", "a", "13.0", "edge", slots)
        goal = Goal("run", offer, "b", datetime(2026, 11, 29, tzinfo=UTC))
        installer.install(goal, cast("ReleaseRepository", repository), facts, floor=None)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    slot = tmp_path / "slot"
    slot.write_bytes(b"\xee" * 50 * PAGE)
    (tmp_path / "persist").mkdir()
    return Node(tmp_path / "persist", RecordedBootControl(slot))


def disk_of(name: str, *, indexed: bool = True) -> PublishedDisk:
    disk = publish_disk(name, 60 * PAGE, (4 * PAGE, 30 * PAGE), {UKI: RUNS})
    manifest = replace(
        disk.release.manifest,
        index=f"{disk.release.path}.idx" if indexed else None,
        root_partuuid=PARTUUID,
    )
    return replace(disk, release=replace(disk.release, manifest=manifest))


@pytest.mark.parametrize("name", ["raw", "raw.gz", "raw.xz", "raw.zst"])
@pytest.mark.parametrize("indexed", [True, False])
def test_disk_is_installed_with_its_uki_and_its_root_id(
    node: Node, name: str, *, indexed: bool
) -> None:
    disk = disk_of(name, indexed=indexed)
    node.install(MemoryRepository(disk))
    assert node.boot_control.slot.read_bytes()[: 30 * PAGE] == disk.image
    assert node.boot_control.staged == {"uki": disk.boot_file(UKI)[1]}
    assert node.boot_control.root_id == PARTUUID
    assert node.boot_control.calls == [
        "disarm b",
        "open b",
        "stage b uki",
        "set-root-id b",
        "seal b",
    ]
    assert node.progress[-1] == Progress()


def test_disk_for_whose_uki_there_is_no_room_leaves_the_slot_as_it_is(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError) as caught:
        node.install(MemoryRepository(disk_of("raw.gz")))
    assert caught.value.code is Code.DISK_FULL
    assert node.boot_control.calls == []


@pytest.mark.parametrize("name", ["raw.gz", "raw.zst"])
def test_disk_that_breaks_off_is_staged_only_when_it_is_whole(node: Node, name: str) -> None:
    disk = disk_of(name)
    with pytest.raises(DownloadError):
        node.install(MemoryRepository(disk, breaks_at=41 * PAGE))
    assert node.boot_control.staged == {}
    node.install(MemoryRepository(disk))
    assert node.boot_control.staged == {"uki": disk.boot_file(UKI)[1]}
    assert node.boot_control.slot.read_bytes()[: 30 * PAGE] == disk.image


@pytest.mark.parametrize("name", ["raw", "raw.gz", "raw.xz", "raw.zst"])
def test_disk_with_one_hash_that_is_wrong_stages_nothing_and_leaves_nothing(
    node: Node, name: str
) -> None:
    disk = disk_of(name, indexed=False)
    forged = replace(disk.release.manifest, image_hash="0" * 64)
    repository = MemoryRepository(replace(disk, release=replace(disk.release, manifest=forged)))
    with pytest.raises(ImageError) as caught:
        node.install(repository)
    assert caught.value.code is Code.HASH_MISMATCH
    assert node.boot_control.calls == ["disarm b", "open b"]
    content = node.boot_control.slot.read_bytes()
    assert content[: 30 * PAGE] == bytes(30 * PAGE)
    assert is_old(content[30 * PAGE :])
    assert list((node.folder / "boot-files").iterdir()) == []


@pytest.mark.parametrize("name", ["raw", "raw.gz", "raw.xz", "raw.zst"])
def test_installed_disk_is_staged_again_without_a_byte_from_the_server(
    node: Node, name: str
) -> None:
    disk = disk_of(name)
    node.install(MemoryRepository(disk))
    node.boot_control.staged.clear()
    again = MemoryRepository(disk)
    node.install(again)
    assert [source.reads for source in again.sources] == [[]]
    assert node.boot_control.staged == {"uki": disk.boot_file(UKI)[1]}

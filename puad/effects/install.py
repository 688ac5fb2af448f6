# SPDX-License-Identifier: Apache-2.0
"""The install: bring one signed image to the inactive slot and have it sealed.

The order is what makes it safe (invariants 2, 3 and 9 of docs/architecture.md):

1. Two sources must agree: the server's file hash and the signed metadata.
2. What is signed must fit this node: profile, version, floor, and the slot's size.
3. The slot is disarmed before its first byte is written.
4. Chunks are verified before they are written; those that lie there already are kept, and a delta
   from the booted image is used where that is cheaper.
5. Boot files are staged, and boot control verifies everything again when it seals.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from puad.bootcontrol import BootControl
from puad.config import Limits
from puad.core.cancelling import require_going_on
from puad.core.chunks import ChunkIndex, parse_index
from puad.core.errors import BootControlError, Code, ImageError, StorageError, TrustError
from puad.core.manifest import Manifest
from puad.core.model import Facts, Offer
from puad.core.run import Goal
from puad.core.version import compare_versions
from puad.download.release import Release
from puad.download.source import Source
from puad.effects.boot_files import BootFileCache
from puad.effects.delta_supply import DeltaSupply
from puad.effects.watch import Progress, Watch
from puad.writer import ChunkJournal, Deltas, Spool, write_image

if TYPE_CHECKING:  # it is loaded when a repository is opened
    from puad.download.repository import ReleaseRepository

_LOG: Final = logging.getLogger(__name__)
_JOURNAL: Final = "chunks.journal"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an image goes: the open slot, its room, and the boot files that lie inside a disk."""

    fd: int
    slot_bytes: int
    spools: Sequence[Spool]


class Installer:
    """Installs images on the inactive slot.

    Args:
        boot_control: The boot-control service.
        persist: The persistent folder, for what must survive an interruption.
        limits: Bounds on sizes, times and retries.
        watch: Told how far the install is, and asked often whether to stop.
    """

    def __init__(
        self,
        boot_control: BootControl,
        persist: Path,
        limits: Limits,
        watch: Watch,
    ) -> None:
        self._boot_control = boot_control
        self._persist = persist
        self._limits = limits
        self._watch = watch

    def install(
        self, goal: Goal, repository: ReleaseRepository, facts: Facts, floor: str | None
    ) -> Manifest:
        """Install the goal's image.

        Args:
            goal: Which image, to which slot.
            repository: Where it comes from; its metadata are refreshed.
            facts: What this node is.
            floor: The version floor.

        Returns:
            The manifest of the image that is sealed now.

        Raises:
            PuadError: Why it could not be done; nothing bootable is left on the slot then.
        """
        release = repository.release(goal.offer.url)
        check_release(release, goal.offer, facts, floor)
        slot = facts.slot(goal.slot)
        if slot is None or slot.size_bytes < release.manifest.image_size:
            what = f"The image has {release.manifest.image_size} bytes, more than its slot"
            raise ImageError(Code.IMAGE_TOO_LARGE, what, on=goal.slot)
        raw_index = self._raw_index(repository, release)
        index = _parse_index(raw_index, release)
        supply = DeltaSupply(repository, self._boot_control, self._limits)
        source = repository.source(release.path)
        # room for boot files is taken first: an update that cannot be leaves the slot as it is
        with BootFileCache(self._persist).spooling(release.manifest.boot_files) as spools:
            self._boot_control.disarm(goal.slot)
            with (
                self._open_inactive(goal.slot) as fd,
                supply.open(release.manifest.deltas, index, facts.image_id) as deltas,
            ):
                place = _Place(fd, slot.size_bytes, spools)
                self._write(place, release, index, source, deltas)
        self._stage(goal.slot, release.manifest, repository)
        if release.manifest.root_partuuid is not None:
            self._boot_control.set_root_id(goal.slot, release.manifest.root_partuuid)
        self._seal(goal.slot, release, repository, raw_index)
        self._watch.show(Progress())
        return release.manifest

    def forget(self) -> None:
        """Remove what was kept for the resumption of a run that has ended."""
        try:
            (self._persist / _JOURNAL).unlink(missing_ok=True)
            BootFileCache(self._persist).keep_only(set())
        except (OSError, StorageError) as error:
            _LOG.warning("what was kept for resuming cannot be removed: %s", error)

    def _raw_index(self, repository: ReleaseRepository, release: Release) -> bytes:
        """The chunk index as published; empty when there is none."""
        path = release.manifest.index
        return repository.small_target(path, self._limits.index_bytes) if path else b""

    @contextlib.contextmanager
    def _open_inactive(self, slot: str) -> Iterator[int]:
        fd = self._boot_control.open_inactive(slot)
        try:
            yield fd
        finally:
            os.close(fd)

    def _write(
        self,
        place: _Place,
        release: Release,
        index: ChunkIndex | None,
        source: Source,
        deltas: Deltas | None,
    ) -> None:
        result = write_image(
            fd=place.fd,
            slot_bytes=place.slot_bytes,
            release=release,
            index=index,
            source=source,
            journal=ChunkJournal(self._persist / _JOURNAL, release.file_hash),
            cancelled=self._watch.cancelled,
            progress=lambda done, total: self._watch.show(Progress("fetch", done, total)),
            limits=self._limits,
            deltas=deltas,
            spools=place.spools,
        )
        _LOG.info("%s", result)

    def _stage(self, slot: str, manifest: Manifest, repository: ReleaseRepository) -> None:
        cache = BootFileCache(self._persist)
        cache.keep_only({file.sha256 for file in manifest.boot_files})
        for file in manifest.boot_files:
            with cache.open(file, repository.source, self._watch.cancelled) as fd:
                self._boot_control.stage(slot, file.kind.value, fd, file.size, file.sha256)

    def _seal(
        self, slot: str, release: Release, repository: ReleaseRepository, raw_index: bytes
    ) -> None:
        total = release.manifest.image_size

        def tell(done: int) -> None:
            require_going_on(self._watch.cancelled)
            self._watch.tell(Progress("seal", done, total))

        self._watch.show(Progress("seal", 0, total))
        chain = repository.chain()
        try:
            self._boot_control.seal(slot, chain.roots, chain.targets, release.path, raw_index, tell)
        except BootControlError as error:
            if error.code is Code.SEAL_REFUSED:
                # What was verified when it was written is not what lies there: trust none of it.
                (self._persist / _JOURNAL).unlink(missing_ok=True)
            raise


def _parse_index(raw: bytes, release: Release) -> ChunkIndex | None:
    size = release.manifest.unpacked_size
    return parse_index(raw, image_size=size, file_size=release.file_size) if raw else None


def check_release(release: Release, offer: Offer, facts: Facts, floor: str | None) -> None:
    """Hold the signed release against the server's offer and against this node.

    Raises:
        TrustError: They do not agree; nothing has been written.
    """
    manifest = release.manifest
    if release.file_hash != offer.file_hash:
        what = "The server and the signed metadata name different file hashes"
        raise TrustError(Code.HASH_MISMATCH, what, on=offer.url)
    if manifest.version != offer.image_id:
        what = f"The signed image is {manifest.version}, the server offers {offer.image_id}"
        raise TrustError(Code.HASH_MISMATCH, what, on=offer.url)
    if manifest.profile != facts.profile:
        what = f"The image is for profile {manifest.profile}, this node has {facts.profile}"
        raise TrustError(Code.WRONG_PROFILE, what, on=offer.url)
    if floor is not None and compare_versions(manifest.version, floor) < 0:
        what = f"Image {manifest.version} is older than the version floor {floor}"
        raise TrustError(Code.BELOW_FLOOR, what, on=offer.url)

# SPDX-License-Identifier: Apache-2.0
"""Sealing: proving that what lies on a slot is what signed metadata vouch for, and freezing it.

Rules:

1. Signatures come first; then what the manifest says is compared with this node (profile, version
   floor, size; the partition id is left to Arm).
2. Then the slot is claimed, before a byte of it is looked at, and the claim is kept: what was
   verified is what will be booted. Whoever still holds a descriptor makes it `Busy`. With the claim
   everything behind the signed size becomes zero: what nobody signed must not be found by anybody.
3. Then the bytes are compared, read past the page cache: chunk by chunk where a signed index tells
   the chunks of the image, which is as fast as the disk, and else by the image's one hash.
4. A refused seal leaves no claim and no note, but for the root that was accepted: that one counts
   from then on.
5. TUF's libraries are loaded for the first seal: a boot, and a node at rest, go without them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bootloader.access import SlotAccess
from bootloader.chain import MAX_ROOT_BYTES, Chain
from bootloader.chunks import Chunk
from bootloader.claim import Claim
from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName
from bootloader.manifest import Manifest
from bootloader.notes import NoteBook, Notes
from bootloader.osrelease import OsRelease
from bootloader.readback import Progress, hash_from_medium, verify_chunks
from bootloader.seals import Seal
from bootloader.seen_root import SeenRoot
from bootloader.staging import verify_staged
from bootloader.version import compare_versions

if TYPE_CHECKING:  # see rule 5
    from bootloader.trust import Verified

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Node:
    """What a seal is judged against.

    Attributes:
        trust_root: File of the root of trust, on the read-only root.
        running: os-release of the booted root.
        notebook: The floors, which a seal may raise.
        now: The clock.
    """

    trust_root: Path
    running: OsRelease
    notebook: NoteBook
    now: datetime


def seal(
    slot: str, chain: Chain, node: Node, access: SlotAccess, folder: Path, progress: Progress
) -> Seal:
    """Verify a slot that cannot boot, and hold it.

    Args:
        slot: The slot.
        chain: What is to vouch for it.
        node: What it is judged against.
        access: The slots; the booted one is good.
        folder: The folder of the slot's boot files.
        progress: Told how much of the image has been read back.

    Raises:
        BootloaderError: Naming the first rule that it breaks, see docs/boot-control.md.
    """
    # the booted slot is good, so its floor holds, also when MarkGood could not write it
    booted, image_id = access.booted, node.running.image_id
    notes = node.notebook.read().with_good(booted, image_id).with_run(booted, image_id)
    verified = _verify_signatures(chain, node.trust_root, notes.root)
    notes = notes.with_root(verified.seen_root)
    node.notebook.write(notes)
    manifest = _fit_manifest(verified, chain.target_path, node, notes, access.size(slot))
    chunks = verified.chunks(chain.target_path, manifest, chain.index)
    claim = access.claim_for_seal(slot, manifest.image_size)
    try:
        verify_bytes(claim, slot, manifest, chunks, folder, progress)
        node.notebook.write(notes.with_seal(slot, manifest))
    except BaseException:
        claim.release()
        raise
    return Seal(claim, manifest)


def _verify_signatures(chain: Chain, trust_root: Path, seen: SeenRoot | None) -> Verified:
    from bootloader import trust  # noqa: PLC0415 -- rule 5

    with storage_errors(trust_root), trust_root.open("rb") as file:
        root = file.read(MAX_ROOT_BYTES)
    return trust.verify(root, chain, seen)


def _fit_manifest(
    verified: Verified, target_path: str, node: Node, notes: Notes, room: int
) -> Manifest:
    """The signed manifest, if this node may run its image."""
    manifest = verified.manifest(target_path, max(node.now, notes.time_floor))
    if manifest.profile != node.running.profile:
        what = f"the image is for profile {manifest.profile}, this node is {node.running.profile}"
        raise BootloaderError(ErrorName.WRONG_PROFILE, what, on=target_path)
    floor = notes.version_floor
    if floor and compare_versions(manifest.version, floor) < 0:
        what = f"version {manifest.version} lies below the floor {floor}"
        raise BootloaderError(ErrorName.BELOW_FLOOR, what, on=target_path)
    if manifest.image_size > room:
        what = f"the image has {manifest.image_size} bytes, the slot {room}"
        raise BootloaderError(ErrorName.SIZE_MISMATCH, what, on=target_path)
    return manifest


def verify_bytes(
    claim: Claim,
    slot: str,
    manifest: Manifest,
    chunks: Sequence[Chunk],
    folder: Path,
    progress: Progress,
) -> None:
    """Compare the slot and its boot files with the manifest.

    Args:
        claim: The claim on the slot.
        slot: Its name.
        manifest: What it must hold.
        chunks: The chunks of its image; none when they are not known.
        folder: The folder of its boot files.
        progress: Told how much of the image has been read back.

    Raises:
        BootloaderError: `BootFileMismatch`, `ImageMismatch`, or `Busy` when the claim was broken
            meanwhile.
    """
    verify_staged(folder, manifest.boot_files)
    if chunks:
        verify_chunks(claim.fd, chunks, slot, progress)
    elif hash_from_medium(claim.fd, manifest.image_size, slot, progress) != manifest.image_hash:
        what = "the slot does not hold the signed image"
        raise BootloaderError(ErrorName.IMAGE_MISMATCH, what, on=slot)
    if not claim.is_held():
        raise BootloaderError(ErrorName.BUSY, "somebody opened the slot meanwhile", on=slot)
    by = f"{len(chunks)} chunk hashes" if chunks else "its one hash"
    _log.info("slot %s holds the signed image, by %s", slot, by)

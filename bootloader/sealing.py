# SPDX-License-Identifier: Apache-2.0
"""Sealing: proving that what lies on a slot is what signed metadata vouch for, and freezing it.

Rules:

1. The slot is claimed before anything is looked at, and the claim is kept: what was verified is
   what will be booted. Whoever still holds a descriptor makes it `Busy`.
2. Signatures come first; then what the manifest says is compared with this node (profile, version
   floor, size, partition id is left to Arm); then the bytes, read past the page cache.
3. A refused seal leaves nothing behind: no claim, no note.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from bootloader.claim import Claim
from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName
from bootloader.manifest import Manifest
from bootloader.notes import Notes
from bootloader.osrelease import OsRelease
from bootloader.readback import hash_from_medium
from bootloader.staging import check_staged
from bootloader.trust import MAX_ROOT_BYTES, verify_manifest
from bootloader.version import compare_versions

_MAX_PATH: Final = 1024


@dataclass(frozen=True, slots=True)
class Chain:
    """The signed metadata that a caller offers for a seal."""

    roots: Sequence[bytes]
    targets: bytes
    target_path: str


@dataclass(frozen=True, slots=True)
class Node:
    """What a seal is judged against.

    Attributes:
        trust_root: File of the root of trust, on the read-only root.
        running: os-release of the booted root.
        notes: The floors.
        now: The clock.
    """

    trust_root: Path
    running: OsRelease
    notes: Notes
    now: datetime


@dataclass(frozen=True, slots=True)
class Seal:
    """A slot that was verified and is held until the reboot."""

    claim: Claim
    manifest: Manifest


def check_metadata(chain: Chain, node: Node) -> Manifest:
    """The signed manifest, if this node may run its image.

    Raises:
        BootloaderError: `SignatureInvalid`, `Expired`, `TargetUnknown`, `WrongProfile` or
            `BelowFloor`.
    """
    if len(chain.target_path) > _MAX_PATH:
        raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the target path is too long")
    with storage_errors(node.trust_root), node.trust_root.open("rb") as file:
        trust_root = file.read(MAX_ROOT_BYTES)
    at = max(node.now, node.notes.time_floor)
    manifest = verify_manifest(trust_root, chain.roots, chain.targets, chain.target_path, at)
    if manifest.profile != node.running.profile:
        what = f"the image is for profile {manifest.profile}, this node is {node.running.profile}"
        raise BootloaderError(ErrorName.WRONG_PROFILE, what, on=chain.target_path)
    floor = node.notes.version_floor
    if floor and compare_versions(manifest.version, floor) < 0:
        what = f"version {manifest.version} lies below the floor {floor}"
        raise BootloaderError(ErrorName.BELOW_FLOOR, what, on=chain.target_path)
    return manifest


def check_bytes(claim: Claim, slot: str, room: int, manifest: Manifest, folder: Path) -> None:
    """Compare the slot and its boot files with the manifest.

    Args:
        claim: The claim on the slot.
        slot: Its name.
        room: Its size.
        manifest: What it must hold.
        folder: The folder of its boot files.

    Raises:
        BootloaderError: `SizeMismatch`, `BootFileMismatch`, `ImageMismatch`, or `Busy` when the
            claim was broken meanwhile.
    """
    if manifest.image_size > room:
        what = f"the image has {manifest.image_size} bytes, the slot {room}"
        raise BootloaderError(ErrorName.SIZE_MISMATCH, what, on=slot)
    check_staged(folder, manifest.boot_files)
    if hash_from_medium(claim.fd, manifest.image_size, slot) != manifest.image_hash:
        what = "the slot does not hold the signed image"
        raise BootloaderError(ErrorName.IMAGE_MISMATCH, what, on=slot)
    if not claim.is_held():
        raise BootloaderError(ErrorName.BUSY, "somebody opened the slot meanwhile", on=slot)

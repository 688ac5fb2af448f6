# SPDX-License-Identifier: Apache-2.0
"""A whole disk as the manifest describes it: where its root image and its UKI lie.

The root image is the whole partition. A file system on it may be smaller, but what lies behind it
can belong to it (hashes of dm-verity), and zeros cost nearly nothing on the wire.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from orchestrator_stub.release.disk_image.choice import choose_esp, choose_root, choose_uki
from orchestrator_stub.release.disk_image.errors import ChoiceError, UkiError
from orchestrator_stub.release.disk_image.fat import Fat
from orchestrator_stub.release.disk_image.fat_folder import FatEntry
from orchestrator_stub.release.disk_image.gpt import Partition, read_partitions
from orchestrator_stub.release.disk_image.reading import Read, spliced, within
from orchestrator_stub.release.disk_image.uki import read_root_id
from puad.core.boot_file import MAX_BOOT_FILE_BYTES, MAX_EXTENTS, BootFile, BootFileKind
from puad.core.disk_map import DiskMap
from puad.core.extent import Extent

_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class DiskChoice:
    """What the publisher says of a disk.

    Attributes:
        root_partition: Label or number of the root partition; None for the only one.
        uki_path: Where on the ESP the UKI lies; None for the only one.
        has_boot_files: Whether boot files are given beside the disk, and its UKI is not wanted.
    """

    root_partition: str | None = None
    uki_path: str | None = None
    has_boot_files: bool = False


@dataclass(frozen=True, slots=True)
class WholeDisk:
    """What was found on a disk.

    Attributes:
        map: Where its root image lies.
        boot_files: The UKI, when it was wanted and is there.
        root_partuuid: The partition id that the UKI boots from.
        own_partuuid: The id that the root partition has on this disk.
    """

    map: DiskMap
    boot_files: tuple[BootFile, ...]
    root_partuuid: str | None
    own_partuuid: str


def survey_disk(read: Read, size: int, choice: DiskChoice) -> WholeDisk:
    """Find root image and UKI on a disk of `size` bytes.

    Raises:
        DiskImageError: When it cannot be read, or when what is meant is not clear.
    """
    partitions = read_partitions(read, size)
    root = choose_root(partitions, choice.root_partition)
    esp = None if choice.has_boot_files else choose_esp(partitions)
    if esp is None and choice.uki_path is not None:
        raise ChoiceError("the disk has no ESP that a UKI could lie on")
    uki, root_id = _survey_esp(read, esp, choice.uki_path) if esp else (None, None)
    return WholeDisk(
        map=DiskMap(size, root.extent),
        boot_files=(uki,) if uki else (),
        root_partuuid=root_id,
        own_partuuid=str(root.own_id),
    )


def _survey_esp(read: Read, esp: Partition, path: str | None) -> tuple[BootFile | None, str | None]:
    fat = Fat(within(read, esp.extent), esp.extent.length)
    uki = choose_uki(fat, path)
    if uki is None:
        return None, None
    if not 1 <= uki.size <= MAX_BOOT_FILE_BYTES:
        raise UkiError(f"{uki.name} has {uki.size} bytes, a UKI has 1 to {MAX_BOOT_FILE_BYTES}")
    extents = tuple(
        Extent(esp.extent.offset + extent.offset, extent.length)
        for extent in fat.extents(uki, MAX_EXTENTS)
    )
    return _to_boot_file(read, uki, extents), _root_id(spliced(read, extents), uki)


def _root_id(read: Read, uki: FatEntry) -> str | None:
    try:
        return read_root_id(read, uki.size)
    except UkiError as error:
        raise UkiError(
            f"{uki.name} on the ESP is no unified kernel image: {error.what}",
            hint="Name another with --uki-path, or give boot files of their own.",
        ) from error


def _to_boot_file(read: Read, uki: FatEntry, extents: tuple[Extent, ...]) -> BootFile:
    digest, hashed = hashlib.sha256(), 0
    for extent in extents:
        for offset in range(extent.offset, extent.end, _PIECE_BYTES):
            piece = read(offset, min(_PIECE_BYTES, extent.end - offset))
            hashed += len(piece)
            digest.update(piece)
    if hashed != uki.size:
        raise UkiError(f"{uki.name} is cut off after {hashed} of {uki.size} bytes")
    return BootFile(BootFileKind.UKI, "", uki.size, digest.hexdigest(), extents)

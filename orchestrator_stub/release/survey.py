# SPDX-License-Identifier: Apache-2.0
"""The survey of an image before its long work: whether it is a disk, and what a node would miss."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from orchestrator_stub.release.disk_image.errors import DiskImageError
from orchestrator_stub.release.disk_image.file_system import find_file_system
from orchestrator_stub.release.disk_image.gpt import find_sector_size
from orchestrator_stub.release.disk_image.mbr import has_mbr_partitions
from orchestrator_stub.release.disk_image.reading import within
from orchestrator_stub.release.disk_image.whole_disk import WholeDisk, survey_disk
from orchestrator_stub.release.draft import Draft
from orchestrator_stub.release.errors import InputError, UsageError
from orchestrator_stub.release.image import RawImage
from orchestrator_stub.release.inputs import opened
from puad.core.boot_file import BootFileKind

_PE_MARK: Final = b"MZ"  # PE Format, "MS-DOS Stub"


@dataclass(frozen=True, slots=True)
class Surveyed:
    """An image and its draft with what was found, and what the publisher should know of it."""

    image: RawImage
    draft: Draft
    warnings: tuple[str, ...]


def survey_image(image: RawImage, draft: Draft) -> Surveyed:
    """Find out whether an image is a whole disk, and what lies where on it.

    Raises:
        InputError: When it is a disk that cannot be published as it is.
        UsageError: When something was said of a disk, and it is none.
    """
    if find_sector_size(image.read) is None:
        _refuse_choice(draft)
        return Surveyed(image, draft, (*_warn_of_content(image), *_warn_of_uki(draft)))
    choice = draft.disk_choice
    try:
        disk = survey_disk(image.read, image.size, choice)
    except DiskImageError as error:
        raise InputError(error.what, on=image.name, hint=error.hint) from error
    image = replace(image, disk=disk.map)
    draft = replace(draft, disk=disk)
    found = (*_warn_of_content(image), *_warn_of_uki(draft), *_warn_of_id(disk, draft))
    return Surveyed(image, draft, found)


def _refuse_choice(draft: Draft) -> None:
    for option, value in (
        ("--root-partition", draft.disk_choice.root_partition),
        ("--uki-path", draft.disk_choice.uki_path),
    ):
        if value is not None:
            raise UsageError(
                "the image is no whole disk, so nothing can be found on it",
                on=option,
                hint=f"Leave {option} out; boot files are given with --uki or --linux.",
            )


def _warn_of_content(image: RawImage) -> Iterator[str]:
    if find_file_system(within(image.read, image.root)) is not None:
        return
    if image.disk is None and has_mbr_partitions(image.read):
        yield (
            "the image begins with a partition table (MBR) and is taken for a root image all the "
            "same: a whole disk must have a GPT"
        )
    else:
        yield (
            "the root image holds no file system that is known here "
            "(erofs, ext4, squashfs, btrfs, xfs): check that it is what nodes shall boot"
        )


def _warn_of_uki(draft: Draft) -> Iterator[str]:
    path = draft.boot_files.get(BootFileKind.UKI)
    if path is None:
        return
    with opened(path) as descriptor:
        head = os.pread(descriptor, len(_PE_MARK), 0)
    if head != _PE_MARK:
        yield f"{path} (--uki) is no program that firmware could start: it does not begin with MZ"


def _warn_of_id(disk: WholeDisk, draft: Draft) -> Iterator[str]:
    wanted, given = disk.root_partuuid, draft.root_partuuid
    if wanted and given and wanted != given:
        yield f"the UKI boots from partition {wanted}, and nodes get {given} (--root-partuuid)"
    elif wanted and wanted != disk.own_partuuid:
        yield (
            f"the UKI boots from partition {wanted}, but the root partition of this disk is "
            f"{disk.own_partuuid}: nodes get the id that the UKI wants"
        )

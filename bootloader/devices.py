# SPDX-License-Identifier: Apache-2.0
"""Finding the slots among the block devices. Pure: it looks at a description, never at the machine.

Rules:

1. Slots lie on the disk that holds the booted root, nowhere else. A partition with a slot's label
   on another disk (a stick, a second system) is ignored, and reported.
2. The booted slot is the partition under the root mount, through overlays, dm and whatever else
   stacks block devices.
3. What does not add up (a label twice or not at all, a root that is no slot) is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from bootloader.errors import BootloaderError, ErrorName
from bootloader.mounts import Mount, mount_at, mount_of

_MAX_DEPTH: Final = 16  # no real stack of devices or overlays comes near


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """A block device as udev and sysfs describe it.

    Attributes:
        number: `major:minor`.
        node: Its device node.
        disk: `major:minor` of the whole disk; its own number for a disk.
        size_bytes: Its size.
        label: PARTLABEL; empty for none.
        partuuid: PARTUUID; empty for none.
        partition: Its number in the partition table; 0 for none.
        slaves: `major:minor` of the devices that it is made of.
    """

    number: str
    node: Path
    disk: str
    size_bytes: int = 0
    label: str = ""
    partuuid: str = ""
    partition: int = 0
    slaves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The slots of this node.

    Attributes:
        slots: The partition of each slot.
        booted: The slot under the root mount.
        ignored: Partitions with a slot's label on other disks.
    """

    slots: Mapping[str, BlockDevice]
    booted: str
    ignored: tuple[BlockDevice, ...]


def find_slots(
    devices: Sequence[BlockDevice], mounts: Sequence[Mount], labels: Mapping[str, str]
) -> Found:
    """Find the slots.

    Args:
        devices: Every block device.
        mounts: Every mount.
        labels: The partition label of each slot.

    Raises:
        BootloaderError: `Disagreement`, when they cannot be told for certain.
    """
    under_root = _under_root(devices, mounts)
    disks = {device.disk for device in under_root}
    here = [device for device in devices if device.disk in disks]
    elsewhere = [device for device in devices if device.disk not in disks]
    slots, ignored = {}, []
    for slot, label in labels.items():
        ignored += [device for device in elsewhere if device.label == label]
        slots[slot] = _only(here, label)
    booted = [slot for slot, device in slots.items() if device in under_root]
    if len(booted) != 1:
        raise _unclear("the booted root does not come from exactly one slot")
    return Found(slots, booted[0], tuple(ignored))


def find_booted_disk(devices: Sequence[BlockDevice], mounts: Sequence[Mount]) -> BlockDevice:
    """The whole disk that holds the booted root, on which not every slot needs to be there yet.

    Raises:
        BootloaderError: `Disagreement`, when the root is not made of partitions of one disk.
    """
    under_root = _under_root(devices, mounts)
    disks = {device.disk for device in under_root}
    found = [device for device in devices if device.number in disks]
    if len(disks) != 1 or len(found) != 1 or found[0] in under_root:
        raise _unclear("the booted root does not come from partitions of one disk")
    return found[0]


def find_partition(devices: Sequence[BlockDevice], found: Found, label: str) -> BlockDevice:
    """The partition with a label on the disk of the slots.

    Raises:
        BootloaderError: `Disagreement`, when there is not exactly one.
    """
    disks = {slot.disk for slot in found.slots.values()}
    return _only([device for device in devices if device.disk in disks], label)


def _only(devices: Sequence[BlockDevice], label: str) -> BlockDevice:
    labelled = [device for device in devices if device.label == label]
    if not labelled:
        raise _unclear(f"no partition with the label {label} on the disk of the booted root")
    if len(labelled) > 1:
        nodes = ", ".join(str(device.node) for device in labelled)
        what = f"{len(labelled)} partitions with the label {label} on the disk of the booted root"
        raise _unclear(f"{what} ({nodes}): only one of them may have it")
    return labelled[0]


def _under_root(devices: Sequence[BlockDevice], mounts: Sequence[Mount]) -> list[BlockDevice]:
    by_number = {device.number: device for device in devices}
    return _leaves(_root_device(devices, mounts), by_number)


def _root_device(devices: Sequence[BlockDevice], mounts: Sequence[Mount]) -> BlockDevice:
    mount = mount_at(mounts, PurePosixPath("/"))
    for _ in range(_MAX_DEPTH):
        if mount is None:
            break
        for device in devices:
            # a file system with a made-up number, like btrfs, still names its device as source
            if mount.device == device.number or mount.source == str(device.node):
                return device
        lower = mount.lower_folders
        mount = mount_of(mounts, lower[-1]) if lower else None
    raise _unclear("the root mount leads to no block device")


def _leaves(device: BlockDevice, by_number: Mapping[str, BlockDevice]) -> list[BlockDevice]:
    level: list[BlockDevice] = [device]
    leaves: list[BlockDevice] = []
    for _ in range(_MAX_DEPTH):
        if not level:
            return leaves
        leaves += [found for found in level if not found.slaves]
        below = {number for found in level for number in found.slaves}
        level = [by_number[number] for number in sorted(below) if number in by_number]
    raise _unclear("the root mount's devices are stacked too deep")


def _unclear(what: str) -> BootloaderError:
    return BootloaderError(ErrorName.DISAGREEMENT, what)

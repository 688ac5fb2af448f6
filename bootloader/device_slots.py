# SPDX-License-Identifier: Apache-2.0
"""Slots that are partitions, found through udev; the shell around `bootloader.devices`."""

from __future__ import annotations

import dataclasses
import logging
import os
from pathlib import Path
from typing import Final

import pyudev

from bootloader.access import SlotAccess
from bootloader.claim import Claim, claim_device
from bootloader.config import DeviceSettings
from bootloader.devices import BlockDevice, Found, find_partition, find_slots
from bootloader.durable import Files, storage_errors
from bootloader.errors import BootloaderError, ErrorName
from bootloader.mounts import read_mounts
from bootloader.partition_table import set_partition_id
from bootloader.write_protection import is_write_protected, set_write_protection
from bootloader.zeroing import zero_tail

_SECTOR_BYTES: Final = 512
_DMI_UUID: Final = Path("/sys/class/dmi/id/product_uuid")

_log = logging.getLogger(__name__)


class DeviceSlots(SlotAccess):
    """Partitions of the disk that holds the booted root.

    From the start the slots are write-protected; the inactive one is not while it is open for
    writing.
    """

    def __init__(
        self, found: Found, devices: list[BlockDevice], labels: DeviceSettings, files: Files
    ) -> None:
        self._found = found
        self._labels = labels
        self._files = files
        self._devices = devices
        for device in found.ignored:
            text = "%s has the label %s, but lies on another disk than the booted root: ignored"
            _log.warning(text, device.node, device.label)
        for device in found.slots.values():
            set_write_protection(device.node, protect=True)

    @property
    def names(self) -> tuple[str, ...]:
        """See `SlotAccess`."""
        return tuple(self._found.slots)

    @property
    def booted(self) -> str:
        """See `SlotAccess`."""
        return self._found.booted

    def size(self, slot: str) -> int:
        """See `SlotAccess`."""
        return self._found.slots[slot].size_bytes

    def open_active(self) -> int:
        """See `SlotAccess`."""
        node = self._found.slots[self.booted].node
        with storage_errors(node):
            return os.open(node, os.O_RDONLY | os.O_CLOEXEC)

    def claim_for_writing(self, slot: str) -> Claim:
        """See `SlotAccess`."""
        device = self._found.slots[slot]
        _require_unmounted(device)
        before = is_write_protected(device.node)
        set_write_protection(device.node, protect=False)
        try:
            return claim_device(device.node, writable=True)
        except BaseException:
            # as it was: who holds a descriptor of an earlier call may still be writing
            set_write_protection(device.node, protect=before)
            raise

    def claim_for_seal(self, slot: str, used: int) -> Claim:
        """See `SlotAccess`."""
        node = self._found.slots[slot].node
        writing = self.claim_for_writing(slot)
        try:
            zero_tail(writing.fd, used, self.size(slot), node)
        finally:
            try:
                writing.release()
            finally:
                set_write_protection(node, protect=True)
        return claim_device(node, writable=False)

    def root_id(self, slot: str) -> str:
        """See `SlotAccess`."""
        mine = self._found.slots[slot]
        self._require_sole(mine, mine.partuuid)
        return mine.partuuid

    def partition_id(self, name: str) -> str:
        """See `SlotAccess`."""
        label = {"esp": self._labels.esp, "persist": self._labels.persist}[name]
        device = find_partition(self._devices, self._found, label)
        if not device.partuuid:
            what = f"the partition with the label {label} has no id"
            raise BootloaderError(ErrorName.DISAGREEMENT, what, on=str(device.node))
        self._require_sole(device, device.partuuid)
        return device.partuuid

    def set_root_id(self, slot: str, partuuid: str) -> None:
        """See `SlotAccess`."""
        mine = self._found.slots[slot]
        self._require_sole(mine, partuuid)
        disk = next(device.node for device in self._devices if device.number == mine.disk)
        set_partition_id(disk, mine.partition, partuuid, self._files)
        self._devices, self._found = _with_root_id(self._devices, self._found, slot, partuuid)

    def host_uuid(self) -> str:
        """See `SlotAccess`."""
        try:
            return _DMI_UUID.read_text("ascii").strip().lower()
        except (OSError, UnicodeDecodeError):  # not every machine has DMI; puad's config has a guid
            return ""

    def _require_sole(self, mine: BlockDevice, partuuid: str) -> None:
        """Refuse an id that another partition has, on whatever disk: a boot could take that one."""
        # looked for anew, too: a copy of this disk may have been plugged in meanwhile
        for device in (*self._devices, *describe_devices()):
            if partuuid and device.partuuid == partuuid and device.number != mine.number:
                what = f"another partition has the id {partuuid}"
                raise BootloaderError(ErrorName.ROOT_ID_TAKEN, what, on=str(device.node))


def find_device_slots(labels: DeviceSettings, files: Files) -> DeviceSlots:
    """The slots of the disk that holds the booted root.

    Raises:
        BootloaderError: `Disagreement`, when they cannot be told for certain.
    """
    devices = describe_devices()
    return DeviceSlots(find_slots(devices, read_mounts(), labels.slots), devices, labels, files)


def describe_devices() -> list[BlockDevice]:
    """Every block device of the machine."""
    found = []
    for device in pyudev.Context().list_devices(subsystem="block"):
        try:
            found.append(_describe(device))
        except (LookupError, OSError):  # it has gone meanwhile
            continue
    return found


def _describe(device: pyudev.Device) -> BlockDevice:
    properties = device.properties
    parent = device.find_parent("block", "disk") if device.device_type == "partition" else None
    slaves = sorted((Path(device.sys_path) / "slaves").glob("*/dev"))
    return BlockDevice(
        number=_number(device),
        node=Path(device.device_node),
        disk=_number(parent or device),
        size_bytes=_SECTOR_BYTES * int(device.attributes.asstring("size")),
        # the second name is the kernel's own, for early boot when udev has not probed yet
        label=properties.get("ID_PART_ENTRY_NAME") or properties.get("PARTNAME", ""),
        partuuid=properties.get("ID_PART_ENTRY_UUID") or properties.get("PARTUUID", ""),
        partition=int(properties.get("ID_PART_ENTRY_NUMBER") or properties.get("PARTN", 0)),
        slaves=tuple(path.read_text("ascii").strip() for path in slaves),
    )


def _require_unmounted(device: BlockDevice) -> None:
    # by the number only: the source is a text that who mounts with FUSE may choose. What has
    # another number there, as btrfs does, is held by its file system all the same: no claim
    for mount in read_mounts():
        if device.number == mount.device:
            what = f"the slot is mounted at {mount.point}: unmount it first"
            raise BootloaderError(ErrorName.BUSY, what, on=str(device.node))


def _number(device: pyudev.Device) -> str:
    return f"{os.major(device.device_number)}:{os.minor(device.device_number)}"


def _with_root_id(
    devices: list[BlockDevice], found: Found, slot: str, partuuid: str
) -> tuple[list[BlockDevice], Found]:
    old = found.slots[slot]
    new = dataclasses.replace(old, partuuid=partuuid)
    slots = {**found.slots, slot: new}
    return [new if device == old else device for device in devices], dataclasses.replace(
        found, slots=slots
    )

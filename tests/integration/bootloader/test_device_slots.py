# SPDX-License-Identifier: Apache-2.0
"""Slots that are block devices: loop devices stand in for partitions."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from bootloader import claim, device_slots
from bootloader.config import DeviceSettings
from bootloader.device_slots import DeviceSlots, describe_devices, find_device_slots
from bootloader.devices import BlockDevice, Found
from bootloader.durable import Files
from bootloader.errors import BootloaderError, ErrorName
from bootloader.mounts import Mount

BLKROGET = 0x125E
ONE, TWO, THREE = (f"{n * 8}-2222-3333-4444-555555555555" for n in "123")
GPT = f"""\
label: gpt
size=1MiB, uuid={ONE}, name=rootfs_a
size=1MiB, uuid={TWO}, name=rootfs_b
"""


def is_protected(node: Path) -> bool:
    fd = os.open(node, os.O_RDONLY)
    try:
        answer = fcntl.ioctl(fd, BLKROGET, bytes(4))
    finally:
        os.close(fd)
    return any(answer)


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[list[BlockDevice]]:
    disk = tmp_path / "disk.img"
    disk.touch()
    os.truncate(disk, 8 << 20)
    make: list[str | Path] = ["/usr/sbin/sfdisk", "--quiet", disk]
    subprocess.run(make, input=GPT.encode(), check=True)
    nodes = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.img"
        path.write_bytes(os.urandom(1 << 20))
        attach: list[str | Path] = ["/usr/sbin/losetup", "--find", "--show", path]
        done = subprocess.run(attach, check=True, capture_output=True, text=True)
        nodes.append(Path(done.stdout.strip()))
    found = {device.node: device for device in describe_devices()}
    a, b = (replace(found[node], disk="1:0") for node in nodes)
    yield [
        BlockDevice("1:0", disk, "1:0"),
        replace(a, label="rootfs_a", partuuid=ONE, partition=1),
        replace(b, label="rootfs_b", partuuid=TWO, partition=2),
    ]
    for node in nodes:
        # the kernel keeps the write protection of a loop device beyond its file
        subprocess.run(["/usr/sbin/blockdev", "--setrw", node], check=True)
        subprocess.run(["/usr/sbin/losetup", "--detach", node], check=True)


@pytest.fixture
def slots(devices: list[BlockDevice]) -> DeviceSlots:
    stick = BlockDevice("8:1", Path("/dev/stick1"), "8:0", label="rootfs_b")
    found = Found({"a": devices[1], "b": devices[2]}, "a", (stick,))
    return DeviceSlots(found, devices, DeviceSettings(), Files())


def test_describe_devices_tells_size_and_node(devices: list[BlockDevice]) -> None:
    assert devices[1].size_bytes == 1 << 20
    assert devices[1].number.startswith("7:")


def test_slots_are_write_protected_from_the_start(
    slots: DeviceSlots, devices: list[BlockDevice]
) -> None:
    assert slots.names == ("a", "b")
    assert slots.size("b") == 1 << 20
    assert is_protected(devices[1].node)
    assert is_protected(devices[2].node)


def test_inactive_slot_is_writable_only_between_open_and_seal(
    slots: DeviceSlots, devices: list[BlockDevice]
) -> None:
    fd = slots.claim_for_writing("b").hand_out()
    assert is_protected(devices[1].node)
    assert os.pwrite(fd, b"new image", 0) == 9
    os.fsync(fd)
    with pytest.raises(BootloaderError) as caught:
        slots.claim_for_seal("b", 9)
    assert caught.value.name is ErrorName.BUSY
    os.close(fd)
    claim = slots.claim_for_seal("b", 9)
    assert is_protected(devices[2].node)
    assert os.pread(claim.fd, 2 << 20, 0) == b"new image" + bytes((1 << 20) - 9)
    claim.release()


def test_mounted_slot_is_busy_and_says_where(
    slots: DeviceSlots, devices: list[BlockDevice], tmp_path: Path
) -> None:
    folder = tmp_path / "somebody's"
    folder.mkdir()
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", tmp_path / "b.img"], check=True)
    subprocess.run(["/usr/bin/mount", "-o", "ro", devices[2].node, folder], check=True)
    try:
        for claim in (slots.claim_for_writing, lambda slot: slots.claim_for_seal(slot, 9)):
            with pytest.raises(BootloaderError, match=f"mounted at {folder}") as caught:
                claim("b")
            assert caught.value.name is ErrorName.BUSY
        assert is_protected(devices[2].node)
    finally:
        subprocess.run(["/usr/bin/umount", folder], check=True)
    slots.claim_for_writing("b").release()


def test_claim_that_fails_leaves_the_write_protection_as_it_was(
    slots: DeviceSlots, devices: list[BlockDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "WAIT_S", 0.1)
    holder = os.open(devices[2].node, os.O_RDONLY | os.O_EXCL)
    for call in (slots.claim_for_writing, lambda slot: slots.claim_for_seal(slot, 9)):
        with pytest.raises(BootloaderError) as caught:
            call("b")
        assert caught.value.name is ErrorName.BUSY
        assert is_protected(devices[2].node)
    os.close(holder)
    fd = slots.claim_for_writing("b").hand_out()
    with pytest.raises(BootloaderError):
        slots.claim_for_writing("b")
    assert os.pwrite(fd, b"still writing", 0) == 13
    os.fsync(fd)
    os.close(fd)


def test_mount_that_only_names_the_slot_as_its_source_holds_nothing(
    slots: DeviceSlots, devices: list[BlockDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = str(devices[2].node)
    fuse = Mount(PurePosixPath("/home/u/m"), "0:99", "fuse.x", node, ())
    monkeypatch.setattr(device_slots, "read_mounts", lambda: [fuse])
    slots.claim_for_writing("b").release()


def test_active_slot_is_opened_for_reading(slots: DeviceSlots, tmp_path: Path) -> None:
    fd = slots.open_active()
    assert os.pread(fd, 100, 0) == (tmp_path / "a.img").read_bytes()[:100]
    os.close(fd)


def test_set_root_id_writes_the_partition_table(slots: DeviceSlots, tmp_path: Path) -> None:
    assert slots.root_id("b") == TWO
    slots.set_root_id("b", THREE)
    assert slots.root_id("b") == THREE
    command: list[str | Path] = ["/usr/sbin/sfdisk", "--part-uuid", tmp_path / "disk.img", "2"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip().lower() == THREE


def test_set_root_id_that_another_partition_has_is_refused(slots: DeviceSlots) -> None:
    with pytest.raises(BootloaderError) as caught:
        slots.set_root_id("b", ONE)
    assert caught.value.name is ErrorName.ROOT_ID_TAKEN


def test_set_root_id_that_fails_says_why(slots: DeviceSlots, tmp_path: Path) -> None:
    os.truncate(tmp_path / "disk.img", 0)
    with pytest.raises(BootloaderError) as caught:
        slots.set_root_id("b", THREE)
    assert caught.value.name is ErrorName.STORAGE_FAILED
    assert slots.root_id("b") == TWO


def test_host_uuid_is_lower_case_or_empty(slots: DeviceSlots) -> None:
    assert slots.host_uuid() == slots.host_uuid().lower()


def test_machine_without_such_labels_has_no_slots() -> None:
    with pytest.raises(BootloaderError) as caught:
        find_device_slots(DeviceSettings(a="no_such_label_a", b="no_such_label_b"), Files())
    assert caught.value.name is ErrorName.DISAGREEMENT

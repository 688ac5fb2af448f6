# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bootloader.devices import BlockDevice, find_booted_disk, find_slots
from bootloader.errors import BootloaderError, ErrorName
from bootloader.mounts import Mount, parse_mounts

LABELS = {"a": "rootfs_a", "b": "rootfs_b"}
PLAIN = "22 1 259:2 / / ro,relatime shared:1 - erofs /dev/nvme0n1p2 ro,user_xattr"


def device(number: str, name: str, disk: str, **more: Any) -> BlockDevice:
    return BlockDevice(number, Path("/dev") / name, disk, **more)


DISK = [
    device("259:0", "nvme0n1", "259:0"),
    device("259:1", "nvme0n1p1", "259:0", label="esp"),
    device("259:2", "nvme0n1p2", "259:0", label="rootfs_a"),
    device("259:3", "nvme0n1p3", "259:0", label="rootfs_b"),
]
STICK = [
    device("8:0", "sda", "8:0"),
    device("8:1", "sda1", "8:0", label="rootfs_a"),
    device("8:2", "sda2", "8:0", label="rootfs_b"),
]


def mounts(*lines: str) -> list[Mount]:
    return parse_mounts("\n".join(lines))


def refusal(devices: list[BlockDevice], *lines: str) -> str:
    with pytest.raises(BootloaderError) as caught:
        find_slots(devices, mounts(*lines), LABELS)
    assert caught.value.name is ErrorName.DISAGREEMENT
    return str(caught.value)


def test_find_slots_on_the_disk_of_the_root() -> None:
    found = find_slots(DISK, mounts(PLAIN), LABELS)
    assert found.booted == "a"
    assert found.slots["b"].node == Path("/dev/nvme0n1p3")
    assert found.ignored == ()


def test_find_slots_ignores_a_stick_with_the_same_labels() -> None:
    found = find_slots(STICK + DISK, mounts(PLAIN), LABELS)
    assert found.slots["a"].node == Path("/dev/nvme0n1p2")
    assert {str(device.node) for device in found.ignored} == {"/dev/sda1", "/dev/sda2"}


def test_find_slots_through_dm_verity() -> None:
    verity = [
        device("254:0", "dm-0", "254:0", slaves=("259:3", "259:4")),
        device("259:4", "nvme0n1p4", "259:0", label="verity_b"),
    ]
    line = "22 1 254:0 / / ro - erofs /dev/mapper/root ro"
    assert find_slots(DISK + verity, mounts(line), LABELS).booted == "b"


def test_find_slots_through_stacked_dm() -> None:
    stacked = [
        device("254:1", "dm-1", "254:1", slaves=("254:0",)),
        device("254:0", "dm-0", "254:0", slaves=("259:2",)),
    ]
    line = "22 1 254:1 / / ro - ext4 /dev/mapper/root ro"
    assert find_slots(DISK + stacked, mounts(line), LABELS).booted == "a"


def test_find_slots_through_an_overlay() -> None:
    overlay = (
        "30 1 259:3 / /run/lower ro - erofs /dev/nvme0n1p3 ro",
        "22 1 0:25 / / rw - overlay overlay rw,lowerdir=/run/extra:/run/lower/root,upperdir=/run/u",
    )
    assert find_slots(DISK, mounts(*overlay), LABELS).booted == "b"


def test_find_slots_on_btrfs_goes_by_the_source() -> None:
    line = "22 1 0:31 /root / rw - btrfs /dev/nvme0n1p3 rw,subvol=/root"
    assert find_slots(DISK, mounts(line), LABELS).booted == "b"


def test_find_slots_takes_the_topmost_root_mount() -> None:
    rootfs = "1 1 0:2 / / rw - rootfs rootfs rw"
    assert find_slots(DISK, mounts(rootfs, PLAIN), LABELS).booted == "a"


def test_find_slots_with_a_missing_label_is_refused() -> None:
    assert "rootfs_b" in refusal(DISK[:3], PLAIN)


def test_find_slots_with_a_label_twice_on_the_disk_is_refused() -> None:
    twice = device("259:9", "nvme0n1p9", "259:0", label="rootfs_b")
    said = refusal([*DISK, twice], PLAIN)
    assert "2 partitions with the label rootfs_b" in said
    assert "/dev/nvme0n1p3, /dev/nvme0n1p9" in said


def test_find_slots_with_a_root_that_is_no_slot_is_refused() -> None:
    assert "exactly one" in refusal(DISK, "22 1 259:1 / / rw - vfat /dev/nvme0n1p1 rw")


def test_find_slots_with_a_root_over_both_slots_is_refused() -> None:
    raid = device("9:0", "md0", "9:0", slaves=("259:2", "259:3"))
    assert "exactly one" in refusal([*DISK, raid], "22 1 9:0 / / rw - ext4 /dev/md0 rw")


@pytest.mark.parametrize(
    "line",
    [
        "22 1 0:40 / / rw - nfs server:/export rw",
        "22 1 0:25 / / rw - overlay overlay rw,lowerdir=/nowhere",
        "22 1 0:25 / / rw - overlay overlay rw,lowerdir=",
        "",
    ],
)
def test_find_slots_without_a_device_under_the_root_is_refused(line: str) -> None:
    assert "no block device" in refusal(DISK, line)


def test_find_slots_with_devices_in_a_circle_is_refused() -> None:
    circle = [
        device("254:0", "dm-0", "254:0", slaves=("254:1",)),
        device("254:1", "dm-1", "254:1", slaves=("254:0",)),
    ]
    assert "too deep" in refusal(DISK + circle, "22 1 254:0 / / ro - ext4 /dev/dm-0 ro")


def test_parse_mounts_undoes_escapes() -> None:
    (mount,) = mounts(r"36 35 98:0 / /mnt/two\040words rw - ext3 /dev/a\134b rw")
    assert str(mount.point) == "/mnt/two words"
    assert mount.source == r"/dev/a\b"


@pytest.mark.parametrize("ugly", ["\f", "\v", "\x1c", "\x85", "\u2028"])
def test_parse_mounts_ends_a_line_at_a_line_feed_only(ugly: str) -> None:
    found = mounts(
        f"36 35 98:0 / /mnt/{ugly}x rw - fuse me rw", "37 35 98:1 / / ro - erofs /dev/a ro"
    )
    assert [str(mount.point) for mount in found] == [f"/mnt/{ugly}x", "/"]


def test_parse_mounts_leaves_out_broken_lines() -> None:
    assert mounts("nonsense", "1 2 3 - x") == []


FACTORY = [*STICK, *DISK[:3]]  # slot b comes with the first boot
OVERLAY = (
    "30 1 254:0 / /run/lower ro - erofs /dev/mapper/root ro",
    "22 1 0:25 / / rw - overlay overlay rw,lowerdir=/run/lower,upperdir=/run/u",
)


@pytest.mark.parametrize("lines", [(PLAIN,), OVERLAY])
def test_find_booted_disk_before_all_slots_are_there(lines: tuple[str, ...]) -> None:
    verity = device("254:0", "dm-0", "254:0", slaves=("259:2",))
    found = find_booted_disk([*FACTORY, verity], mounts(*lines))
    assert found.node == Path("/dev/nvme0n1")


@pytest.mark.parametrize(
    "root",
    [
        device("7:0", "loop0", "7:0"),
        device("8:0", "sda", "8:0"),
        device("9:0", "md0", "9:0", slaves=("259:2", "8:1")),
        device("259:7", "nvme1n1p7", "259:6"),
    ],
)
def test_find_booted_disk_of_a_root_on_no_partitions_of_one_disk_is_refused(
    root: BlockDevice,
) -> None:
    line = f"22 1 {root.number} / / ro - erofs {root.node} ro"
    with pytest.raises(BootloaderError, match="partitions of one disk") as caught:
        find_booted_disk([root, *FACTORY], mounts(line))
    assert caught.value.name is ErrorName.DISAGREEMENT

# SPDX-License-Identifier: Apache-2.0
"""Disks and file systems in a bad state: a stick, a label twice, a full or missing ESP."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.demo.waiting import wait_for
from tests.vm.harness.bench import SECOND, Bench, Kind, Staged
from tests.vm.harness.node import BOOT_S, Node

_MIB = 1 << 20


def _status(node: Node) -> str:
    """The status, without the line ends that it has for people."""
    return " ".join(node.puadctl("status").text.split())


def _make_stick(file: Path) -> Path:
    with file.open("wb") as stream:
        stream.truncate(32 * _MIB)
    table = []
    for number, label in enumerate(("rootfs_b", "rootfs_a", "persist", "esp"), start=1):
        table += [f"-n{number}:0:+4M", f"-c{number}:{label}"]
    subprocess.run(["sgdisk", "-o", *table, str(file)], check=True, capture_output=True)
    return file


def test_stick_with_labels_like_the_slots_is_ignored_and_logged(
    staged: Staged, tmp_path: Path
) -> None:
    node = staged()
    before = node.slots()
    node.machine.plug(_make_stick(tmp_path / "stick.img"))
    label = ["lsblk", "--noheadings", "--output", "PARTLABEL"]
    wait_for("the stick", lambda: node.guest_output(*label).count("rootfs_b") == 2, BOOT_S)
    assert node.slots() == before
    node.open_window()
    node.wait_updated("b")
    assert node.running() == "slot b: edge 2.0"
    mounts = node.guest_output("findmnt", "--noheadings", "--output", "SOURCE", "/persist")
    assert mounts.startswith("/dev/vda")
    log = node.guest_output("journalctl", "--no-pager", "-b", "-u", "puad-bootloader")
    assert "rootfs_b" in log


def test_label_twice_on_the_disk_stops_every_change_and_both_are_named(
    idle: Node, bench: Bench, kind: Kind
) -> None:
    # the persistent partition takes the other slot's label
    rename = ["sfdisk", "--no-reread", "--no-tell-kernel", "--part-label", "/dev/vda"]
    idle.guest_output(*rename, "4", "rootfs_b")
    idle.guest_output("partx", "--update", "/dev/vda")
    idle.guest_output("udevadm", "trigger", "--settle", "--subsystem-match=block")
    idle.guest_output("udevadm", "settle")
    idle.guest_output("systemctl", "restart", "puad-bootloader.service")
    answer = idle.puadctl("slots")
    assert answer.code != 0
    assert "vda3" in answer.text
    assert "vda4" in answer.text


def test_inactive_slot_that_is_mounted_holds_the_update_until_it_is_free(
    idle: Node, bench: Bench, kind: Kind
) -> None:
    idle.guest_output("mkdir", "-p", "/run/other")
    idle.guest_output("sh", "-c", "mount -t tmpfs none /run/other && mkdir /run/other/mnt")
    idle.guest_output("blockdev", "--setrw", "/dev/vda3")
    idle.guest_output("mkfs.ext4", "-q", "-F", "/dev/vda3")
    idle.guest_output("mount", "/dev/vda3", "/run/other/mnt")
    idle.offer(bench.image(kind, SECOND))
    idle.open_window()
    wait_for("the hint", lambda: "mounted" in _status(idle), BOOT_S, 5)
    assert idle.booted_slot() == "a"
    idle.guest_output("umount", "/run/other/mnt")
    idle.puadctl("retry")
    wait_for("the reboot, now that the slot is free", lambda: idle.machine.resets, BOOT_S, 2)


def test_esp_that_is_full_stops_the_update_with_its_reason_and_harms_nothing(
    idle: Node, bench: Bench, kind: Kind
) -> None:
    before = idle.esp()
    idle.machine.guest.run(["sh", "-c", "dd if=/dev/zero of=/efi/filler bs=1M"])
    idle.offer(bench.image(kind, SECOND))
    idle.open_window()
    wait_for("the reason", lambda: "are free" in _status(idle), BOOT_S, 5)
    assert idle.booted_slot() == "a"
    idle.guest_output("rm", "/efi/filler")
    kept = [path for path in before if "/b/" not in path and "-b" not in path]
    after = idle.esp()
    assert {path: after.get(path) for path in kept} == {path: before[path] for path in kept}


@pytest.mark.parametrize("state", ["read-only", "missing"])
def test_esp_that_is_not_writable_fails_the_update_and_the_node_goes_on(
    idle: Node, bench: Bench, kind: Kind, state: str
) -> None:
    # vfat takes no remount through the newer system calls
    read_only = ["env", "LIBMOUNT_FORCE_MOUNT2=always", "mount", "-o", "remount,ro", "/efi"]
    # without the mask boot control would have it mounted again
    missing = ["systemctl", "mask", "--runtime", "--now", "efi.mount"]
    idle.guest_output(*(read_only if state == "read-only" else missing))
    idle.guest_output("systemctl", "restart", "puad-bootloader.service")
    idle.offer(bench.image(kind, SECOND))
    idle.open_window()
    words = "read-only" if state == "read-only" else "is it mounted"
    wait_for("the reason", lambda: words in _status(idle), BOOT_S, 5)
    assert idle.booted_slot() == "a"
    assert idle.guest_output("systemctl", "is-active", "puad.service") == "active"

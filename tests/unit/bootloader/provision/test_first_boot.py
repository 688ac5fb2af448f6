# SPDX-License-Identifier: Apache-2.0
"""Which disk is completed at the first boot."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootloader.devices import BlockDevice
from bootloader.mounts import parse_mounts
from bootloader.provision import first_boot
from bootloader.provision.refusal import ProvisionError

DISK = BlockDevice("259:0", Path("/dev/nvme0n1"), "259:0")
SLOT = BlockDevice("259:2", Path("/dev/nvme0n1p2"), "259:0", label="rootfs_a")
VERITY = BlockDevice("254:0", Path("/dev/dm-0"), "254:0", slaves=("259:2",))
ROOT = "22 1 254:0 / / ro - erofs /dev/mapper/root ro"


def boot(monkeypatch: pytest.MonkeyPatch, *devices: BlockDevice) -> None:
    monkeypatch.setattr(first_boot, "describe_devices", lambda: list(devices))
    monkeypatch.setattr(first_boot, "read_mounts", lambda: parse_mounts(ROOT))


def test_booted_disk_is_found_below_dm(monkeypatch: pytest.MonkeyPatch) -> None:
    boot(monkeypatch, DISK, SLOT, VERITY)
    assert first_boot.booted_disk() == Path("/dev/nvme0n1")


def test_root_that_comes_from_no_disk_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    boot(monkeypatch, DISK, SLOT)
    with pytest.raises(ProvisionError, match=r"the root mount leads to no block device \(/\)"):
        first_boot.booted_disk()

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootloader.command_line_template import find_fault, render
from bootloader.config import DeviceSettings
from bootloader.device_slots import DeviceSlots
from bootloader.devices import BlockDevice, find_slots
from bootloader.durable import Files
from bootloader.errors import BootloaderError, ErrorName
from bootloader.kernel_command_line import MAX_LENGTH
from bootloader.machine_id import read_machine_id
from bootloader.mounts import parse_mounts
from tests.unit.bootloader.slots import PlainSlots

MACHINE_ID = "0123456789abcdef0123456789abcdef"
FULL = "root=PARTUUID={root_id} e={esp_id} p={persist_id} m={machine_id} puad.slot={slot}"


def machine_id() -> str:
    return MACHINE_ID


@pytest.fixture
def slots(tmp_path: Path) -> PlainSlots:
    found = PlainSlots(tmp_path)
    found.root_ids["b"] = "id-of-b"
    return found


def test_render_fills_in_every_placeholder(slots: PlainSlots) -> None:
    assert find_fault(FULL) == ""
    line = render(FULL, slots, "b", machine_id)
    assert line == f"root=PARTUUID=id-of-b e=id-of-esp p=id-of-persist m={MACHINE_ID} puad.slot=b"


def test_render_looks_up_only_what_is_named(slots: PlainSlots) -> None:
    def fail() -> str:
        raise ZeroDivisionError

    assert render("puad.slot={slot} {{x}}", slots, "b", fail) == "puad.slot=b {x}"
    with pytest.raises(ZeroDivisionError):
        render("{machine_id}", slots, "b", fail)


@pytest.mark.parametrize("text", ["", "uninitialized\n", MACHINE_ID[1:], MACHINE_ID.upper()])
def test_machine_without_an_id_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "machine-id").write_text(text)
    with pytest.raises(BootloaderError, match="no id yet") as caught:
        read_machine_id(tmp_path / "machine-id")
    assert caught.value.name is ErrorName.STORAGE_FAILED


def test_machine_id_is_read_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "machine-id").write_text(f"{MACHINE_ID}\n")
    assert read_machine_id(tmp_path / "machine-id") == MACHINE_ID


def test_render_of_a_line_that_the_kernel_would_cut_is_refused(slots: PlainSlots) -> None:
    assert len(render("x" * MAX_LENGTH, slots, "b", machine_id)) == MAX_LENGTH
    with pytest.raises(BootloaderError, match="2048 characters"):
        render("x" * (MAX_LENGTH + 1), slots, "b", machine_id)


def partition(number: str, label: str, partuuid: str, disk: str = "259:0") -> BlockDevice:
    return BlockDevice(number, Path("/dev/none"), disk, label=label, partuuid=partuuid)


def disk_slots(devices: list[BlockDevice], monkeypatch: pytest.MonkeyPatch) -> DeviceSlots:
    monkeypatch.setattr("bootloader.device_slots.set_write_protection", lambda *_, **__: None)
    mounts = parse_mounts("22 1 259:2 / / ro - erofs /dev/root ro")
    labels = DeviceSettings(persist="data")
    return DeviceSlots(find_slots(devices, mounts, labels.slots), devices, labels, Files())


DISK = [
    partition("259:1", "esp", "id-esp"),
    partition("259:2", "rootfs_a", "id-a"),
    partition("259:3", "rootfs_b", "id-b"),
    partition("259:4", "data", "id-data"),
]
STICK = [partition("8:1", "esp", "stick-esp", "8:0"), partition("8:2", "data", "stick", "8:0")]


def test_partitions_of_a_stick_are_never_named(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = disk_slots(STICK + DISK, monkeypatch)
    assert (
        render("{root_id} {esp_id} {persist_id}", slots, "b", machine_id) == "id-b id-esp id-data"
    )


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        (DISK[:3] + STICK, "no partition with the label data"),
        ([*DISK, partition("259:9", "data", "other")], "2 partitions with the label data"),
        ([*DISK[:3], partition("259:4", "data", "")], "has no id"),
    ],
)
def test_partition_that_is_not_certain_is_refused(
    monkeypatch: pytest.MonkeyPatch, devices: list[BlockDevice], said: str
) -> None:
    slots = disk_slots(devices, monkeypatch)
    with pytest.raises(BootloaderError, match=said) as caught:
        render("{persist_id}", slots, "b", machine_id)
    assert caught.value.name is ErrorName.DISAGREEMENT


@pytest.mark.parametrize("name", ["root_id", "esp_id", "persist_id"])
def test_id_that_a_copy_of_the_disk_has_as_well_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    slots = disk_slots(DISK, monkeypatch)
    plugged_in = [replace(device, number=f"8:{n}", disk="8:0") for n, device in enumerate(DISK)]
    monkeypatch.setattr("bootloader.device_slots.describe_devices", lambda: DISK + plugged_in)
    with pytest.raises(BootloaderError, match="another partition has the id") as caught:
        render(f"{{{name}}}", slots, "b", machine_id)
    assert caught.value.name is ErrorName.ROOT_ID_TAKEN

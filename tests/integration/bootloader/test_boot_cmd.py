# SPDX-License-Identifier: Apache-2.0
"""boot.cmd, run by U-Boot: its choice, and what it leaves in the environment and on the disk, are
those of the model and of the back end; and what it starts gets the command line of the entry.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootloader.backend import Entry
from bootloader.errors import BootloaderError
from bootloader.slot import BootFileKind
from bootloader.slot_entry import good_offset
from tests.integration.bootloader.grub_in_qemu import Disk, files_of
from tests.integration.bootloader.uboot_in_qemu import (
    environment,
    make_flash,
    power_on,
    put_bytes,
    put_environment,
    put_kernels,
)
from tests.unit.bootloader.machine_uboot import UBootMachine

LINUX = Entry(frozenset({BootFileKind.LINUX}), "puad-line puad.slot=b")
LINUX_INITRD = Entry(frozenset({BootFileKind.LINUX, BootFileKind.INITRD}), LINUX.command_line)


@pytest.fixture(scope="session")
def flash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_flash(tmp_path_factory.mktemp("flash"))


@pytest.fixture
def machine(tmp_path: Path) -> UBootMachine:
    folder = tmp_path / "machine"
    folder.mkdir()
    return UBootMachine(folder)


def arm(machine: UBootMachine, tries: int = 3, slot: str = "b", entry: Entry = LINUX) -> None:
    backend = machine.backend()
    backend.disarm(slot)
    for kind in entry.kinds:
        backend.setup.files.replace(backend.boot_folder(slot) / kind, b"bytes of it")
    backend.arm(slot, tries, entry)


def used_up(machine: UBootMachine, slot: str = "b") -> None:
    arm(machine, slot=slot)
    machine.backend().mark_bad(slot)


def counters(variables: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.startswith("BOOT_")}


def fresh(machine: UBootMachine) -> None:
    assert machine.backend().primary() == "a"


def both_good(machine: UBootMachine) -> None:
    arm(machine)
    machine.backend().mark_good("b")


def both_good_a_last(machine: UBootMachine) -> None:
    both_good(machine)
    arm(machine, slot="a")
    machine.backend().mark_good("a")


def both_used_up(machine: UBootMachine) -> None:
    used_up(machine)
    machine.backend().mark_bad("a")


def both_used_up_a_last(machine: UBootMachine) -> None:
    used_up(machine)
    used_up(machine, "a")


def counted_beats_used_up(machine: UBootMachine) -> None:
    arm(machine)
    used_up(machine, "a")


def pinned_a(machine: UBootMachine) -> None:
    arm(machine)
    machine.pin("a")


def pinned_used_up(machine: UBootMachine) -> None:
    used_up(machine)
    machine.pin("b")


def pinned_disarmed(machine: UBootMachine) -> None:
    machine.pin("b")


def order_missing(machine: UBootMachine) -> None:
    arm(machine)
    machine.set(BOOT_ORDER="")


def order_foreign(machine: UBootMachine) -> None:
    arm(machine)
    machine.set(BOOT_ORDER="system0 a")


def counter_with_text(machine: UBootMachine) -> None:
    arm(machine)
    machine.set(BOOT_b_LEFT="03")


def tries_done_missing(machine: UBootMachine) -> None:
    arm(machine)
    machine.set(BOOT_b_DONE="")


def kernel_missing(machine: UBootMachine) -> None:
    arm(machine)
    (machine.boot / "puad/b/linux").unlink()


def kernel_empty(machine: UBootMachine) -> None:
    arm(machine)
    (machine.boot / "puad/b/linux").write_bytes(b"")


def initrd_missing(machine: UBootMachine) -> None:
    arm(machine, entry=LINUX_INITRD)
    (machine.boot / "puad/b/initrd").unlink()


def with_initrd(machine: UBootMachine) -> None:
    arm(machine, entry=LINUX_INITRD)


def entry_missing(machine: UBootMachine) -> None:
    arm(machine)
    (machine.boot / "puad/b.env").unlink()


def entry_zero(machine: UBootMachine) -> None:
    arm(machine)
    (machine.boot / "puad/b.env").write_bytes(bytes(4096))


def entry_without_its_first_line(machine: UBootMachine) -> None:
    arm(machine)
    path = machine.boot / "puad/b.env"
    path.write_bytes(bytes(25) + path.read_bytes()[25:])


def nothing_left(machine: UBootMachine) -> None:
    machine.backend().disarm("a")


@dataclass(frozen=True)
class State:
    """A state of the machine and what U-Boot must make of it."""

    prepare: Callable[[UBootMachine], None]
    slot: str | None


STATES = {
    "fresh": State(fresh, "a"),
    "9 tries left": State(lambda machine: arm(machine, 9), "b"),
    "3 tries left": State(arm, "b"),
    "1 try left": State(lambda machine: arm(machine, 1), "b"),
    "used up": State(used_up, "a"),
    "both good": State(both_good, "b"),
    "both good, a last": State(both_good_a_last, "a"),
    "both used up": State(both_used_up, "b"),
    "both used up, a last": State(both_used_up_a_last, "a"),
    "counted beats used up": State(counted_beats_used_up, "b"),
    "pinned a": State(pinned_a, "a"),
    "pinned, used up": State(pinned_used_up, "b"),
    "pinned, disarmed": State(pinned_disarmed, "a"),
    "order missing": State(order_missing, "b"),
    "order foreign": State(order_foreign, "a"),
    "counter with text": State(counter_with_text, "a"),
    "tries done missing": State(tries_done_missing, "b"),
    "kernel missing": State(kernel_missing, "a"),
    "kernel empty": State(kernel_empty, "a"),
    "initrd missing": State(initrd_missing, "a"),
    "with initrd": State(with_initrd, "b"),
    "entry missing": State(entry_missing, "a"),
    "entry zero": State(entry_zero, "a"),
    "entry without its first line": State(entry_without_its_first_line, "a"),
    "nothing left": State(nothing_left, None),
}


def disk_of(machine: UBootMachine, folder: Path) -> Disk:
    put_kernels(machine.boot)
    disk = Disk(folder, machine.boot)
    put_environment(disk, counters(machine.backend().variables()))
    return disk


@pytest.mark.parametrize("name", STATES)
def test_uboot_and_the_model_agree(
    machine: UBootMachine, flash: Path, tmp_path: Path, name: str
) -> None:
    STATES[name].prepare(machine)
    disk = disk_of(machine, tmp_path)
    boot = power_on(disk, flash)
    assert boot.slot == STATES[name].slot, boot.console
    assert machine.power_on() == boot.slot
    assert counters(environment(disk)) == counters(machine.backend().variables())
    assert disk.read() == files_of(machine.boot)


def test_uboot_counts_to_the_end_and_falls_back(
    machine: UBootMachine, flash: Path, tmp_path: Path
) -> None:
    arm(machine, 2)
    disk = disk_of(machine, tmp_path)
    for slot, left in (("b", "1"), ("b", "0"), ("a", "0")):
        assert power_on(disk, flash).slot == slot
        assert environment(disk)["BOOT_b_LEFT"] == left


@pytest.mark.parametrize("data", [b"", b"\xff" * 0x4000, b"\x12\x34\x56\x78BOOT_b_LEFT=3\0\0"])
def test_uboot_without_an_environment_boots_the_good_slot(
    machine: UBootMachine, flash: Path, tmp_path: Path, data: bytes
) -> None:
    arm(machine)
    disk = disk_of(machine, tmp_path)
    put_bytes(disk, data)
    before = disk.path.read_bytes()
    assert power_on(disk, flash).slot == "a"
    assert disk.path.read_bytes() == before


def test_uboot_without_an_environment_boots_what_was_armed_last(
    machine: UBootMachine, flash: Path, tmp_path: Path
) -> None:
    both_good(machine)
    for path in (machine.boot / "puad").glob("*.env"):
        data = path.read_bytes()
        at = good_offset(data)
        path.write_bytes(data[:at] + b"\xff" + data[at + 1 :])
    disk = disk_of(machine, tmp_path)
    put_bytes(disk, b"")
    assert power_on(disk, flash).slot == "b"


def test_uboot_writes_nothing_for_a_good_slot(
    machine: UBootMachine, flash: Path, tmp_path: Path
) -> None:
    both_good(machine)
    disk = disk_of(machine, tmp_path)
    before = disk.path.read_bytes()
    assert power_on(disk, flash).slot == "b"
    assert disk.path.read_bytes() == before


def test_uboot_that_cannot_save_boots_the_good_slot(machine: UBootMachine, tmp_path: Path) -> None:
    arm(machine)
    disk = disk_of(machine, tmp_path)
    boot = power_on(disk, make_flash(tmp_path, puad_save="false"))
    assert boot.slot == "a"
    assert "the try cannot be counted" in boot.console


def test_kernel_that_does_not_load_costs_a_try_and_the_other_slot_follows(
    machine: UBootMachine, flash: Path, tmp_path: Path
) -> None:
    arm(machine)
    put_kernels(machine.boot)
    (machine.boot / "puad/b/linux").write_bytes(b"no kernel" * 1000)
    disk = Disk(tmp_path, machine.boot)
    put_environment(disk, counters(machine.backend().variables()))
    assert power_on(disk, flash).slot == "a"
    assert environment(disk)["BOOT_b_LEFT"] == "2"


def test_uboot_passes_every_character_that_arm_takes(
    machine: UBootMachine, flash: Path, tmp_path: Path
) -> None:
    taken = ""
    for char in string.punctuation:
        try:
            machine.backend().arm("b", 1, Entry(LINUX.kinds, char))
        except BootloaderError:
            continue
        taken += f" x{char}y{char}"
    line = f"puad-line root=x{taken}; setenv root y; $root ${{root}} {'z' * 1500}"
    arm(machine, entry=Entry(LINUX.kinds, line))
    boot = power_on(disk_of(machine, tmp_path), flash)
    assert boot.kernel == f"b|{line}"

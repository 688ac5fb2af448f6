# SPDX-License-Identifier: Apache-2.0
"""grub.cfg, run by GRUB: its choice, and the disk afterwards, are those of the model and of the
back end; and what it starts gets the command line and the initrd of the entry.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bootloader import grubenv
from bootloader.backend import Entry
from bootloader.errors import BootloaderError, ErrorName
from bootloader.slot import BootFileKind
from bootloader.slot_entry import good_offset
from tests.integration.bootloader.grub_in_qemu import Boot, Disk, files_of, make_grub, put_kernels
from tests.integration.bootloader.grub_in_qemu import power_on as power_on_qemu
from tests.unit.bootloader.machine_grub import GrubMachine

LINUX = Entry(frozenset({BootFileKind.LINUX}), "puad.slot=b")
LINUX_INITRD = Entry(frozenset({BootFileKind.LINUX, BootFileKind.INITRD}), "puad.slot=b")


@pytest.fixture(scope="session")
def grub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_grub(tmp_path_factory.mktemp("grub"))


@pytest.fixture
def machine(tmp_path: Path) -> GrubMachine:
    folder = tmp_path / "machine"
    folder.mkdir()
    return GrubMachine(folder)


def arm(machine: GrubMachine, tries: int = 3, slot: str = "b", entry: Entry = LINUX) -> None:
    backend = machine.backend()
    backend.disarm(slot)
    for kind in entry.kinds:
        backend.setup.files.replace(backend.boot_folder(slot) / kind, b"bytes of it")
    backend.arm(slot, tries, entry)


def used_up(machine: GrubMachine, tries: int = 3, slot: str = "b") -> None:
    arm(machine, tries, slot)
    machine.backend().mark_bad(slot)


def patch(machine: GrubMachine, old: bytes, new: bytes) -> None:
    data = machine.grubenv.read_bytes()
    assert old in data
    machine.grubenv.write_bytes(data.replace(old, new))


def set_good_byte(machine: GrubMachine, slot: str, byte: bytes) -> None:
    path = machine.boot / f"puad/{slot}.env"
    data = path.read_bytes()
    at = good_offset(data)
    path.write_bytes(data[:at] + byte + data[at + 1 :])


def fresh(machine: GrubMachine) -> None:
    assert machine.backend().primary() == "a"


def both_good(machine: GrubMachine) -> None:
    arm(machine)
    machine.backend().mark_good("b")


def both_good_a_last(machine: GrubMachine) -> None:
    both_good(machine)
    arm(machine, slot="a")
    machine.backend().mark_good("a")


def both_used_up(machine: GrubMachine) -> None:
    used_up(machine)
    machine.backend().mark_bad("a")


def both_used_up_a_last(machine: GrubMachine) -> None:
    used_up(machine)
    used_up(machine, slot="a")


def both_counted_a_last(machine: GrubMachine) -> None:
    arm(machine)
    arm(machine, 2, slot="a")


def counted_beats_used_up(machine: GrubMachine) -> None:
    arm(machine)
    used_up(machine, slot="a")


def pinned_a(machine: GrubMachine) -> None:
    arm(machine)
    machine.pin("a")


def pinned_used_up(machine: GrubMachine) -> None:
    used_up(machine)
    machine.pin("b")


def pinned_counted(machine: GrubMachine) -> None:
    arm(machine)
    machine.pin("b")


def pinned_disarmed(machine: GrubMachine) -> None:
    machine.pin("b")


def grubenv_missing(machine: GrubMachine) -> None:
    arm(machine)
    machine.grubenv.unlink()


def grubenv_is(data: bytes) -> Callable[[GrubMachine], None]:
    def change(machine: GrubMachine) -> None:
        arm(machine)
        machine.grubenv.write_bytes(data)

    return change


def grubenv_unreadable_without_a_good_slot(machine: GrubMachine) -> None:
    arm(machine)
    machine.ruin()


def grubenv_unreadable_with_two_good_slots(machine: GrubMachine) -> None:
    both_good(machine)
    machine.grubenv.write_bytes(bytes(grubenv.BLOCK_BYTES))


def second_sector_lost(machine: GrubMachine) -> None:
    arm(machine)
    data = machine.grubenv.read_bytes()
    machine.grubenv.write_bytes(data[:512] + bytes(512))


def second_sector_lost_and_no_good_slot(machine: GrubMachine) -> None:
    second_sector_lost(machine)
    set_good_byte(machine, "a", b"0")


def second_sector_lost_and_all_counted(machine: GrubMachine) -> None:
    both_counted_a_last(machine)
    data = machine.grubenv.read_bytes()
    machine.grubenv.write_bytes(data[:512] + bytes(512))


def counter_torn(machine: GrubMachine) -> None:
    arm(machine)
    patch(machine, b"b_left=3", b"b_left=\xff")


def counter_with_text(machine: GrubMachine) -> None:
    arm(machine)
    patch(machine, b"b_left=3\n", b"b_left=x\n")


def tries_done_torn(machine: GrubMachine) -> None:
    arm(machine)
    patch(machine, b"b_done=0", b"b_done=?")


def line_feed_lost(machine: GrubMachine) -> None:
    arm(machine)
    patch(machine, b"a_done=0\n", b"a_done=0 ")


def foreign_variables(machine: GrubMachine) -> None:
    arm(machine)
    variables = grubenv.decode(machine.grubenv.read_bytes()) or {}
    block = grubenv.encode({"root": "(hd9)", "prefix": "x", **variables, "other": "a\\b c"})
    assert block
    machine.grubenv.write_bytes(block)


def kernel_missing(machine: GrubMachine) -> None:
    arm(machine)
    (machine.boot / "puad/b/linux").unlink()


def kernel_empty(machine: GrubMachine) -> None:
    arm(machine)
    (machine.boot / "puad/b/linux").write_bytes(b"")


def initrd_missing(machine: GrubMachine) -> None:
    arm(machine, entry=LINUX_INITRD)
    (machine.boot / "puad/b/initrd").unlink()


def entry_missing(machine: GrubMachine) -> None:
    arm(machine)
    (machine.boot / "puad/b.env").unlink()


def entry_is(data: bytes) -> Callable[[GrubMachine], None]:
    def change(machine: GrubMachine) -> None:
        arm(machine)
        (machine.boot / "puad/b.env").write_bytes(data)

    return change


def under_write_and_grubenv_torn(machine: GrubMachine) -> None:
    arm(machine)
    machine.backend().disarm("b")
    backend = machine.backend()
    backend.setup.files.replace(backend.boot_folder("b") / BootFileKind.LINUX, b"not sealed")
    machine.grubenv.write_bytes(b"\xff" * grubenv.BLOCK_BYTES)


def good_byte_torn(machine: GrubMachine) -> None:
    both_good(machine)
    set_good_byte(machine, "b", b"\xff")


def entry_without_its_first_line(machine: GrubMachine) -> None:
    arm(machine)
    path = machine.boot / "puad/b.env"
    path.write_bytes(bytes(25) + path.read_bytes()[25:])


def nothing_left(machine: GrubMachine) -> None:
    machine.backend().disarm("a")


STATES: dict[str, tuple[Callable[[GrubMachine], None], str | None]] = {
    "fresh": (fresh, "a"),
    **{f"{left} tries left": (partial(arm, tries=left), "b") for left in (9, 3, 2, 1)},
    "used up": (used_up, "a"),
    "both good": (both_good, "b"),
    "both good, a last": (both_good_a_last, "a"),
    "both used up": (both_used_up, "b"),
    "both used up, a last": (both_used_up_a_last, "a"),
    "both counted, a last": (both_counted_a_last, "a"),
    "counted beats used up": (counted_beats_used_up, "b"),
    "pinned a": (pinned_a, "a"),
    "pinned, used up": (pinned_used_up, "b"),
    "pinned, counted": (pinned_counted, "b"),
    "pinned, disarmed": (pinned_disarmed, "a"),
    "grubenv missing": (grubenv_missing, "a"),
    "grubenv empty": (grubenv_is(b""), "a"),
    "grubenv zero": (grubenv_is(bytes(1024)), "a"),
    "grubenv ones": (grubenv_is(b"\xff" * 1024), "a"),
    "grubenv short": (grubenv_is(grubenv.SIGNATURE[:20]), "a"),
    "grubenv torn, two good": (grubenv_unreadable_with_two_good_slots, "b"),
    "grubenv torn, none good": (grubenv_unreadable_without_a_good_slot, "b"),
    "second sector lost": (second_sector_lost, "a"),
    "second sector lost, none good": (second_sector_lost_and_no_good_slot, "a"),
    "second sector lost, all counted": (second_sector_lost_and_all_counted, "a"),
    "counter torn": (counter_torn, "a"),
    "counter with text": (counter_with_text, "a"),
    "tries done torn": (tries_done_torn, "b"),
    "line feed lost": (line_feed_lost, "a"),
    "foreign variables": (foreign_variables, "b"),
    "kernel missing": (kernel_missing, "a"),
    "kernel empty": (kernel_empty, "a"),
    "initrd missing": (initrd_missing, "a"),
    "entry missing": (entry_missing, "a"),
    "entry zero": (entry_is(bytes(4096)), "a"),
    "entry empty": (entry_is(b""), "a"),
    "entry half": (entry_is(grubenv.SIGNATURE + b"puad_good=1\npuad_order=9\n"), "a"),
    "under write, grubenv torn": (under_write_and_grubenv_torn, "a"),
    "good byte torn, counted again": (good_byte_torn, "b"),
    "entry without its first line": (entry_without_its_first_line, "a"),
    "nothing left": (nothing_left, None),
}


@pytest.mark.parametrize("name", STATES)
def test_grub_and_the_model_agree(
    machine: GrubMachine, grub: Path, tmp_path: Path, name: str
) -> None:
    prepare, slot = STATES[name]
    prepare(machine)
    put_kernels(machine.boot)
    disk = Disk(tmp_path, machine.boot)
    boot = power_on_qemu(disk, "-kernel", grub)
    assert boot.slot == slot, boot.console
    assert (machine.backend().primary() or None) == slot or name.startswith("second sector")
    assert machine.power_on() == slot
    assert disk.read() == files_of(machine.boot)


@pytest.mark.parametrize("ext4", [False, True], ids=["fat", "ext4"])
def test_grub_counts_to_the_end_and_falls_back(
    machine: GrubMachine, grub: Path, tmp_path: Path, ext4: bool
) -> None:
    arm(machine, 2)
    put_kernels(machine.boot)
    disk = Disk(tmp_path, machine.boot, ext4=ext4)
    for slot in ("b", "b", "a", "a"):
        assert power_on_qemu(disk, "-kernel", grub).slot == slot
        assert machine.power_on() == slot
        assert disk.read() == files_of(machine.boot)


def test_grub_writes_nothing_for_a_good_slot(
    machine: GrubMachine, grub: Path, tmp_path: Path
) -> None:
    both_good(machine)
    put_kernels(machine.boot)
    disk = Disk(tmp_path, machine.boot)
    before = disk.path.read_bytes()
    for _ in range(3):
        assert power_on_qemu(disk, "-kernel", grub).slot == "b"
    assert disk.path.read_bytes() == before


def boot_with_line(machine: GrubMachine, grub: Path, folder: Path, line: str) -> Boot:
    arm(machine, entry=Entry(LINUX_INITRD.kinds, line))
    put_kernels(machine.boot)
    (machine.boot / "puad/b/initrd").write_bytes(b"Initrd")
    return power_on_qemu(Disk(folder, machine.boot), "-kernel", grub)


def test_grub_passes_every_character_that_arm_takes(
    machine: GrubMachine, grub: Path, tmp_path: Path
) -> None:
    taken = ""
    for char in string.punctuation:
        try:
            machine.backend().arm("b", 1, Entry(LINUX.kinds, char))
        except BootloaderError as error:
            assert error.name is ErrorName.INVALID_ARGUMENT  # noqa: PT017 -- either way is right
        else:
            taken += f" x{char}y{char}"
    assert len(taken) > 4 * 20
    boot = boot_with_line(machine, grub, tmp_path, f"root=x{taken}; set root=y; $root ${{root}}")
    assert boot.slot == "b"
    assert boot.initrd == "I"
    wanted = f"BOOT_IMAGE=/puad/b/linux root=x{taken}; set root=y; $root ${{root}}"
    assert boot.command_line == wanted


def test_grub_passes_the_longest_command_line(
    machine: GrubMachine, grub: Path, tmp_path: Path
) -> None:
    line = "x" * 2000
    assert boot_with_line(machine, grub, tmp_path, line).command_line.endswith(f" {line}")


def test_kernel_that_does_not_load_costs_a_try_and_the_other_slot_follows(
    machine: GrubMachine, grub: Path, tmp_path: Path
) -> None:
    arm(machine, 3)
    put_kernels(machine.boot)
    (machine.boot / "puad/b/linux").write_bytes(b"no kernel" * 1000)
    disk = Disk(tmp_path, machine.boot)
    assert power_on_qemu(disk, "-kernel", grub).slot == "a"
    machine.grubenv.write_bytes(disk.read()["grub/grubenv"])
    assert machine.backend().status("b").tries_left == 2

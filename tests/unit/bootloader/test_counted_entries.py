# SPDX-License-Identifier: Apache-2.0
"""What GRUB's and U-Boot's back ends write, byte by byte, and what they make of damaged files."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from bootloader import command, grubenv
from bootloader.backend import Entry, Setup
from bootloader.backends.uboot import UBoot, UBootOptions
from bootloader.durable import Files
from bootloader.errors import BootloaderError, ErrorName
from bootloader.slot import Assessment, BootFileKind
from tests.unit.bootloader.machine_grub import GrubMachine
from tests.unit.bootloader.machine_uboot import ENVIRONMENT_BYTES, UBootMachine
from tests.unit.bootloader.machines import SLOTS, LoaderMachine

PUAD_WAITS_S = 25
LINUX = Entry(frozenset({BootFileKind.LINUX}), "puad.slot=b")


@pytest.fixture
def grub(tmp_path: Path) -> GrubMachine:
    return GrubMachine(tmp_path)


@pytest.fixture
def uboot(tmp_path: Path) -> UBootMachine:
    return UBootMachine(tmp_path)


@pytest.fixture(params=[GrubMachine, UBootMachine])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> LoaderMachine:
    made: LoaderMachine = request.param(tmp_path)
    return made


def arm(machine: LoaderMachine, tries: int = 3, entry: Entry = LINUX) -> None:
    backend = machine.backend()
    backend.disarm("b")
    for kind in entry.kinds:
        backend.setup.files.replace(backend.boot_folder("b") / kind, b"bytes of it")
    backend.arm("b", tries, entry)


class Recorder(Files):
    """Notes the place of each write."""

    def __init__(self) -> None:
        self.places: list[tuple[str, int, int]] = []

    def write_at(self, path: Path, offset: int, data: bytes) -> None:
        self.places.append((path.name, offset, len(data)))
        super().write_at(path, offset, data)


def test_grubenv_is_changed_in_place_within_its_first_sector(grub: GrubMachine) -> None:
    arm(grub)
    inode = grub.grubenv.stat().st_ino
    files = Recorder()
    backend = grub.backend(files)
    backend.arm("b", 9, LINUX)
    assert [name for name, *_ in files.places] == ["grubenv", "b.env", "b.env"]
    assert files.places[-1] == ("b.env", 0, len(grubenv.SIGNATURE))
    del files.places[1:]
    backend.mark_good("b")
    backend.mark_bad("b")
    assert [name for name, *_ in files.places] == ["grubenv", "b.env", "grubenv", "b.env"]
    assert all(offset + size <= 512 for _, offset, size in files.places)
    assert grub.grubenv.stat().st_ino == inode
    assert grub.grubenv.stat().st_size == grubenv.BLOCK_BYTES


def test_entry_that_another_tool_wrote_is_marked_in_its_place(grub: GrubMachine) -> None:
    path = grub.boot / "puad/a.env"
    subprocess.run(["grub-editenv", path, "create"], check=True)
    values = ["puad_options=puad.slot=a", "puad_kernel=linux", "puad_good=0", "puad_order=7"]
    subprocess.run(["grub-editenv", path, "set", *values], check=True)
    grub.backend().mark_good("a")
    listed = subprocess.run(["grub-editenv", path, "list"], check=True, capture_output=True)
    assert set(listed.stdout.decode().split()) >= {"puad_good=1", "puad_order=7"}
    assert grub.backend().status("a").assessment is Assessment.GOOD


def test_what_we_write_is_what_grub_lists(grub: GrubMachine) -> None:
    arm(grub, 5)
    listed = [
        subprocess.run(["grub-editenv", path, "list"], check=True, capture_output=True).stdout
        for path in (grub.grubenv, grub.boot / "puad/b.env")
    ]
    assert listed[0] == b"puad_a_left=0\npuad_a_done=0\npuad_b_left=5\npuad_b_done=0\n"
    assert b"\npuad_kernel=linux\npuad_initrd=0\npuad_options=puad.slot=b\n" in listed[1]


def test_variables_of_others_in_grubenv_are_kept(grub: GrubMachine) -> None:
    subprocess.run(["grub-editenv", grub.grubenv, "create"], check=True)
    subprocess.run(["grub-editenv", grub.grubenv, "set", "other=a b\\c"], check=True)
    arm(grub)
    listed = subprocess.run(["grub-editenv", grub.grubenv, "list"], capture_output=True, check=True)
    assert b"other=a b\\c\n" in listed.stdout
    assert grub.backend().status("b").tries_left == 3


def test_variables_of_others_that_leave_no_room_give_way(grub: GrubMachine) -> None:
    values = {f"other{n}": "x" * 90 for n in range(9)}
    block = grubenv.encode(values)
    assert block
    grub.grubenv.write_bytes(block)
    arm(grub)
    assert grub.power_on() == "b"
    assert grub.backend().status("b").tries_left == 2


@pytest.mark.parametrize(
    ("data", "variables"),
    [
        (b"", None),
        (b"# GRUB Environment Block", None),
        (grubenv.SIGNATURE, {}),
        (grubenv.SIGNATURE + b"# comment=1\na=1\nb=\n###", {"a": "1", "b": ""}),
        (grubenv.SIGNATURE + b"a=1\nrest without an end", {"a": "1"}),
        (grubenv.SIGNATURE + b"a=1\nb=2", {"a": "1"}),
        (grubenv.SIGNATURE + b"lost\na=1\nb=2\n", {"lost\na": "1", "b": "2"}),
        (grubenv.SIGNATURE + b"a=x\\\\y\\\nz\n", {"a": "x\\y\nz"}),
        (grubenv.SIGNATURE + bytes(999), {}),
    ],
)
def test_grubenv_reads_as_grub_reads_it(data: bytes, variables: dict[str, str] | None) -> None:
    assert grubenv.decode(data) == variables


def test_environment_falls_back_to_its_older_copy(uboot: UBootMachine) -> None:
    arm(uboot)
    for place in range(2):
        data = bytearray(uboot.environment.read_bytes())
        kept = bytes(data)
        data[place * ENVIRONMENT_BYTES + 100] ^= 0xFF
        uboot.environment.write_bytes(data)
        assert uboot.backend().variables()["bootcmd"] == "run distro_bootcmd"
        assert uboot.power_on() in {"a", "b"}
        uboot.environment.write_bytes(kept)


def test_environment_is_never_replaced_by_our_variables_alone(uboot: UBootMachine) -> None:
    uboot.ruin()
    uboot.default.unlink()
    before = uboot.environment.read_bytes()
    with pytest.raises(BootloaderError) as caught:
        arm(uboot)
    assert caught.value.name is ErrorName.STORAGE_FAILED
    assert uboot.environment.read_bytes() == before
    assert not uboot.backend().status("b").has_entry


def test_environment_is_read_once_for_each_property(
    uboot: UBootMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm(uboot)
    backend, limits = uboot.backend(), []
    run = command.run

    def counting(*argv: str, limit_s: float) -> str:
        limits.append(limit_s)
        return run(*argv, limit_s=limit_s)

    monkeypatch.setattr(command, "run", counting)
    for read in (backend.primary, backend.fallback, lambda: backend.status("b"), backend.pinned):
        limits.clear()
        read()
        assert len(limits) == 1
    limits.clear()
    backend.status("a")  # good: the counters do not matter
    assert limits == []
    for call in (*map(backend.status, "ab"), backend.primary(), backend.fallback()):
        assert call
    assert sum(limits) < PUAD_WAITS_S


def test_environment_that_cannot_be_read_is_told_once_until_it_can(
    uboot: UBootMachine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    backend, whole = uboot.backend(), uboot.environment.read_bytes()
    said = []
    for data in (b"\xff" * len(whole), whole, b"\xff" * len(whole)):
        uboot.environment.write_bytes(data)
        caplog.clear()
        assert [bool(backend.variables()) for _ in range(3)] == [data == whole] * 3
        said.append([(record.levelname, record.getMessage()[:42]) for record in caplog.records])
    lost = [("WARNING", "the environment of U-Boot cannot be read: ")]
    assert said == [lost, [("INFO", "the environment of U-Boot can be read agai")], lost]


@pytest.mark.parametrize("name", ["fw_printenv", "fw_setenv"])
def test_missing_tool_of_uboot_is_told(uboot: UBootMachine, name: str) -> None:
    uboot.backend().check()
    tools = {name: uboot.folder / "none"}
    options = UBootOptions(boot=uboot.boot, config=uboot.config, **tools)
    with pytest.raises(BootloaderError, match="libubootenv-tool") as caught:
        UBoot(Setup(SLOTS, uboot.run), options).check()
    assert (caught.value.name, caught.value.on) == (ErrorName.STORAGE_FAILED, str(tools[name]))


def test_new_environment_has_the_defaults_in_it(uboot: UBootMachine) -> None:
    uboot.ruin()
    arm(uboot)
    variables = uboot.backend().variables()
    assert variables["bootcmd"] == "run distro_bootcmd"
    assert variables["BOOT_ORDER"] == "b a"


def test_order_of_the_environment_goes_before_that_of_the_entries(uboot: UBootMachine) -> None:
    arm(uboot)
    uboot.backend().mark_good("b")
    uboot.set(BOOT_ORDER="a b")
    assert uboot.backend().primary() == "a"
    uboot.set(BOOT_ORDER="")
    assert uboot.backend().primary() == "b"


@pytest.mark.parametrize("line", ['a="b"', "a='b'", "a\\b", "a*", "a?", "a\nb", "a\tb", "ä"])
def test_command_line_that_would_not_arrive_is_refused(machine: LoaderMachine, line: str) -> None:
    with pytest.raises(BootloaderError) as caught:
        arm(machine, entry=Entry(LINUX.kinds, line))
    assert caught.value.name is ErrorName.INVALID_ARGUMENT
    assert not machine.backend().status("b").has_entry


def test_command_line_that_is_too_long_is_refused(machine: LoaderMachine) -> None:
    arm(machine, entry=Entry(LINUX.kinds, "x" * 2047))
    with pytest.raises(BootloaderError, match="2047"):
        arm(machine, entry=Entry(LINUX.kinds, "x" * 2048))


@pytest.mark.parametrize(
    "kinds", [[], ["initrd"], ["uki", "linux"], ["uki", "initrd"], ["uki", "linux", "initrd"]]
)
def test_boot_files_that_do_not_go_together_are_refused(
    machine: LoaderMachine, kinds: list[str]
) -> None:
    with pytest.raises(BootloaderError) as caught:
        arm(machine, entry=Entry(frozenset(map(BootFileKind, kinds)), ""))
    assert caught.value.name is ErrorName.INVALID_ARGUMENT


def test_uki_is_an_entry_of_its_own(machine: LoaderMachine) -> None:
    arm(machine, entry=Entry(frozenset({BootFileKind.UKI}), ""))
    assert machine.backend().primary() == "b"
    (machine.backend().boot_folder("b") / "uki").unlink()
    assert machine.backend().primary() == "a"


def test_boot_partition_that_is_not_mounted_is_told(machine: LoaderMachine, tmp_path: Path) -> None:
    machine.backend().check()
    partition = machine.backend().partition()
    assert partition
    partition.rename(tmp_path / "elsewhere")
    partition.mkdir()
    assert not machine.backend().status("a").has_entry
    assert machine.backend().primary() == ""
    for call in (machine.backend().check, lambda: machine.backend().mark_good("a")):
        with pytest.raises(BootloaderError) as caught:
            call()
        assert caught.value.name is ErrorName.STORAGE_FAILED


def test_booted_slot_is_unknown_without_the_word_for_it(grub: GrubMachine) -> None:
    grub.command_line.write_text("BOOT_IMAGE=/vmlinuz root=/dev/sda1 quiet\n")
    assert grub.backend().booted() is None
    grub.command_line.write_text("puad.slot=a quiet puad.slot=b\n")
    assert grub.backend().booted() == "b"

# SPDX-License-Identifier: Apache-2.0
"""What only systemd-boot has: names on FAT, EFI variables, other people's entries."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from bootloader.backend import Entry
from bootloader.backends.systemd_boot import SystemdBoot, SystemdBootOptions
from bootloader.durable import Files
from bootloader.entry_files import MAX_ENTRIES, MAX_TEXT_BYTES
from bootloader.errors import BootloaderError, ErrorName
from bootloader.loader_variables import LoaderVariables
from bootloader.slot import Assessment, BootFileKind
from tests.unit.bootloader import loader_model
from tests.unit.bootloader.machines import Cut, CutFiles, PowerCut, SystemdBootMachine
from tests.unit.bootloader.test_backend_contract import install, stage

FOREIGN = b"title Debian\nsort-key debian\nversion 6.12\nlinux /puad/a/linux\n"


@pytest.fixture
def machine(tmp_path: Path) -> SystemdBootMachine:
    return SystemdBootMachine(tmp_path)


def names(machine: SystemdBootMachine) -> list[str]:
    return sorted(path.name for path in machine.entries.iterdir())


def error_of(machine: SystemdBootMachine) -> BootloaderError:
    with pytest.raises(BootloaderError) as caught:
        machine.backend().check()
    return caught.value


def with_options(machine: SystemdBootMachine, **changes: Any) -> SystemdBoot:
    options = SystemdBootOptions(esp=machine.esp, efivars=machine.efivars)
    return SystemdBoot(machine.backend().setup, replace(options, **changes))


def test_names_follow_the_life_of_a_slot(machine: SystemdBootMachine) -> None:
    install(machine)
    assert names(machine) == ["puad-a.conf", "puad-b+3.conf"]
    machine.power_on()
    assert names(machine) == ["puad-a.conf", "puad-b+2-1.conf"]
    machine.backend().mark_good("b")
    assert names(machine) == ["puad-a.conf", "puad-b.conf"]
    machine.backend().mark_bad("b")
    assert names(machine) == ["puad-a.conf", "puad-b+0.conf"]


def test_generation_lies_above_the_other_slot(machine: SystemdBootMachine) -> None:
    versions = []
    for old, new in (("a", "b"), ("b", "a"), ("a", "b")):
        backend = machine.backend()
        backend.disarm(new)
        stage(backend, new)
        backend.arm(new, 3, Entry(frozenset({BootFileKind.LINUX}), ""))
        assert (backend.primary(), backend.fallback()) == (new, old)
        assert machine.power_on() == new
        machine.backend().mark_good(new)
        versions.append(loader_model.read_entries(machine.esp)[0].keys["version"])
    assert versions == ["0000000002", "0000000003", "0000000004"]


def test_mark_good_after_systemd_bless_boot_changes_nothing(machine: SystemdBootMachine) -> None:
    install(machine)
    machine.power_on()
    (machine.entries / "puad-b+2-1.conf").rename(machine.entries / "puad-b.conf")
    before = machine.state_of("b")
    machine.backend().mark_good("b")
    assert machine.state_of("b") == before


class BlessedMeanwhile(Files):
    """systemd-bless-boot is a moment faster."""

    @contextmanager
    def fresh(self, path: Path) -> Iterator[BinaryIO]:
        path.with_name("puad-b+2-1.conf").rename(path)
        with super().fresh(path) as file:
            yield file


def test_mark_good_while_systemd_bless_boot_does_it_loses_nothing(
    machine: SystemdBootMachine,
) -> None:
    install(machine)
    machine.power_on()
    machine.backend(BlessedMeanwhile()).mark_good("b")
    assert names(machine) == ["puad-a.conf", "puad-b.conf"]
    assert machine.power_on() == "b"


def test_empty_file_of_a_torn_rename_does_not_count(machine: SystemdBootMachine) -> None:
    install(machine)
    machine.power_on()
    (machine.entries / "puad-b.conf").touch()  # the bless was cut: both names are there
    status = machine.backend().status("b")
    assert (status.assessment, status.tries_left) == (Assessment.INDETERMINATE, 2)
    assert machine.power_on() == "b"
    machine.backend().mark_good("b")
    assert machine.backend().status("b").assessment is Assessment.GOOD
    assert names(machine) == ["puad-a.conf", "puad-b.conf"]
    assert machine.power_on() == "b"


def test_name_that_stands_there_twice_counts_by_its_better_one(machine: SystemdBootMachine) -> None:
    install(machine)
    machine.power_on()
    old = machine.entries / "puad-b+2-1.conf"
    (machine.entries / "puad-b.conf").write_bytes(old.read_bytes())
    assert machine.backend().status("b").assessment is Assessment.GOOD
    for _ in range(5):
        assert machine.power_on() == "b"
        assert machine.backend().status("b").assessment is Assessment.GOOD
    machine.backend().mark_bad("b")
    assert machine.backend().status("b").assessment is Assessment.BAD
    assert machine.power_on() == "a"
    machine.backend().disarm("b")
    assert names(machine) == ["puad-a.conf"]


def test_lost_name_of_the_booted_slot_is_written_anew(machine: SystemdBootMachine) -> None:
    install(machine)
    assert machine.power_on() == "b"
    (machine.entries / "puad-b+2-1.conf").write_bytes(b"")
    assert machine.backend().status("b").assessment is Assessment.INDETERMINATE
    line = "root=PARTUUID=1 puad.slot=b initrd=\\puad\\b\\initrd\n"
    machine.command_line.write_text(line)
    machine.backend().mark_good("b")
    assert machine.backend().status("b").assessment is Assessment.GOOD
    assert machine.power_on() == "b"
    assert loader_model.read_entries(machine.esp)[0].options == "root=PARTUUID=1 puad.slot=b"


def test_slot_without_entry_and_boot_files_cannot_be_marked(machine: SystemdBootMachine) -> None:
    with pytest.raises(BootloaderError) as caught:
        machine.backend().mark_good("b")
    assert caught.value.name is ErrorName.STORAGE_FAILED
    assert names(machine) == ["puad-a.conf"]


def test_torn_entry_of_a_cut_arm_is_passed_over_and_removed(machine: SystemdBootMachine) -> None:
    for at in (0, 1):  # the zeros, and the text over them
        backend = machine.backend(CutFiles(at, Cut.TORN))
        with pytest.raises(PowerCut):
            backend.arm("b", 3, Entry(frozenset({BootFileKind.LINUX}), "slot=b"))
        assert names(machine) == ["puad-a.conf", "puad-b+3.conf"]
        assert machine.backend().status("b").has_entry
        assert machine.backend().primary() == machine.power_on() == "a"
        machine.backend().disarm("b")
        assert names(machine) == ["puad-a.conf"]


def test_counters_at_zero_on_both_slots_boot_a_last_resort(machine: SystemdBootMachine) -> None:
    install(machine, tries=1)
    assert machine.power_on() == "b"
    machine.backend().mark_bad("a")
    for slot in ("a", "b"):
        assert machine.backend().status(slot).assessment is Assessment.BAD
    assert machine.backend().primary() == machine.power_on() == "b"
    assert machine.backend().fallback() == ""
    assert machine.power_on() == "b"


def test_foreign_entries_are_left_alone_and_come_later(machine: SystemdBootMachine) -> None:
    folder = machine.entries
    (folder / "debian.conf").write_bytes(FOREIGN)
    (folder / "old.conf").write_bytes(FOREIGN.replace(b"sort-key debian\n", b""))
    (folder / "puad-c.conf").write_bytes(FOREIGN)  # no slot of this node
    (folder / "sub.conf").mkdir()
    install(machine)
    assert [machine.power_on() for _ in range(4)] == ["b", "b", "b", "a"]
    machine.backend().disarm("b")
    assert names(machine) == ["debian.conf", "old.conf", "puad-a.conf", "puad-c.conf", "sub.conf"]
    assert (folder / "debian.conf").read_bytes() == FOREIGN
    assert machine.backend().booted() == "a"


def test_great_many_entries_of_a_slot_tell_nothing(
    machine: SystemdBootMachine, caplog: pytest.LogCaptureFixture
) -> None:
    text = (machine.entries / "puad-a.conf").read_bytes()
    for done in range(1, MAX_ENTRIES):
        (machine.entries / f"puad-a+9-{done}.conf").write_bytes(text)
    assert machine.backend().status("a").assessment is Assessment.GOOD
    (machine.entries / "puad-b+1.conf").write_bytes(text)
    assert machine.backend().status("a").assessment is Assessment.INDETERMINATE
    assert "there are 65 entries of the slots" in caplog.text
    with pytest.raises(BootloaderError, match="65 entries"):
        machine.backend().strictly().status("b")


def test_entry_is_read_up_to_its_bound_and_none_that_is_longer_is_written(
    machine: SystemdBootMachine,
) -> None:
    (machine.entries / "puad-b+1.conf").write_bytes(bytes(100_000))
    assert {len(entry.raw) for entry in machine.backend()._seen()} < {*range(MAX_TEXT_BYTES + 1)}
    (machine.entries / "puad-b+1.conf").unlink()
    before = names(machine)
    with pytest.raises(BootloaderError, match="more than 8192 bytes") as caught:
        machine.backend().arm("b", 3, Entry(frozenset({BootFileKind.LINUX}), "x" * 8192))
    assert caught.value.name is ErrorName.INVALID_ARGUMENT
    assert names(machine) == before


def test_booted_by_a_foreign_entry_is_not_known(machine: SystemdBootMachine) -> None:
    loader_model.write_variable(machine.efivars, "LoaderEntrySelected", "debian.conf")
    assert machine.backend().booted() is None


def test_booted_without_variables_is_not_known(machine: SystemdBootMachine) -> None:
    for path in machine.efivars.iterdir():
        path.unlink()
    assert machine.backend().booted() is None


@pytest.mark.parametrize("data", [b"", b"\6\0", b"\6\0\0\0\xff", b"\6\0\0\0" + b"\xd8" * 5000])
def test_booted_with_a_variable_of_rubbish_is_not_known(
    machine: SystemdBootMachine, data: bytes
) -> None:
    path = machine.efivars / f"LoaderEntrySelected-{loader_model.GUID}"
    path.write_bytes(data)
    assert machine.backend().booted() is None


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LoaderEntryDefault", "puad-a.conf", "puad-a.conf (LoaderEntryDefault)"),
        ("LoaderEntryDefault", "PUAD-A.CONF", "PUAD-A.CONF (LoaderEntryDefault)"),
        ("LoaderEntryDefault", "puad-a*", "puad-a* (LoaderEntryDefault)"),
        ("LoaderEntryDefault", "@saved", "@saved (LoaderEntryDefault)"),
        ("LoaderEntryOneShot", "puad-b+3.conf", "puad-b+3.conf (LoaderEntryOneShot)"),
        ("LoaderEntryDefault", "puad-*", ""),
        ("LoaderEntryDefault", "*", ""),
        ("LoaderEntryDefault", "", ""),
    ],
)
def test_pinned_names_what_passes_the_counting(
    machine: SystemdBootMachine, variable: str, value: str, said: str
) -> None:
    loader_model.write_variable(machine.efivars, variable, value)
    assert machine.backend().pinned() == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timeout 3\ndefault puad-a*\n", "puad-a* (default in loader.conf)"),
        ("default @saved\n", "@saved (default in loader.conf)"),
        ("default puad-a*\ndefault puad-*\n", ""),
        ("default puad-*\n", ""),
        ("default nobody-*\n", ""),
        ("#default puad-a*\n", ""),
        ("default\n", ""),
        ("default @nonsense\n", ""),
        ('default\t"puad-a.conf"\n', "puad-a.conf (default in loader.conf)"),
        ("default debian.conf\n", "debian.conf (default in loader.conf)"),
    ],
)
def test_pinned_reads_loader_conf(machine: SystemdBootMachine, text: str, said: str) -> None:
    (machine.esp / "loader/loader.conf").write_text(text)
    (machine.entries / "debian.conf").write_bytes(FOREIGN)
    assert machine.backend().pinned() == said


@pytest.mark.parametrize(
    ("variable", "value", "slots"),
    [
        ("LoaderEntryDefault", "puad-a.conf", {"a"}),
        ("LoaderEntryDefault", "puad-b*", {"b"}),
        ("LoaderEntryDefault", "PUAD-B+0-3.conf", {"b"}),
        ("LoaderEntryDefault", "puad-b+2-1.conf", set()),  # it lets go when the tries are used up
        ("LoaderEntryDefault", "debian.conf", set()),
        ("LoaderEntryDefault", "@saved", {"a", "b"}),
        ("LoaderEntryDefault", "puad-*", set()),
        ("LoaderEntryOneShot", "puad-b*", set()),
    ],
)
def test_pinned_slots_are_those_that_come_for_ever(
    machine: SystemdBootMachine, variable: str, value: str, slots: set[str]
) -> None:
    install(machine)
    assert machine.power_on() == "b"
    loader_model.write_variable(machine.efivars, variable, value)
    assert machine.backend().pinned_slots() == slots


@pytest.mark.parametrize(
    ("variable", "held"), [("debian.conf", {"b"}), ("puad-a.conf", {"a"}), ("", {"b"})]
)
def test_pinned_slots_of_loader_conf_give_way_to_the_variable(
    machine: SystemdBootMachine, variable: str, held: set[str]
) -> None:
    install(machine)
    (machine.esp / "loader/loader.conf").write_text("default puad-b*\n")
    loader_model.write_variable(machine.efivars, "LoaderEntryDefault", variable)
    assert machine.backend().pinned_slots() == held


def test_default_that_a_pin_names_goes_past_the_counting(machine: SystemdBootMachine) -> None:
    """Why Arm refuses: the new slot would never be tried."""
    loader_model.write_variable(machine.efivars, "LoaderEntryDefault", "puad-a.conf")
    install(machine)
    assert machine.power_on() == "a"


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Path]:
    image, folder = tmp_path / "ext4.img", tmp_path / "ext4"
    folder.mkdir()
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", image, "4M"], check=True)
    subprocess.run(["/usr/bin/mount", "-o", "loop", image, folder], check=True)
    yield folder
    subprocess.run(["/usr/bin/umount", folder], check=True)


def test_clear_removes_a_variable_that_the_kernel_guards(ext4: Path) -> None:
    loader_model.write_variable(ext4, "LoaderEntryDefault", "puad-a.conf")
    variables = LoaderVariables(ext4)
    path = ext4 / f"LoaderEntryDefault-{loader_model.GUID}"
    subprocess.run(["/usr/bin/chattr", "+i", path], check=True)  # as efivarfs has them
    with pytest.raises(PermissionError):
        path.unlink()
    variables.clear("LoaderEntryDefault")
    variables.clear("LoaderEntryDefault")
    assert variables.read("LoaderEntryDefault") == ""


def test_clear_pinned_clears_only_what_the_configuration_lets_it(
    machine: SystemdBootMachine, ext4: Path
) -> None:
    loader_model.write_variable(ext4, "LoaderEntryDefault", "puad-a.conf")
    loader_model.write_variable(ext4, "LoaderEntryOneShot", "puad-*")
    with_options(machine, efivars=ext4).clear_pinned()
    assert with_options(machine, efivars=ext4).pinned()
    willing = with_options(machine, efivars=ext4, clear_pinned=True)
    willing.clear_pinned()
    assert willing.pinned() == ""
    assert [path.name for path in ext4.glob("Loader*")] == [
        f"LoaderEntryOneShot-{loader_model.GUID}"
    ]


def test_missing_esp_is_told_and_nothing_is_known(machine: SystemdBootMachine) -> None:
    machine.esp.rename(machine.folder / "elsewhere")
    machine.esp.mkdir()
    backend = machine.backend()
    assert "is it mounted?" in str(error_of(machine))
    assert not backend.status("a").has_entry
    assert (backend.primary(), backend.fallback(), backend.pinned()) == ("", "", "")
    with pytest.raises(BootloaderError) as caught:
        backend.disarm("b")
    assert caught.value.name is ErrorName.STORAGE_FAILED


@pytest.fixture
def small_esp(machine: SystemdBootMachine) -> Iterator[SystemdBootMachine]:
    """The ESP is a file system of its own, with little room."""
    kept = machine.folder / "kept"
    machine.esp.rename(kept)
    machine.esp.mkdir()
    mount = ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=64k", "esp", str(machine.esp)]
    subprocess.run(mount, check=True)
    subprocess.run(["/usr/bin/cp", "-a", f"{kept}/.", machine.esp], check=True)
    yield machine
    subprocess.run(["/usr/bin/umount", machine.esp], check=True)


def test_full_esp_is_no_space_and_the_fallback_stays(small_esp: SystemdBootMachine) -> None:
    before = small_esp.state_of("a")
    backend = small_esp.backend()
    filler = small_esp.esp / "filler"
    with pytest.raises(OSError), filler.open("wb") as file:  # noqa: PT011 -- ENOSPC has no class
        file.write(bytes(1 << 20))
    with pytest.raises(BootloaderError) as caught:
        backend.arm("b", 3, Entry(frozenset({BootFileKind.LINUX}), "slot=b"))
    assert caught.value.name is ErrorName.NO_SPACE
    assert small_esp.state_of("a") == before
    assert not backend.status("b").has_entry
    assert small_esp.power_on() == "a"


def test_full_esp_still_marks_a_slot_good(small_esp: SystemdBootMachine) -> None:
    install(small_esp)
    assert small_esp.power_on() == "b"
    filler = small_esp.esp / "filler"
    with pytest.raises(OSError), filler.open("wb") as file:  # noqa: PT011 -- ENOSPC has no class
        file.write(bytes(1 << 20))
    small_esp.backend().mark_good("b")
    assert small_esp.backend().status("b").assessment is Assessment.GOOD


def test_read_only_esp_is_told_and_read(small_esp: SystemdBootMachine) -> None:
    subprocess.run(["/usr/bin/mount", "-o", "remount,ro", small_esp.esp], check=True)
    assert "read-only" in str(error_of(small_esp))
    backend = small_esp.backend()
    assert backend.status("a").assessment is Assessment.GOOD
    with pytest.raises(BootloaderError) as caught:
        backend.mark_bad("a")
    assert caught.value.name is ErrorName.STORAGE_FAILED
    assert "Read-only file system" in str(caught.value)
    assert backend.status("a").assessment is Assessment.GOOD

# SPDX-License-Identifier: Apache-2.0
"""The contract of bootloader/backend.py, held by every back end that the registry knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bootloader import backends
from bootloader.backend import Backend, Entry, Setup
from bootloader.durable import Files
from bootloader.errors import BootloaderError, ConfigError, ErrorName
from bootloader.slot import Assessment, BootFileKind
from bootloader.tables import Section
from tests.unit.bootloader.machine_grub import GrubMachine
from tests.unit.bootloader.machine_uboot import UBootMachine
from tests.unit.bootloader.machines import (
    MACHINES,
    SLOTS,
    Cut,
    CutFiles,
    LoaderMachine,
    PowerCut,
    break_below,
    leave_no_descriptors,
)

ENTRY = Entry(frozenset({BootFileKind.LINUX}), "slot=b")
NEW_KERNEL = b"kernel b"
POWER_ONS = 12
MOST_WRITES = 40
ALL_MACHINES = MACHINES | {"grub": GrubMachine, "u-boot": UBootMachine}


@pytest.fixture(params=sorted(backends.known()))
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> LoaderMachine:
    return ALL_MACHINES[request.param](tmp_path)


def stage(backend: Backend, slot: str = "b") -> None:
    path = backend.boot_folder(slot) / BootFileKind.LINUX
    backend.setup.files.replace(path, NEW_KERNEL)


def install(machine: LoaderMachine, files: Files | None = None, tries: int = 3) -> None:
    backend = machine.backend(files)
    backend.disarm("b")
    stage(backend)
    backend.arm("b", tries, ENTRY)


def test_fresh_machine_has_a_good_slot_and_no_other(machine: LoaderMachine) -> None:
    backend = machine.backend()
    assert backend.booted() == "a"
    assert backend.primary() == "a"
    assert backend.fallback() == ""
    assert backend.pinned() == ""
    assert backend.pinned_slots() == set()
    assert backend.status("a").assessment is Assessment.GOOD
    assert backend.status("a").tries_left is None
    assert not backend.status("b").has_entry


def test_arm_makes_the_slot_primary_and_keeps_the_fallback(machine: LoaderMachine) -> None:
    install(machine)
    backend = machine.backend()
    assert backend.primary() == "b"
    assert backend.fallback() == "a"
    status = backend.status("b")
    assert (status.assessment, status.tries_left, status.tries_done) == (
        Assessment.INDETERMINATE,
        3,
        0,
    )


@pytest.mark.parametrize("tries", [1, 3, 9])
def test_power_on_counts_down_and_then_falls_back(machine: LoaderMachine, tries: int) -> None:
    install(machine, tries=tries)
    for done in range(1, tries + 1):
        assert machine.power_on() == "b"
        status = machine.backend().status("b")
        assert (status.tries_left, status.tries_done) == (tries - done, done)
    assert machine.backend().status("b").assessment is Assessment.BAD
    assert machine.power_on() == "a"
    assert machine.backend().booted() == "a"
    assert machine.backend().primary() == "a"
    assert machine.backend().fallback() == ""


def test_mark_good_ends_the_counting(machine: LoaderMachine) -> None:
    install(machine)
    machine.power_on()
    machine.backend().mark_good("b")
    assert machine.backend().status("b").assessment is Assessment.GOOD
    assert machine.backend().fallback() == "a"
    assert [machine.power_on() for _ in range(POWER_ONS)] == ["b"] * POWER_ONS


def test_mark_good_twice_changes_nothing(machine: LoaderMachine) -> None:
    install(machine)
    machine.power_on()
    machine.backend().mark_good("b")
    before = machine.state_of("b")
    machine.backend(CutFiles(0, Cut.OLD)).mark_good("b")
    assert machine.state_of("b") == before


def test_mark_good_on_the_last_try_keeps_the_slot(machine: LoaderMachine) -> None:
    install(machine, tries=1)
    machine.power_on()
    machine.backend().mark_good("b")
    assert machine.power_on() == "b"


def test_mark_bad_of_a_good_slot_goes_back(machine: LoaderMachine) -> None:
    install(machine)
    machine.power_on()
    machine.backend().mark_good("b")
    machine.backend().mark_bad("b")
    assert machine.backend().status("b").assessment is Assessment.BAD
    assert machine.power_on() == "a"


def test_last_resort_is_a_slot_without_tries(machine: LoaderMachine) -> None:
    machine.backend().mark_bad("a")
    assert machine.backend().primary() == "a"
    assert [machine.power_on() for _ in range(3)] == ["a"] * 3


def test_disarm_leaves_nothing_bootable(machine: LoaderMachine) -> None:
    install(machine)
    machine.backend().mark_bad("a")
    machine.backend().disarm("b")
    assert not machine.backend().status("b").has_entry
    folder = machine.backend().boot_folder("b")
    assert not folder.exists() or not any(folder.iterdir())
    assert machine.power_on() == "a"


def test_disarm_removes_what_a_power_cut_left_of_staging(machine: LoaderMachine) -> None:
    with pytest.raises(PowerCut):
        stage(machine.backend(CutFiles(0, Cut.TORN)))
    machine.backend().disarm("b")
    assert not any(machine.backend().boot_folder("b").iterdir())


def test_disarm_twice_is_fine(machine: LoaderMachine) -> None:
    machine.backend().disarm("b")
    machine.backend().disarm("b")
    assert machine.power_on() == "a"


def test_boot_files_without_an_entry_are_never_booted(machine: LoaderMachine) -> None:
    machine.backend().disarm("a")
    stage(machine.backend())
    assert machine.power_on() is None


def test_entry_without_its_boot_files_is_never_booted(machine: LoaderMachine) -> None:
    install(machine)
    (machine.backend().boot_folder("b") / BootFileKind.LINUX).unlink()
    assert machine.backend().primary() == "a"
    assert machine.power_on() == "a"


def test_pinned_default_is_told(machine: LoaderMachine) -> None:
    machine.pin("a")
    assert machine.backend().pinned()
    assert machine.backend().pinned_slots() == {"a"}


def test_unreadable_state_boots_what_has_boot_files(machine: LoaderMachine) -> None:
    machine.ruin()
    assert machine.power_on() == "a"
    assert machine.backend().status("a").assessment is Assessment.INDETERMINATE
    machine.backend().mark_good("a")
    assert machine.backend().status("a").assessment is Assessment.GOOD
    assert machine.power_on() == "a"


@pytest.mark.parametrize("machine", sorted(set(backends.known()) - {"simulated"}), indirect=True)
def test_partition_that_fails_is_told_as_storage_that_failed(
    machine: LoaderMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = machine.backend().partition()
    assert partition is not None
    break_below(partition, monkeypatch)
    assert machine.backend().primary() == ""
    assert machine.backend().fallback() == ""
    for call in (machine.backend().check, lambda: machine.backend().disarm("b")):
        with pytest.raises(BootloaderError, match="Input/output error") as caught:
            call()
        assert caught.value.name is ErrorName.STORAGE_FAILED


@pytest.mark.parametrize("machine", sorted(set(backends.known()) - {"simulated"}), indirect=True)
def test_entry_that_cannot_be_read_is_an_error_to_who_asks_strictly(
    machine: LoaderMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(machine)
    backend = machine.backend()
    before = [backend.status(slot) for slot in SLOTS]
    strict = backend.strictly()
    assert [strict.status(slot) for slot in SLOTS] == before
    assert (strict.primary(), strict.fallback()) == (backend.primary(), backend.fallback())
    leave_no_descriptors(monkeypatch)
    assert backend.status("a").assessment is Assessment.INDETERMINATE
    for ask in (lambda: strict.status("b"), strict.primary, strict.fallback):
        with pytest.raises(BootloaderError, match="Too many open files") as caught:
            ask()
        assert caught.value.name is ErrorName.STORAGE_FAILED


def test_no_operation_touches_the_other_slot(machine: LoaderMachine) -> None:
    before = machine.state_of("a")
    install(machine)
    assert machine.power_on() == "b"
    machine.backend().mark_good("b")
    machine.backend().mark_bad("b")
    machine.backend().disarm("b")
    assert machine.state_of("a") == before


def cut_everywhere(
    folder: Path, kind: type[LoaderMachine], how: Cut, do: Callable[[LoaderMachine, Files], None]
) -> list[LoaderMachine]:
    """The machines that a power cut at each of the writes of `do` leaves behind."""
    left = []
    for at in range(MOST_WRITES):
        place = folder / f"{how}-{at}"
        place.mkdir()
        machine = kind(place)
        try:
            do(machine, CutFiles(at, how))
        except PowerCut:
            left.append(machine)
        else:
            return left
    raise AssertionError("it never ends")


@pytest.mark.parametrize("how", Cut)
def test_power_cut_during_an_install_never_loses_the_fallback(
    machine: LoaderMachine, tmp_path: Path, how: Cut
) -> None:
    kind = type(machine)

    def reinstall(target: LoaderMachine, files: Files) -> None:
        install(target)  # an older image stands on b, with tries left
        before = target.state_of("a")
        try:
            install(target, files)
        finally:
            assert target.state_of("a") == before

    machines = cut_everywhere(tmp_path, kind, how, reinstall)
    assert len(machines) >= 4  # entry away, boot file away, boot file in, entry in
    for left in machines:
        booted = [left.power_on() for _ in range(POWER_ONS)]
        assert booted[-1] == "a"
        assert None not in booted


@pytest.mark.parametrize("how", Cut)
def test_power_cut_after_disarm_never_boots_the_slot_under_write(
    machine: LoaderMachine, tmp_path: Path, how: Cut
) -> None:
    def after_disarm(target: LoaderMachine, files: Files) -> None:
        install(target)
        target.backend().disarm("b")
        stage(target.backend(files))

    for left in cut_everywhere(tmp_path, type(machine), how, after_disarm):
        assert {left.power_on() for _ in range(POWER_ONS)} == {"a"}


@pytest.mark.parametrize("how", Cut)
def test_power_cut_while_counting_or_marking_leaves_a_bootable_slot(
    machine: LoaderMachine, tmp_path: Path, how: Cut
) -> None:
    def mark(target: LoaderMachine, files: Files) -> None:
        install(target)
        target.power_on()
        target.backend(files).mark_good("b")

    for left in cut_everywhere(tmp_path, type(machine), how, mark):
        assert left.power_on() in SLOTS
        assert left.backend().status("a").assessment is Assessment.GOOD


def test_create_with_an_unknown_name_says_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="simulated"):
        backends.create("os", Setup(SLOTS, tmp_path), Section({}, "file [os]"))


def test_two_back_ends_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="simulated"):

        class _Second(Backend, name="simulated"):
            pass

# SPDX-License-Identifier: Apache-2.0
"""Boot control over systemd-boot: whole updates, and ESPs and variables that stand in the way."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bootloader import claim
from bootloader.caller import Caller
from bootloader.slot import Assessment
from tests.unit.bootloader import loader_model
from tests.unit.bootloader.conftest import LINUX, Desk
from tests.unit.bootloader.machines import (
    SystemdBootMachine,
    break_below,
    leave_no_descriptors,
)
from tests.unit.bootloader.signing import Publisher, boot_file
from tests.unit.bootloader.slots import PlainSlots

PARTUUID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(claim, "WAIT_S", 0.1)
    publisher = Publisher()
    (tmp_path / "root.json").write_bytes(publisher.root())
    (tmp_path / "os-release").write_text("IMAGE_ID=edge\nIMAGE_VERSION=13.0\n")
    machine = tmp_path / "machine"
    machine.mkdir()
    slots = PlainSlots(tmp_path)
    slots.root_ids = {"a": "0" + PARTUUID[1:], "b": PARTUUID}
    return Desk(tmp_path, SystemdBootMachine(machine), slots, publisher)


def esp(node: Desk) -> Path:
    assert isinstance(node.machine, SystemdBootMachine)
    return node.machine.esp


def statuses(node: Desk) -> list[Assessment]:
    return [slot.status.assessment for slot in node.control.slots()]


def test_update_and_the_next_one_back(node: Desk) -> None:
    node.install()
    first = loader_model.read_entries(esp(node))[0]
    assert first.options == f"root=PARTUUID={PARTUUID} puad.slot=b"
    assert node.reboot() == "b"
    node.machine.complete_boot()
    node.control.mark_good("b")
    assert statuses(node) == [Assessment.GOOD, Assessment.GOOD]
    assert [node.reboot() for _ in range(10)] == ["b"] * 10  # quick power cycles cost nothing
    assert statuses(node) == [Assessment.GOOD, Assessment.GOOD]
    node.control.disarm("a")
    assert node.reboot() == "b"


def test_uki_that_fixes_its_root_keeps_its_own_command_line(node: Desk) -> None:
    node.control.disarm("b")
    node.write()
    node.stage(kind="uki")
    chain = node.chain(boot_files=[boot_file("uki", LINUX)], root_partuuid=PARTUUID)
    node.control.seal("b", chain)
    node.control.arm("b", 3)
    first = loader_model.read_entries(esp(node))[0]
    assert (first.keys["efi"], first.options) == ("/puad/b/uki", "")
    assert node.reboot() == "b"


def test_uki_without_a_root_gets_one(node: Desk) -> None:
    node.control.disarm("b")
    node.write()
    node.stage(kind="uki")
    node.control.seal("b", node.chain(boot_files=[boot_file("uki", LINUX)]))
    node.control.arm("b", 3)
    assert PARTUUID in loader_model.read_entries(esp(node))[0].options


def test_missing_esp_lets_the_service_come_up_and_say_so(
    node: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    esp(node).rename(node.folder / "unplugged")
    esp(node).mkdir()
    with caplog.at_level(logging.ERROR):
        node.start_service()
    assert "is it mounted?" in caplog.text
    assert node.control.booted == "a"
    assert statuses(node) == [Assessment.INDETERMINATE, Assessment.INDETERMINATE]
    assert node.refusal(node.control.disarm, "b") == "StorageFailed"
    assert node.refusal(node.control.arm, "b", 3) == "StorageFailed"
    esp(node).rmdir()
    (node.folder / "unplugged").rename(esp(node))  # it was mounted late
    node.install()
    assert node.reboot() == "b"


def test_esp_that_fails_leaves_a_service_that_says_so(
    node: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    break_below(esp(node), monkeypatch)
    node.start_service()
    assert "the boot loader's state cannot be changed: storage failed" in caplog.text
    assert node.control.booted == "a"
    for method in (node.control.disarm, node.control.open_inactive):
        assert node.refusal(method, "b") == "StorageFailed"


def test_entry_that_cannot_be_read_lets_nobody_replace_the_boot_files(
    node: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.install()
    node.control._armed = ""  # another process has armed it
    before = node.machine.state_of("b")
    with monkeypatch.context() as lost:
        leave_no_descriptors(lost)
        # as it is while descriptors come and go: the booted slot could still be read
        lost.setattr(node.control, "_require_changeable", lambda _: node.access)
        assert node.refusal(node.control.open_inactive, "b") == "StorageFailed"
        assert node.refusal(node.control.stage, "b", "linux", 0, 1, "0" * 64) == "StorageFailed"
    assert node.machine.state_of("b") == before


def test_entry_that_cannot_be_read_is_no_reason_to_reboot_or_to_go_back(
    node: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(node.control._machine, "request_reboot", asked.append)
    monkeypatch.setattr(node.control, "_find_fallback", lambda _: "b")
    node.machine.complete_boot()
    with monkeypatch.context() as lost:
        leave_no_descriptors(lost)
        for caller in (Caller.AGENT, Caller.HEALTH):
            assert node.refusal(node.control.request_reboot, "why", caller) == "StorageFailed"
        assert node.refusal(node.control.mark_bad, "a") == "StorageFailed"
    assert asked == []
    assert statuses(node)[0] is Assessment.GOOD


def test_pinned_default_refuses_the_arm_and_changes_nothing(node: Desk) -> None:
    node.machine.pin("a")
    node.prepare()
    node.control.seal("b", node.chain())
    assert node.refusal(node.control.arm, "b", 3) == "Pinned"
    assert not node.control.backend.status("b").has_entry
    assert node.reboot() == "a"


def test_boot_loader_that_started_another_slot_is_a_disagreement(node: Desk) -> None:
    assert isinstance(node.machine, SystemdBootMachine)
    loader_model.write_variable(node.machine.efivars, "LoaderEntrySelected", "puad-b+2-1.conf")
    node.start_service()
    assert node.refusal(node.control.disarm, "b") == "Disagreement"
    assert node.control.booted == ""


def test_failed_boot_that_was_not_counted_is_given_up_before_the_health_user_reboots(
    node: Desk,
) -> None:
    node.install()
    assert node.reboot() == "b"
    entries = esp(node) / "loader/entries"
    node.control.request_reboot("it is counted", Caller.HEALTH)
    assert statuses(node) == [Assessment.GOOD, Assessment.INDETERMINATE]
    (entries / "puad-b+2-1.conf").rename(entries / "puad-b+3.conf")  # as firmware left it
    node.control.request_reboot("the verdict is bad", Caller.HEALTH)
    assert statuses(node) == [Assessment.GOOD, Assessment.BAD]
    assert node.reboot() == "a"


def test_counters_at_zero_on_both_slots_leave_everything_as_it_is(node: Desk) -> None:
    node.install(tries=1)
    assert node.reboot() == "b"
    node.machine.backend().mark_bad("a")
    before = [node.machine.state_of(slot) for slot in ("a", "b")]
    assert node.refusal(node.control.disarm, "a") == "ActiveNotGood"
    node.machine.complete_boot()
    assert node.refusal(node.control.mark_bad, "b") == "NoFallback"
    assert [node.machine.state_of(slot) for slot in ("a", "b")] == before
    node.control.mark_good("b")  # the one way out: this boot is good after all
    assert node.reboot() == "b"

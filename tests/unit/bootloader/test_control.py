# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bootloader.caller import Caller
from bootloader.durable import Files
from bootloader.errors import BootloaderError, ErrorName
from bootloader.slot import Assessment, BootStatus, Slot, SlotState
from bootloader.staging import check_incoming, stage
from tests.unit.bootloader.conftest import Desk
from tests.unit.bootloader.machines import Cut, CutFiles, FirmwareMachine, PowerCut
from tests.unit.bootloader.slots import SLOT_BYTES, PlainSlots

PARTUUID = "11111111-2222-3333-4444-555555555555"


def slot(desk: Desk, name: str) -> Slot:
    return next(slot for slot in desk.control.slots() if slot.name == name)


def test_slots_of_a_fresh_node(desk: Desk) -> None:
    a, b = desk.control.slots()
    assert (a.name, a.state, a.image_id, a.profile) == ("a", SlotState.BOOTED, "13.0", "edge")
    assert (b.name, b.state, b.image_id, b.profile) == ("b", SlotState.INACTIVE, "", "")
    assert b.size_bytes == SLOT_BYTES
    assert desk.control.host_uuid() == "uuid"


def test_update_reaches_good_and_raises_the_floor(desk: Desk) -> None:
    desk.install(min_version="13.0.5")
    assert desk.control.backend.primary() == "b"
    assert desk.reboot() == "b"
    assert slot(desk, "b").status.assessment is Assessment.INDETERMINATE
    desk.machine.complete_boot()
    desk.control.mark_good("b")
    desk.control.mark_good("b")
    assert slot(desk, "b").status.assessment is Assessment.GOOD
    assert desk.control._notebook.read().version_floor == "13.0.5"
    assert slot(desk, "b").image_id == "13.1"


def test_booted_slot_has_the_image_that_was_sealed_not_the_one_that_runs(desk: Desk) -> None:
    desk.install()
    assert desk.reboot() == "b"
    (desk.folder / "os-release").write_text("IMAGE_ID=other\n")
    desk.start_service()
    assert (slot(desk, "b").image_id, slot(desk, "b").profile) == ("13.1", "edge")
    assert (slot(desk, "a").image_id, slot(desk, "a").profile) == ("", "")


def test_arm_renders_the_command_line_from_the_template(desk: Desk) -> None:
    desk.access.root_ids["b"] = PARTUUID
    desk.install()
    word = f"root=PARTUUID={PARTUUID} puad.slot=b"
    assert isinstance(desk.machine, FirmwareMachine)
    assert word.encode() in desk.machine.firmware.read_bytes()


@pytest.mark.parametrize("method", ["disarm", "open_inactive", "arm", "seal", "set_root_id"])
def test_booted_slot_is_refused(desk: Desk, method: str) -> None:
    before = desk.machine.state_of("a")
    more = {"arm": (3,), "seal": (desk.chain(),), "set_root_id": (PARTUUID,)}.get(method, ())
    assert desk.refusal(getattr(desk.control, method), "a", *more) == "SlotBooted"
    assert desk.refusal(desk.control.stage, "a", "uki", 0, 1, "0" * 64) == "SlotBooted"
    assert desk.machine.state_of("a") == before


@pytest.mark.parametrize("method", ["disarm", "open_inactive", "mark_good", "mark_bad"])
def test_unknown_slot_is_refused(desk: Desk, method: str) -> None:
    assert desk.refusal(getattr(desk.control, method), "c" * 1000) == "UnknownSlot"


def test_fallback_is_untouchable_while_the_booted_slot_is_not_good(desk: Desk) -> None:
    desk.install()
    assert desk.reboot() == "b"
    before = desk.machine.state_of("a")
    control = desk.control
    assert desk.refusal(control.disarm, "a") == "ActiveNotGood"
    assert desk.refusal(control.open_inactive, "a") == "ActiveNotGood"
    assert desk.refusal(control.seal, "a", desk.chain()) == "ActiveNotGood"
    assert desk.refusal(control.arm, "a", 3) == "ActiveNotGood"
    assert desk.refusal(control.set_root_id, "a", PARTUUID) == "ActiveNotGood"
    assert desk.refusal(control.stage, "a", "uki", 0, 1, "0" * 64) == "ActiveNotGood"
    assert desk.machine.state_of("a") == before


def test_open_inactive_needs_a_disarmed_slot(desk: Desk) -> None:
    desk.install()
    assert desk.refusal(desk.control.open_inactive, "b") == "NotDisarmed"
    assert desk.control.backend.primary() == "b"


def test_open_inactive_needs_the_boot_files_gone(desk: Desk) -> None:
    desk.prepare()
    assert desk.refusal(desk.control.open_inactive, "b") == "NotDisarmed"


def test_slot_that_this_service_has_armed_is_no_disarmed_one_whatever_can_be_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.install()
    before = desk.machine.state_of("b")
    read = {"a": BootStatus(has_entry=True, assessment=Assessment.GOOD), "b": BootStatus()}
    with monkeypatch.context() as lost:
        lost.setattr(type(desk.control.backend), "status", lambda _, slot: read[slot])
        assert desk.refusal(desk.stage, b"another kernel") == "NotDisarmed"
        assert desk.refusal(desk.control.open_inactive, "b") == "NotDisarmed"
    assert desk.machine.state_of("b") == before
    desk.control.disarm("b")
    desk.write()


def test_arm_that_fails_halfway_leaves_no_slot_to_stage_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BootloaderError(ErrorName.STORAGE_FAILED, "the disk is gone")

    desk.prepare()
    desk.control.seal("b", desk.chain())
    monkeypatch.setattr(desk.control.backend, "arm", fail)
    assert desk.refusal(desk.control.arm, "b", 3) == "StorageFailed"
    assert desk.refusal(desk.stage, b"another kernel") == "NotDisarmed"
    desk.control.disarm("b")
    desk.stage()


def test_open_inactive_twice_is_busy(desk: Desk) -> None:
    desk.control.disarm("b")
    fd = desk.control.open_inactive("b")
    assert desk.refusal(desk.control.open_inactive, "b") == "Busy"
    os.close(fd)


def test_open_active_reads_and_cannot_write(desk: Desk) -> None:
    fd = desk.control.open_active()
    assert os.pread(fd, 4, 0) == bytes(4)
    with pytest.raises(OSError) as caught:  # noqa: PT011 -- its number is checked
        os.pwrite(fd, b"x", 0)
    assert caught.value.errno == errno.EBADF
    os.close(fd)


def test_disarm_breaks_the_seal_and_forgets_the_image(desk: Desk) -> None:
    desk.prepare()
    desk.control.seal("b", desk.chain())
    assert slot(desk, "b").sealed
    assert (slot(desk, "b").image_id, slot(desk, "b").profile) == ("13.1", "edge")
    desk.control.disarm("b")
    assert not slot(desk, "b").sealed
    assert (slot(desk, "b").image_id, slot(desk, "b").profile) == ("", "")
    assert desk.refusal(desk.control.arm, "b", 3) == "NotSealed"
    desk.write()


def test_stage_breaks_the_seal(desk: Desk) -> None:
    desk.prepare()
    desk.control.seal("b", desk.chain())
    desk.stage(b"another kernel")
    assert desk.refusal(desk.control.arm, "b", 3) == "NotSealed"


def test_open_inactive_breaks_the_seal(desk: Desk) -> None:
    desk.control.disarm("b")
    desk.write()
    desk.control.seal("b", desk.chain(boot_files=[]))
    desk.write(b"other bytes")
    assert not slot(desk, "b").sealed
    assert desk.refusal(desk.control.arm, "b", 3) == "NotSealed"


def test_seal_does_not_outlive_the_service(desk: Desk) -> None:
    desk.prepare()
    desk.control.seal("b", desk.chain())
    desk.control._seals.drop("b")  # the kernel closes a dead process's descriptors
    desk.start_service()
    assert desk.refusal(desk.control.arm, "b", 3) == "NotSealed"
    assert slot(desk, "b").image_id == "13.1"
    desk.control.seal("b", desk.chain())
    desk.control.arm("b", 3)


def test_seal_is_broken_by_a_writer(desk: Desk) -> None:
    desk.prepare()
    desk.control.seal("b", desk.chain())
    with pytest.raises(BlockingIOError):
        os.open(desk.access.path("b"), os.O_WRONLY | os.O_NONBLOCK)
    assert desk.refusal(desk.control.arm, "b", 3) == "NotSealed"
    desk.control.drop_broken_seals()
    fd = os.open(desk.access.path("b"), os.O_WRONLY | os.O_NONBLOCK)
    os.close(fd)


def test_seal_of_an_armed_slot_is_refused(desk: Desk) -> None:
    desk.install()
    assert desk.refusal(desk.control.seal, "b", desk.chain()) == "NotDisarmed"
    assert desk.refusal(desk.control.set_root_id, "b", PARTUUID) == "NotDisarmed"
    desk.control.arm("b", 2)
    assert slot(desk, "b").status.tries_left == 2


@pytest.mark.parametrize("tries", [0, 10, 4_294_967_295])
def test_arm_with_wrong_tries_is_refused(desk: Desk, tries: int) -> None:
    desk.prepare()
    desk.control.seal("b", desk.chain())
    assert desk.refusal(desk.control.arm, "b", tries) == "InvalidTries"


def test_arm_without_a_seal_is_refused(desk: Desk) -> None:
    desk.prepare()
    assert desk.refusal(desk.control.arm, "b", 3) == "NotSealed"
    assert desk.control.backend.primary() == "a"


def test_arm_with_a_pinned_default_is_refused(desk: Desk) -> None:
    desk.prepare()
    desk.control.seal("b", desk.chain())
    desk.machine.pin("a")
    assert desk.refusal(desk.control.arm, "b", 3) == "Pinned"


def test_arm_needs_the_partition_id_of_the_image(desk: Desk) -> None:
    desk.prepare()
    desk.control.seal("b", desk.chain(root_partuuid=PARTUUID))
    assert desk.refusal(desk.control.arm, "b", 3) == "RootIdMismatch"
    desk.control.set_root_id("b", PARTUUID)
    desk.control.arm("b", 3)


def test_set_root_id_checks_form_and_uniqueness(desk: Desk) -> None:
    assert desk.refusal(desk.control.set_root_id, "b", "x") == "InvalidArgument"
    desk.access.root_ids["a"] = PARTUUID
    assert desk.refusal(desk.control.set_root_id, "b", PARTUUID) == "RootIdTaken"


def test_disagreement_with_the_boot_loader_stops_everything(desk: Desk) -> None:
    desk.start_service(access=PlainSlots(desk.folder, booted="b"))
    control = desk.control
    assert control.booted == ""
    assert control.slots() == ()
    assert control.host_uuid() == ""
    assert desk.refusal(control.disarm, "a") == "Disagreement"
    assert desk.refusal(control.open_active) == "Disagreement"
    assert desk.refusal(control.mark_good, "b") == "Disagreement"
    assert desk.refusal(control.request_reboot, "why not") == "Disagreement"


def test_missing_os_release_stops_everything(desk: Desk) -> None:
    (desk.folder / "os-release").unlink()
    desk.start_service()
    assert desk.refusal(desk.control.disarm, "b") == "StorageFailed"


def test_agent_gets_no_reboot_that_leads_here_again(desk: Desk) -> None:
    reboot = desk.control.request_reboot
    assert desk.refusal(reboot, "why") == "RebootNotNeeded"
    assert desk.refusal(reboot, "why", Caller.HEALTH) == "NotAllowed"
    desk.prepare()
    desk.control.seal("b", desk.chain())
    assert desk.refusal(reboot, "why") == "RebootNotNeeded"
    assert not (desk.machine.run / "reboot").exists()
    desk.control.arm("b", 3)
    reboot("update")
    assert (desk.machine.run / "reboot").read_text() == "update\n"


def test_agent_gets_a_reboot_of_a_slot_that_is_not_good(desk: Desk) -> None:
    desk.install()
    desk.reboot()
    desk.control.request_reboot("it is not good yet")
    desk.machine.complete_boot()
    desk.control.mark_good("b")
    assert desk.refusal(desk.control.request_reboot, "why") == "RebootNotNeeded"
    desk.control.mark_bad("b")
    desk.control.request_reboot("rollback")


def test_boot_loader_that_cannot_be_read_is_no_reason_to_reboot(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BootloaderError(ErrorName.STORAGE_FAILED, "too many open files")

    monkeypatch.setattr(type(desk.control.backend), "status", fail)
    for caller in (Caller.AGENT, Caller.HEALTH):
        assert desk.refusal(desk.control.request_reboot, "why", caller) == "StorageFailed"
    desk.control.request_reboot("a person wants it", Caller.ROOT)


def test_request_reboot_leaves_the_reason(desk: Desk) -> None:
    desk.control.request_reboot("update to 13.1", Caller.ROOT)
    assert (desk.machine.run / "reboot").read_text() == "update to 13.1\n"


@pytest.mark.parametrize(
    ("reason", "left"),
    [
        ("", "no reason given"),
        ("\n\x1b", "no reason given"),
        ("x" * 200, "x" * 200),
        ("x" * 525, "x" * 199 + "…"),
        ("x " * 525, "x " * 99 + "x…"),
        ("x" + " " * 9999 + "y", "x…"),
        ("two\n lines\t", "two lines"),
        ("\x1b[2J\udcff", "[2J"),
    ],
)
def test_request_reboot_is_never_refused_over_its_reason(
    desk: Desk, reason: str, left: str
) -> None:
    desk.control.request_reboot(reason, Caller.ROOT)
    assert (desk.machine.run / "reboot").read_text() == f"{left}\n"


def test_overdue_reboot_disarms_what_was_armed(desk: Desk) -> None:
    desk.install()
    desk.control.reboot_overdue()
    assert not slot(desk, "b").status.has_entry
    assert desk.control.backend.primary() == "a"


def test_overdue_reboot_to_the_fallback_keeps_it(desk: Desk) -> None:
    desk.install()
    desk.reboot()
    desk.machine.complete_boot()
    desk.control.mark_good("b")
    desk.control.mark_bad("b")
    desk.control.reboot_overdue()
    assert desk.control.backend.primary() == "a"


@pytest.mark.parametrize("how", Cut)
def test_power_cut_at_any_write_of_an_update_keeps_the_node_bootable(desk: Desk, how: Cut) -> None:
    for at in range(40):
        desk.start_service(CutFiles(at, how))
        try:
            desk.install()
        except PowerCut:
            assert desk.reboot("13.0") in {"a", "b"}
            while desk.access.booted == "b":
                desk.reboot("13.0")
            assert slot(desk, "a").status.assessment is Assessment.GOOD
        else:
            break
    else:
        pytest.fail("it never ends")
    assert desk.reboot() == "b"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"size": 0}, "InvalidArgument"),
        ({"size": 1 << 40}, "InvalidArgument"),
        ({"size": 3}, "SizeMismatch"),
        ({"sha256": "0" * 64}, "HashMismatch"),
        ({"sha256": "0" * 63 + "G"}, "InvalidArgument"),
    ],
)
def test_stage_of_a_wrong_file_leaves_none(
    desk: Desk, changes: dict[str, object], name: str
) -> None:
    desk.control.disarm("b")
    assert desk.refusal(desk.stage, **changes) == name
    folder = desk.machine.backend().boot_folder("b")
    assert not folder.exists() or list(folder.iterdir()) == []


def test_stage_of_an_unknown_kind_is_refused(desk: Desk) -> None:
    desk.control.disarm("b")
    assert desk.refusal(desk.stage, kind="../linux") == "InvalidArgument"


def test_stage_from_a_pipe_is_refused(desk: Desk) -> None:
    desk.control.disarm("b")
    out, into = os.pipe()
    assert desk.refusal(desk.control.stage, "b", "uki", out, 1, "0" * 64) == "InvalidArgument"
    os.close(out)
    os.close(into)


def test_stage_from_a_descriptor_without_reading_is_refused(desk: Desk, tmp_path: Path) -> None:
    desk.control.disarm("b")
    fd = os.open(tmp_path / "given", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"x")
    assert desk.refusal(desk.control.stage, "b", "uki", fd, 1, "0" * 64) == "InvalidArgument"
    os.close(fd)


def test_stage_of_a_file_that_shrinks_meanwhile_leaves_none(desk: Desk) -> None:
    fd = os.memfd_create("linux")
    os.write(fd, b"kernel")
    incoming = check_incoming("linux", fd, 6, "0" * 64)
    os.truncate(fd, 3)
    folder = desk.folder / "boot"
    assert desk.refusal(stage, incoming, folder, [], Files()) == "SizeMismatch"
    assert list(folder.iterdir()) == []
    os.close(fd)


def test_stage_on_an_armed_slot_is_refused(desk: Desk) -> None:
    desk.install()
    assert desk.refusal(desk.stage) == "NotDisarmed"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"version_floor": null, "time_floor": "x", "sealed": {}}',
        (
            '{"version_floor": null, "time_floor": "2026-01-01T00:00:00Z", "sealed": {}, '
            '"root": {"version": 1e999, "sha256": "0"}}'
        ),
        "[" * 9999,
    ],
)
def test_notes_that_cannot_be_read_are_no_way_below_the_floor(desk: Desk, text: str) -> None:
    desk.prepare()
    (desk.folder / "state").mkdir(exist_ok=True)
    (desk.folder / "state/notes.json").write_text(text)
    assert desk.refusal(desk.control.seal, "b", desk.chain()) == "StorageFailed"
    assert [slot.image_id for slot in desk.control.slots()] == ["13.0", ""]
    desk.machine.complete_boot()
    assert desk.refusal(desk.control.mark_good, "a") == "StorageFailed"
    assert (desk.folder / "state/notes.json").read_text() == text

# SPDX-License-Identifier: Apache-2.0
"""The proxy of boot control against a real bus and an object with the real contract."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from puad import bootcontrol
from puad.bootcontrol import BUS_NAME, BootControl
from puad.core.errors import BootControlError, Code
from puad.core.model import Assessment, Slot, SlotState
from tests.integration.conftest import wait_until

pytestmark = pytest.mark.dbus

Start = Callable[[str, dict[str, Any]], Any]

SLOT_A = {
    "name": ["s", "a"],
    "state": ["s", "booted"],
    "assessment": ["s", "good"],
    "size": ["t", 1 << 33],
    "image-id": ["s", "13.1"],
    "profile": ["s", "edge"],
    "sealed": ["b", True],
}
SLOT_B = {
    "name": ["s", "b"],
    "state": ["s", "inactive"],
    "assessment": ["s", "indeterminate"],
    "tries-left": ["u", 2],
    "tries-done": ["u", 1],
    "size": ["t", 1 << 33],
    "image-id": ["s", ""],
    "sealed": ["b", False],
}
PROPERTIES = {
    "InterfaceVersion": ["u", 2],
    "Backend": ["s", "simulated"],
    "BootedSlot": ["s", "a"],
    "PrimarySlot": ["s", "b"],
    "FallbackSlot": ["s", "a"],
    "HostUuid": ["s", "2f7fcf2c-0cd2-4f01-9aa5-e2c5c5b4f0a1"],
    "Slots": ["aa{sv}", [SLOT_A, SLOT_B]],
}


@pytest.fixture
def control(system_bus: str) -> Iterator[BootControl]:
    proxy = BootControl(timeout_s=60, long_timeout_s=60)
    yield proxy
    proxy.close()


def open_descriptors_of(path: Path) -> int:
    entries = (entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    return sum(entry.readlink() == path for entry in entries)


def test_properties_of_a_running_service_are_read(control: BootControl, scripted: Start) -> None:
    scripted(BUS_NAME, {"properties": PROPERTIES})
    assert control.slots() == (
        Slot(
            "a", SlotState.BOOTED, Assessment.GOOD, None, None, 1 << 33, "13.1", "edge", sealed=True
        ),
        Slot("b", SlotState.INACTIVE, Assessment.INDETERMINATE, 2, 1, 1 << 33),
    )
    assert control.booted_slot() == "a"
    assert control.primary_slot() == "b"
    assert control.fallback_slot() == "a"
    assert control.host_uuid() == "2f7fcf2c-0cd2-4f01-9aa5-e2c5c5b4f0a1"
    assert control.backend() == "simulated"


@pytest.mark.parametrize(
    "broken",
    [{**SLOT_A, "state": ["s", "live"]}, {"state": ["s", "booted"], "assessment": ["s", "good"]}],
    ids=["unknown word", "no name"],
)
def test_slots_that_break_the_contract_are_refused(
    control: BootControl, scripted: Start, broken: dict[str, Any]
) -> None:
    scripted(BUS_NAME, {"properties": {"Slots": ["aa{sv}", [broken]]}})
    with pytest.raises(BootControlError, match="describes a slot wrongly") as caught:
        control.slots()
    assert caught.value.code is Code.BOOT_CONTROL_REFUSED


def test_slots_that_boot_control_does_not_know_are_an_error_that_says_why(
    control: BootControl, scripted: Start
) -> None:
    error = {"error": f"{BUS_NAME}.Error.Disagreement", "message": "2 partitions with a label"}
    no_slots = {"properties": {"Slots": ["aa{sv}", []]}, "methods": {"OpenActive": [error]}}
    scripted(BUS_NAME, no_slots)
    with pytest.raises(BootControlError, match="2 partitions with a label") as caught:
        control.slots()
    assert caught.value.code is Code.BOOT_CONTROL_REFUSED


def test_plain_calls_carry_their_arguments(control: BootControl, scripted: Start) -> None:
    service = scripted(BUS_NAME, {})
    control.disarm("b")
    control.set_root_id("b", "0f")
    control.arm("b", 3)
    control.mark_good("a")
    control.mark_bad("a")
    control.request_reboot("update to 13.2")
    assert [(call["method"], call["values"]) for call in service.calls()] == [
        ("Disarm", ["b"]),
        ("SetRootId", ["b", "0f"]),
        ("Arm", ["b", 3]),
        ("MarkGood", ["a"]),
        ("MarkBad", ["a"]),
        ("RequestReboot", ["update to 13.2"]),
    ]


def test_seal_passes_bytes_with_zeros_unchanged(control: BootControl, scripted: Start) -> None:
    service = scripted(BUS_NAME, {})
    control.seal("b", [b"\x00one", b"two\x00"], b"\xff\x00targets", "edge/13.2/image")
    control.seal("b", [], b"", "edge/13.2/image", b"\x00index")
    first, second = (call["values"] for call in service.calls("Seal"))
    assert [bytes(root) for root in first[1]] == [b"\x00one", b"two\x00"]
    assert bytes(first[2]) == b"\xff\x00targets"
    assert (first[0], first[3]) == ("b", "edge/13.2/image")
    assert first[4] == []
    assert second == ["b", [], [], "edge/13.2/image", list(b"\x00index")]


class EnoughError(Exception):
    pass


def test_disarm_waits_for_a_seal_that_was_left_behind(
    control: BootControl, scripted: Start, quick: None
) -> None:
    busy = {"error": "org.puad.Bootloader1.Error.Busy", "message": "a seal is at work"}
    free = {"method": "Disarm", "reply": [{"returns": ["()", []]}]}
    sealing = [{"after_ms": 500}, free, {"returns": ["()", []]}]
    methods = {"Seal": sealing, "Disarm": [busy]}
    service = scripted(BUS_NAME, {"methods": methods, "properties": {"SealProgress": ["t", 7]}})
    with pytest.raises(BootControlError, match="a seal is at work"):
        control.disarm("b")  # somebody else's is not waited for

    def stop(_done: int) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        control.seal("b", [], b"", "edge/13.2/image", progress=stop)
    control.disarm("b")
    assert len(service.calls("Disarm")) > 2


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootcontrol, "_GLANCE_S", 0.01)


def test_progress_of_a_seal_is_told_while_it_lasts(
    control: BootControl, scripted: Start, quick: None
) -> None:
    script = {"methods": {"Seal": [{"after_ms": 1000}, {"returns": ["()", []]}]}}
    scripted(BUS_NAME, {"properties": {"SealProgress": ["t", 5 << 32]}, **script})
    told: list[int] = []
    control.seal("b", [], b"", "edge/13.2/image", progress=told.append)
    assert set(told) == {5 << 32}


def test_progress_that_cannot_be_had_does_not_end_the_seal(
    control: BootControl, scripted: Start, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(BUS_NAME, {"methods": {"Seal": [{"after_ms": 1000}, {"returns": ["()", []]}]}})

    def fail(_name: str) -> int:
        raise BootControlError(Code.BOOT_CONTROL_REFUSED, "there is no such property")

    monkeypatch.setattr(control, "_property", fail)
    told: list[int] = []
    control.seal("b", [], b"", "edge/13.2/image", progress=told.append)
    assert set(told) == {0}


def test_seal_that_is_given_up_is_not_waited_for(
    control: BootControl, scripted: Start, quick: None
) -> None:
    properties = {"SealProgress": ["t", 7], "BootedSlot": ["s", "a"]}
    service = scripted(BUS_NAME, {"methods": {"Seal": [{"hang": True}]}, "properties": properties})

    def stop(done: int) -> None:
        if done == 7:
            raise EnoughError

    with pytest.raises(EnoughError):
        control.seal("b", [], b"", "edge/13.2/image", progress=stop)
    assert len(service.calls("Seal")) == 1
    assert control.booted_slot() == "a"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("seal")]


def test_open_inactive_returns_a_private_writable_descriptor(
    control: BootControl, scripted: Start, tmp_path: Path
) -> None:
    image = tmp_path / "slot"
    image.write_bytes(b"old image")
    scripted(BUS_NAME, {"methods": {"OpenInactive": [{"file": str(image), "writable": True}]}})
    descriptor = control.open_inactive("b")
    assert not os.get_inheritable(descriptor), "a probe or hook would inherit the slot"
    os.pwrite(descriptor, b"new", 0)
    os.close(descriptor)
    assert image.read_bytes() == b"new image"


def test_open_active_returns_a_descriptor_for_reading(
    control: BootControl, scripted: Start, tmp_path: Path
) -> None:
    image = tmp_path / "slot"
    image.write_bytes(b"image")
    scripted(BUS_NAME, {"methods": {"OpenActive": [{"file": str(image), "writable": False}]}})
    descriptor = control.open_active()
    assert os.pread(descriptor, 10, 0) == b"image"
    os.close(descriptor)


def test_an_answer_without_its_descriptor_is_refused(control: BootControl, scripted: Start) -> None:
    scripted(BUS_NAME, {"methods": {"OpenActive": [{"returns": ["(h)", [0]]}]}})
    with pytest.raises(BootControlError, match="sent no descriptor"):
        control.open_active()


def test_stage_passes_the_file_and_keeps_the_callers_descriptor(
    control: BootControl, scripted: Start, tmp_path: Path
) -> None:
    service = scripted(BUS_NAME, {})
    kernel = tmp_path / "linux"
    kernel.write_bytes(b"kernel")
    with kernel.open("rb") as file:
        control.stage("b", "linux", file.fileno(), 6, "ab" * 32)
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        assert os.read(file.fileno(), 10) == b"kernel"
    (call,) = service.calls("Stage")
    assert call["values"] == ["b", "linux", 0, 6, "ab" * 32]
    assert bytes.fromhex(call["files"][0]) == b"kernel"


def test_descriptors_do_not_leak_in_either_direction(
    control: BootControl, scripted: Start, tmp_path: Path
) -> None:
    image = tmp_path / "slot"
    image.write_bytes(b"image")
    refusal = {"error": f"{BUS_NAME}.Error.Busy", "message": "held"}
    scripted(
        BUS_NAME,
        {
            "methods": {
                "OpenActive": [{"file": str(image), "writable": False, "copies": 3}],
                "OpenInactive": [refusal],
                "Stage": [refusal],
            }
        },
    )

    def each_way_once() -> None:
        os.close(control.open_active())
        with pytest.raises(BootControlError):
            control.open_inactive("b")
        with image.open("rb") as file, pytest.raises(BootControlError):
            control.stage("b", "linux", file.fileno(), 5, "ab" * 32)

    for _ in range(20):
        each_way_once()
    assert open_descriptors_of(image) == 0


def test_an_absent_service_is_said_to_be_absent(control: BootControl) -> None:
    for call in (control.slots, control.open_active, lambda: control.arm("b", 3)):
        with pytest.raises(BootControlError) as caught:
            call()
        assert caught.value.code is Code.BOOT_CONTROL_ABSENT
        assert caught.value.transient


def test_an_absent_bus_is_said_to_be_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nothing")
    with pytest.raises(BootControlError) as caught:
        BootControl().slots()
    assert caught.value.code is Code.BOOT_CONTROL_ABSENT


def test_a_service_that_comes_back_is_found_again(control: BootControl, scripted: Start) -> None:
    service = scripted(BUS_NAME, {"properties": PROPERTIES})
    assert control.booted_slot() == "a"
    service.stop()
    with pytest.raises(BootControlError):
        control.booted_slot()
    scripted(BUS_NAME, {"properties": {**PROPERTIES, "BootedSlot": ["s", "b"]}})
    assert control.booted_slot() == "b"


def test_a_connection_that_was_closed_is_opened_again(
    control: BootControl, scripted: Start
) -> None:
    scripted(BUS_NAME, {"properties": PROPERTIES})
    assert control.booted_slot() == "a"
    assert control._bus
    connection = control._bus.con
    connection.close_sync(None)
    wait_until(connection.is_closed, "the end of the connection")
    assert control.booted_slot() == "a"


@pytest.mark.parametrize("member", ["Disarm", "OpenActive", "Seal"])
def test_a_hanging_service_is_given_up(system_bus: str, scripted: Start, member: str) -> None:
    scripted(BUS_NAME, {"methods": {member: [{"hang": True}]}})
    control = BootControl(timeout_s=1, long_timeout_s=1)
    calls: dict[str, Callable[[], object]] = {
        "Disarm": lambda: control.disarm("b"),
        "OpenActive": control.open_active,
        "Seal": lambda: control.seal("b", [], b"", "p"),
    }
    with pytest.raises(BootControlError, match=f"did not answer {member}") as caught:
        calls[member]()
    assert caught.value.code is Code.BOOT_CONTROL_TIMEOUT
    control.close()


def test_a_service_that_dies_during_a_call_is_a_timeout(
    control: BootControl, scripted: Start
) -> None:
    scripted(BUS_NAME, {"methods": {"Arm": [{"exit": True}]}})
    with pytest.raises(BootControlError) as caught:
        control.arm("b", 3)
    assert caught.value.code is Code.BOOT_CONTROL_TIMEOUT


@pytest.mark.parametrize(
    ("member", "word", "code"),
    [
        ("Disarm", "SlotBooted", Code.BOOT_CONTROL_REFUSED),
        ("Disarm", "ActiveNotGood", Code.BOOT_CONTROL_REFUSED),
        ("Disarm", "NotAllowed", Code.NOT_ALLOWED),
        ("OpenInactive", "NotDisarmed", Code.BOOT_CONTROL_REFUSED),
        ("OpenInactive", "Busy", Code.BOOT_CONTROL_BUSY),
        ("Stage", "NoSpace", Code.DISK_FULL),
        ("Stage", "HashMismatch", Code.SEAL_REFUSED),
        ("Stage", "SizeMismatch", Code.SEAL_REFUSED),
        ("Stage", "InvalidArgument", Code.BOOT_CONTROL_REFUSED),
        ("Seal", "SignatureInvalid", Code.SEAL_REFUSED),
        ("Seal", "Expired", Code.METADATA_EXPIRED),
        ("Seal", "TargetUnknown", Code.SEAL_REFUSED),
        ("Seal", "WrongProfile", Code.SEAL_REFUSED),
        ("Seal", "BelowFloor", Code.SEAL_REFUSED),
        ("Seal", "ImageMismatch", Code.SEAL_REFUSED),
        ("Seal", "BootFileMismatch", Code.SEAL_REFUSED),
        ("Seal", "Busy", Code.BOOT_CONTROL_BUSY),
        ("Seal", "StorageFailed", Code.SLOT_WRITE_FAILED),
        ("Arm", "NotSealed", Code.BOOT_CONTROL_BUSY),
        ("Arm", "Pinned", Code.ARM_REFUSED),
        ("Arm", "InvalidTries", Code.ARM_REFUSED),
        ("Arm", "RootIdMismatch", Code.ARM_REFUSED),
        ("Arm", "WordOfALaterService", Code.BOOT_CONTROL_REFUSED),
        ("Arm", "NotAllowed", Code.NOT_ALLOWED),
        ("SetRootId", "RootIdTaken", Code.BOOT_CONTROL_REFUSED),
        ("MarkGood", "BootNotComplete", Code.BOOT_CONTROL_REFUSED),
        ("MarkGood", "NotBooted", Code.BOOT_CONTROL_REFUSED),
        ("RequestReboot", "RebootFailed", Code.REBOOT_FAILED),
        ("RequestReboot", "RebootNotNeeded", Code.BOOT_CONTROL_REFUSED),
        ("RequestReboot", "NotSupported", Code.BOOT_CONTROL_REFUSED),
        ("MarkBad", "FallbackBelowFloor", Code.BELOW_FLOOR),
    ],
)
def test_each_refusal_keeps_its_word(
    control: BootControl, scripted: Start, tmp_path: Path, member: str, word: str, code: Code
) -> None:
    error = {"error": f"{BUS_NAME}.Error.{word}", "message": f"says {word}"}
    scripted(BUS_NAME, {"methods": {member: [error]}})
    file = os.open(tmp_path, os.O_RDONLY)
    calls: dict[str, Callable[[], object]] = {
        "Disarm": lambda: control.disarm("b"),
        "OpenInactive": lambda: control.open_inactive("b"),
        "Stage": lambda: control.stage("b", "uki", file, 1, "ab"),
        "Seal": lambda: control.seal("b", [], b"", "p"),
        "Arm": lambda: control.arm("b", 3),
        "SetRootId": lambda: control.set_root_id("b", "0f"),
        "MarkGood": lambda: control.mark_good("a"),
        "MarkBad": lambda: control.mark_bad("a"),
        "RequestReboot": lambda: control.request_reboot("why"),
    }
    with pytest.raises(BootControlError) as caught:
        calls[member]()
    os.close(file)
    assert caught.value.code is code
    assert caught.value.on == word
    assert str(caught.value) == f"Boot control refused {member}: says {word} ({word})"


def test_a_bus_that_denies_the_call_is_not_allowed(control: BootControl, scripted: Start) -> None:
    denied = {"error": "org.freedesktop.DBus.Error.AccessDenied", "message": "rejected"}
    scripted(BUS_NAME, {"methods": {"Arm": [denied]}})
    with pytest.raises(BootControlError) as caught:
        control.arm("b", 3)
    assert caught.value.code is Code.NOT_ALLOWED


def test_an_object_without_the_contract_is_refused(control: BootControl, system_bus: str) -> None:
    other = BootControl("org.freedesktop.DBus", timeout_s=60)
    with pytest.raises(BootControlError, match="has no Disarm") as caught:
        other.disarm("b")
    assert caught.value.code is Code.BOOT_CONTROL_REFUSED
    other.close()

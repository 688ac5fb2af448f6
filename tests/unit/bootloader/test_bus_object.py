# SPDX-License-Identifier: Apache-2.0
"""The exported object without a bus: in which order it speaks, and what it reads."""

from __future__ import annotations

import logging
import pwd
from pathlib import Path
from typing import Any

import pytest
from gi.repository import GLib

from bootloader.authorisation import Callers
from bootloader.backends.uboot import UBoot
from bootloader.bus_object import OBJECT_PATH, BusObject, _refuse
from bootloader.errors import BootloaderError, ErrorName
from bootloader.last_known import LastKnown
from bootloader.osrelease import OsRelease
from bootloader.properties import INTERFACE
from tests.unit.bootloader.conftest import Desk
from tests.unit.bootloader.machine_uboot import UBootMachine


class Ear:
    """The bus and a call on it; notes what is said to them."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.said = ""

    def register_object(self, *_: Any) -> None: ...

    def emit_signal(self, *arguments: Any) -> None:
        self.heard.append(arguments[3])

    def get_method_name(self) -> str:
        return "Seal"

    def return_value_with_unix_fd_list(self, *_: Any) -> None:
        self.heard.append("answer")

    def return_dbus_error(self, name: str, text: str) -> None:
        self.heard.append(name.rpartition(".")[2])
        self.said = text


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def published(desk: Desk, ear: Ear) -> BusObject:
    return BusObject(desk.control, ear, Callers("puad", "puad-health"), 1)


def test_long_call_is_answered_before_the_changes_are_told(
    desk: Desk, ear: Ear, published: BusObject
) -> None:
    desk.prepare()
    published._worked(ear, (None, None), None)
    desk.control.seal("b", desk.chain())
    published._worked(ear, (None, None), None)
    assert ear.heard == ["answer", "answer", "PropertiesChanged"]


def test_refusal_with_the_words_of_the_caller_is_one_line(
    ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    what = "there is no such slot"
    _refuse(ear, BootloaderError(ErrorName.UNKNOWN_SLOT, what, on="b)\nslot b is \ud800armed"))
    assert caplog.messages == [
        "Seal refused: UnknownSlot: there is no such slot (b) slot b is armed)"
    ]
    assert ear.said == "there is no such slot (b) slot b is armed)"


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(desk: Desk, clock: Clock) -> LastKnown:
    return LastKnown(desk.control, clock)


def test_properties_are_read_once_a_moment_whoever_asks(
    desk: Desk, published: BusObject, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    published._known = LastKnown(desk.control, clock)
    published._known.refresh()
    reads: list[str] = []
    primary = desk.control.backend.primary

    def counting() -> str:
        reads.append("primary")
        return primary()

    monkeypatch.setattr(desk.control.backend, "primary", counting)
    names = ("PrimarySlot", "Slots", "PrimarySlot")
    asked = [("Get", GLib.Variant("(ss)", (INTERFACE, name))) for name in names]
    asked.append(("GetAll", GLib.Variant("(s)", (INTERFACE,))))
    for method, arguments in asked:
        published._property(method, arguments)
    assert reads == []
    clock.now += 1.01
    for method, arguments in asked:
        published._property(method, arguments)
    assert reads == ["primary"]
    published.tell_changes()
    assert reads == ["primary"] * 2


def test_property_that_others_changed_is_told_before_it_is_answered(
    desk: Desk, ear: Ear, published: BusObject, clock: Clock
) -> None:
    published._known = LastKnown(desk.control, clock)
    published._known.refresh()
    desk.machine.backend().mark_bad("a")
    get = ("Get", GLib.Variant("(ss)", (INTERFACE, "Slots")))
    answer, _ = published._property(*get)
    assert answer
    assert answer.unpack()[0][0]["assessment"] == "good"
    clock.now += 1.01
    answer, _ = published._property(*get)
    assert answer
    assert answer.unpack()[0][0]["assessment"] == "bad"
    published._property(*get)
    assert ear.heard == ["PropertiesChanged"]


def test_property_that_cannot_be_read_is_the_only_one(
    desk: Desk, known: LastKnown, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> str:
        raise BootloaderError(ErrorName.STORAGE_FAILED, "the disk is gone")

    with monkeypatch.context() as lost:
        lost.setattr(desk.control.backend, "primary", fail)
        for _ in range(3):
            known.refresh()
        assert known.get("BootedSlot").unpack() == "a"
        assert [slot["name"] for slot in known.get("Slots").unpack()] == ["a", "b"]
        assert desk.refusal(known.get, "PrimarySlot") == "StorageFailed"
        assert desk.refusal(known.get_all) == "StorageFailed"
        assert caplog.text.count("the property PrimarySlot cannot be read") == 1
    assert list(known.refresh()) == ["PrimarySlot"]
    assert known.get("PrimarySlot").unpack() == "a"
    assert desk.refusal(known.get, "PrimarySlott") == "InvalidArgument"


def test_property_that_the_bus_cannot_carry_does_not_end_the_service(desk: Desk, ear: Ear) -> None:
    desk.control._running = OsRelease("edge", "\ud800")
    published = BusObject(desk.control, ear, Callers("puad", "puad-health"), 1)
    published.tell_changes()
    assert published._known.get("BootedSlot").unpack() == "a"
    assert desk.refusal(published._known.get, "Slots") == "Internal"


def test_environment_of_uboot_is_read_once_for_all_properties(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "u-boot"
    folder.mkdir()
    backend = UBootMachine(folder).backend()
    desk.control.backend = backend
    reads: list[str] = []
    variables = UBoot.variables

    def counting(self: UBoot) -> dict[str, str]:
        reads.append("variables")
        return variables(self)

    monkeypatch.setattr(UBoot, "variables", counting)
    known = LastKnown(desk.control)
    known.refresh()
    assert known.get("PrimarySlot").unpack() == "a"
    assert reads == ["variables"]
    backend.primary()  # nothing of it is kept
    assert len(reads) == 2


class Bus(Ear):
    """Answers who a caller is when it is told to, and ends whoever waits for that."""

    def __init__(self, uid: int | None) -> None:
        super().__init__()
        self.uid = uid
        self.pending: list[Any] = []

    def call_sync(self, *_: Any) -> None:
        raise AssertionError("without descriptors GLib ends the process here")

    def call(self, *arguments: Any) -> None:
        self.pending.append(arguments[-1])

    def call_finish(self, uid: int | None) -> GLib.Variant:
        if uid is None:
            raise GLib.Error("no answer")
        return GLib.Variant("(u)", (uid,))

    def get_message(self) -> Bus:
        return self

    def get_unix_fd_list(self) -> None: ...

    def begin(self, published: BusObject, method: str, arguments: GLib.Variant) -> None:
        published._on_call(self, ":1.1", OBJECT_PATH, INTERFACE, method, arguments, self)
        assert self.pending
        assert "answer" not in self.heard
        self.pending.pop()(self, self.uid)


@pytest.mark.parametrize(
    ("uid", "heard"),
    [(0, "answer"), (None, "NotAllowed"), (4_000_000_000, "NotAllowed")],
)
def test_caller_is_asked_for_without_waiting(desk: Desk, uid: int | None, heard: str) -> None:
    bus = Bus(uid)
    published = BusObject(desk.control, bus, Callers("no-such-user", "nor-this"), 1)
    bus.begin(published, "Disarm", GLib.Variant("(s)", ("b",)))
    assert bus.heard[0] == heard


def test_caller_goes_along_where_it_decides(desk: Desk) -> None:
    agent = next(user for user in pwd.getpwall() if user.pw_uid)
    why = GLib.Variant("(s)", ("why",))
    for uid, heard in ((agent.pw_uid, "RebootNotNeeded"), (0, "answer")):
        bus = Bus(uid)
        published = BusObject(desk.control, bus, Callers(agent.pw_name, "nor-this"), 60)
        bus.begin(published, "RequestReboot", why)
        assert bus.heard == [heard]
        if published._overdue:
            GLib.source_remove(published._overdue)

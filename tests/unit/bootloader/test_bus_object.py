# SPDX-License-Identifier: Apache-2.0
"""The exported object without a bus: in which order it speaks, and what it reads."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from gi.repository import GLib

from bootloader.authorisation import Callers
from bootloader.bus_object import BusObject, _refuse
from bootloader.errors import BootloaderError, ErrorName
from bootloader.properties import INTERFACE
from tests.unit.bootloader.conftest import Desk


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


def test_property_is_read_without_the_others(
    desk: Desk, published: BusObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise BootloaderError(ErrorName.STORAGE_FAILED, "the disk is gone")

    def get(name: str) -> Any:
        value, _ = published._property("Get", GLib.Variant("(ss)", (INTERFACE, name)))
        assert value is not None
        return value.unpack()[0]

    monkeypatch.setattr(desk.control.backend, "primary", fail)
    assert (get("BootedSlot"), get("FallbackSlot")) == ("a", "")
    assert [slot["name"] for slot in get("Slots")] == ["a", "b"]
    assert desk.refusal(get, "PrimarySlot") == "StorageFailed"
    assert desk.refusal(get, "PrimarySlott") == "InvalidArgument"

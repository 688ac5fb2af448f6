# SPDX-License-Identifier: Apache-2.0
"""The exported object without a bus: in which order it speaks."""

from __future__ import annotations

from typing import Any

import pytest

from bootloader.authorisation import Callers
from bootloader.bus_object import BusObject
from tests.unit.bootloader.conftest import Desk


class Ear:
    """The bus and a call on it; notes what is said to them."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def register_object(self, *_: Any) -> None: ...

    def emit_signal(self, *arguments: Any) -> None:
        self.heard.append(arguments[3])

    def get_method_name(self) -> str:
        return "Seal"

    def return_value_with_unix_fd_list(self, *_: Any) -> None:
        self.heard.append("answer")

    def return_dbus_error(self, name: str, _text: str) -> None:
        self.heard.append(name.rpartition(".")[2])


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

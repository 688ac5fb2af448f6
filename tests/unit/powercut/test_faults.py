# SPDX-License-Identifier: Apache-2.0
"""The planted faults do what they say; the bench shows that the checker notices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import pytest

from bootloader.durable import Files
from bootloader.notes import FILE_NAME
from tests.powercut.bench.faults import FAULTS
from tests.unit.bootloader.conftest import Desk, desk
from tests.unit.bootloader.machines import PowerCut

__all__ = ["desk"]  # the fixture


class CutAtTheSeal(Files):
    """Cuts the power when the seal is to be noted; the root of trust was noted before."""

    def __init__(self) -> None:
        self.notes = 0

    @contextmanager
    def incoming(self, path: Path) -> Iterator[BinaryIO]:
        self.notes += path.name == FILE_NAME
        if self.notes > 1:
            raise PowerCut
        with super().incoming(path) as file:
            yield file


@pytest.mark.parametrize("fault", ["", "arm-before-seal"])
def test_slot_has_an_entry_before_its_seal_is_noted_only_by_fault(desk: Desk, fault: str) -> None:
    desk.start_service(CutAtTheSeal())
    with FAULTS[fault].plant() if fault else nullcontext(), pytest.raises(PowerCut):
        desk.install()
    assert desk.machine.backend().status("b").has_entry is bool(fault)
    assert desk.control._notebook.read().sealed == {}

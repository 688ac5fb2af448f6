# SPDX-License-Identifier: Apache-2.0
"""Updates that go well: by each boot loader, there and back again, and after power cuts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.vm.harness.bench import SECOND, Bench, Kind
from tests.vm.harness.node import Node


@pytest.mark.every_loader
def test_update_from_the_first_byte_ends_good_on_the_other_slot(
    bench: Bench, idle: Node, kind: Kind
) -> None:
    idle.offer(bench.image(kind, SECOND))
    idle.open_window()
    idle.wait_updated("b")
    assert idle.running() == "slot b: edge 2.0"
    slots = idle.slots()
    assert slots["b"]["assessment"] == slots["a"]["assessment"] == "good"
    idle.wait_status("UP_TO_DATE")
    assert idle.machine.resets == 1


@pytest.mark.minutes(5)
def test_slots_take_turns(bench: Bench, staged: Callable[[], Node], kind: Kind) -> None:
    node = staged()
    node.open_window()
    node.wait_updated("b")
    for version, slot in (("3.0", "a"), ("4.0", "b")):
        node.offer(bench.image(kind, version))
        node.ask_server()
        node.wait_slot(slot)
        node.wait_updated(slot)
        assert node.running() == f"slot {slot}: edge {version}"


@pytest.mark.minutes(3)
def test_quick_power_cycles_of_a_confirmed_slot_change_nothing(idle: Node) -> None:
    before = idle.esp()
    for _ in range(10):
        idle.machine.cut_power()
        idle.power_on()
        idle.machine.wait_console("EFI stub", 120)  # the boot loader has chosen and counted
    idle.machine.cut_power()
    idle.power_on()
    idle.wait_good("a")
    assert idle.esp() == before

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from puad.core.errors import BootControlError, Code
from puad.core.model import Assessment, Offer, SlotState, Trail
from puad.core.run import Goal, Run, State
from tests.simulator.characters import Character
from tests.simulator.machine import Machine

NOW = datetime(2026, 11, 29, 2, 0, tzinfo=UTC)
NEW = Offer("edge/2.0.raw.zst", "2.0", "2" * 64, "edge")


@pytest.fixture
def machine() -> Machine:
    """A machine that runs 1.0 and has been booted once; every other image is healthy."""
    return booted(lambda _: Character.HEALTHY)


def booted(character_of: Callable[[str], Character]) -> Machine:
    machine = Machine("edge", "1.0", character_of)
    assert machine.power_on() == 1
    return machine


def installed(character: Character, tries: int = 2) -> Machine:
    """A machine on which 2.0, of that character, was just armed."""
    machine = booted(lambda image_id: character if image_id == "2.0" else Character.HEALTHY)
    machine.write("b")
    machine.seal("b", NEW)
    machine.arm("b", tries)
    return machine


def refused(change: Callable[[], object]) -> Code:
    with pytest.raises(BootControlError) as caught:
        change()
    return caught.value.code


def test_new_machine_runs_its_first_image_from_a_good_slot(machine: Machine) -> None:
    facts = machine.facts(Run())
    assert (facts.booted_slot, facts.primary_slot, facts.image_id) == ("a", "a", "1.0")
    a, b = facts.slots
    assert (a.state, a.assessment, a.image_id) == (SlotState.BOOTED, Assessment.GOOD, "1.0")
    assert (b.state, b.assessment, b.image_id) == (
        SlotState.INACTIVE,
        Assessment.INDETERMINATE,
        "",
    )


def test_healthy_image_is_booted_assessed_and_stays() -> None:
    machine = installed(Character.HEALTHY)
    assert machine.power_on() == 1
    assert (machine.booted, machine.running, machine.is_confirmed) == ("b", "2.0", False)
    slot = machine.facts(Run()).slot("b")
    assert slot is not None
    assert (slot.tries_left, slot.tries_done) == (1, 1)
    assert not machine.assess(NOW)
    assert machine.is_confirmed
    verdict = machine.facts(Run()).verdict
    assert verdict is not None
    assert (verdict.good, verdict.boot_id, verdict.slot) == (True, machine.boot_id, "b")
    machine.power_on()
    assert machine.booted == "b"


def test_unhealthy_image_uses_its_tries_up_and_is_left() -> None:
    machine = installed(Character.UNHEALTHY)
    for _ in range(2):
        assert machine.power_on() == 1
        assert machine.booted == "b"
        assert machine.assess(NOW)
    assert machine.power_on() == 1
    facts = machine.facts(Run())
    assert (machine.booted, machine.running) == ("a", "1.0")
    assert facts.verdict is not None
    assert not facts.verdict.good
    left = facts.slot("b")
    assert left is not None
    assert left.assessment is Assessment.BAD


@pytest.mark.parametrize(
    ("character", "reasons"),
    [(Character.DEAD, ()), (Character.EMERGENCY, ("emergency", "emergency"))],
)
def test_image_that_does_not_come_up_is_left_at_once(
    character: Character, reasons: tuple[str, ...]
) -> None:
    machine = installed(character)
    assert machine.power_on() == 3  # two tries and the way back
    assert machine.booted == "a"
    goal = Goal("run-1", NEW, "b", NOW, armed_in="boot-1")
    facts = machine.facts(Run(State.ARMED, goal))
    assert facts.verdict is None
    assert facts.trail is not None
    assert tuple(boot.reason for boot in facts.trail.boots) == reasons
    # like puad, it reads the journal once, and only when nothing else tells
    assert machine.facts(Run(State.ARMED, goal, facts=facts)).trail is None
    assert machine.facts(Run()).trail == (facts.trail if reasons else Trail())


def test_seal_does_not_outlive_a_boot(machine: Machine) -> None:
    machine.write("b")
    machine.seal("b", NEW)
    machine.power_on()
    assert refused(lambda: machine.arm("b", 2)) is Code.ARM_REFUSED


def test_slot_under_write_cannot_boot() -> None:
    machine = installed(Character.HEALTHY)
    machine.write("b")
    machine.power_on()
    assert (machine.booted, machine.running) == ("a", "1.0")


def test_disarmed_slot_cannot_boot() -> None:
    machine = installed(Character.HEALTHY)
    machine.disarm("b")
    machine.power_on()
    assert machine.booted == "a"


def test_booted_slot_is_not_touched(machine: Machine) -> None:
    for change in (
        lambda: machine.write("a"),
        lambda: machine.seal("a", NEW),
        lambda: machine.arm("a", 2),
        lambda: machine.disarm("a"),
    ):
        assert refused(change) is Code.BOOT_CONTROL_REFUSED
    assert machine.is_confirmed


def test_fallback_is_not_touched_before_the_new_slot_is_good() -> None:
    machine = installed(Character.HEALTHY)
    machine.power_on()
    assert refused(lambda: machine.write("a")) is Code.NO_FALLBACK


def test_next_update_goes_to_the_slot_that_was_left() -> None:
    machine = installed(Character.HEALTHY)
    machine.power_on()
    machine.assess(NOW)
    machine.write("a")
    machine.seal("a", replace(NEW, image_id="3.0"))
    machine.arm("a", 2)
    machine.power_on()
    assert (machine.booted, machine.running) == ("a", "3.0")


def test_operator_goes_back_to_the_other_slot() -> None:
    machine = installed(Character.HEALTHY)
    machine.power_on()
    machine.assess(NOW)
    machine.mark("b", good=False)
    machine.power_on()
    assert (machine.booted, machine.running) == ("a", "1.0")
    assert refused(lambda: machine.mark("b", good=True)) is Code.BOOT_CONTROL_REFUSED

# SPDX-License-Identifier: Apache-2.0
"""MarkGood, MarkBad, and the version floor that comes with a good image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from bootloader.caller import Caller
from bootloader.durable import Files
from bootloader.errors import BootloaderError, ErrorName
from bootloader.notes import FILE_NAME
from bootloader.slot import Assessment, Slot
from tests.unit.bootloader.conftest import Desk


def slot(desk: Desk, name: str) -> Slot:
    return next(slot for slot in desk.control.slots() if slot.name == name)


def test_floor_does_not_rise_by_an_image_that_does_not_run(desk: Desk) -> None:
    desk.install(min_version="13.1")
    desk.reboot(image_id="12.0")  # somebody else wrote this slot
    desk.machine.complete_boot()
    desk.control.mark_good("b")
    assert desk.control._notebook.read().version_floor is None


def test_mark_bad_leads_back_to_the_other_slot(desk: Desk) -> None:
    desk.install()
    desk.reboot()
    desk.machine.complete_boot()
    desk.control.mark_good("b")
    desk.control.mark_bad("b")
    assert desk.control.backend.primary() == "a"
    assert desk.reboot("13.0") == "a"
    assert slot(desk, "b").image_id == "13.1"


def test_mark_needs_the_booted_slot_and_a_complete_boot(desk: Desk) -> None:
    assert desk.refusal(desk.control.mark_good, "b") == "NotBooted"
    assert desk.refusal(desk.control.mark_bad, "b") == "NotBooted"
    assert desk.refusal(desk.control.mark_good, "a") == "BootNotComplete"
    assert desk.refusal(desk.control.mark_bad, "a") == "BootNotComplete"


def test_mark_without_a_name_is_of_the_booted_slot(desk: Desk) -> None:
    assert desk.refusal(desk.control.mark_good, "") == "BootNotComplete"
    desk.install()
    desk.reboot()
    desk.machine.complete_boot()
    desk.control.mark_good("")
    assert slot(desk, "b").status.assessment is Assessment.GOOD
    assert desk.refusal(desk.control.mark_bad, "") == "UnknownSlot"


def test_mark_bad_without_a_good_fallback_is_refused(desk: Desk) -> None:
    desk.machine.complete_boot()
    before = desk.machine.state_of("a")
    assert desk.refusal(desk.control.mark_bad, "a") == "NoFallback"
    desk.install()  # not good yet: it was never booted
    assert desk.refusal(desk.control.mark_bad, "a") == "NoFallback"
    assert desk.machine.state_of("a") == before


def test_mark_bad_of_both_slots_in_turn_is_refused(desk: Desk) -> None:
    desk.install()
    desk.reboot()
    desk.machine.complete_boot()
    desk.control.mark_good("b")
    desk.control.mark_bad("b")
    desk.control.mark_bad("b")
    assert desk.reboot("13.0") == "a"
    desk.machine.complete_boot()
    assert desk.refusal(desk.control.mark_bad, "a") == "NoFallback"
    assert slot(desk, "a").status.assessment is Assessment.GOOD


class FullDisk(Files):
    """Lets everything be written but the notes."""

    @contextmanager
    def incoming(self, path: Path) -> Iterator[BinaryIO]:
        if path.name == FILE_NAME:
            raise BootloaderError(ErrorName.NO_SPACE, "there is no room left", on=str(path))
        with super().incoming(path) as file:
            yield file


@pytest.fixture
def good_without_floor(desk: Desk) -> Desk:
    """Image 13.1 was marked good while its floor could not be written."""
    desk.install(min_version="13.1")
    desk.reboot()
    desk.machine.complete_boot()
    desk.start_service(FullDisk())
    assert desk.refusal(desk.control.mark_good, "b") == "NoSpace"
    assert slot(desk, "b").status.assessment is Assessment.GOOD
    return desk


def test_mark_good_can_be_repeated_until_the_floor_is_written(good_without_floor: Desk) -> None:
    desk = good_without_floor
    desk.start_service()
    desk.control.mark_good("b")
    assert desk.control._notebook.read().version_floor == "13.1"


def test_floor_holds_when_mark_good_could_not_write_it(good_without_floor: Desk) -> None:
    desk = good_without_floor
    desk.start_service()
    desk.control.disarm("a")
    assert desk.refusal(desk.control.seal, "a", desk.chain(version="12.0")) == "BelowFloor"
    assert desk.control._notebook.read().version_floor == "13.1"


@pytest.mark.parametrize("known", [True, False])
def test_agent_cannot_lead_a_good_node_below_its_floor(desk: Desk, known: bool) -> None:
    desk.install(min_version="13.0.5")
    assert desk.control._notebook.read().ran == {"a": "13.0"}
    desk.reboot()
    desk.machine.complete_boot()
    desk.control.mark_good("b")
    if not known:
        desk.control._notebook.write(replace(desk.control._notebook.read(), ran={}))
    with pytest.raises(BootloaderError) as caught:
        desk.control.mark_bad("b")
    assert caught.value.name is ErrorName.FALLBACK_BELOW_FLOOR
    assert ("slot a has 13.0, and the version floor is 13.0.5" in str(caught.value)) is known
    assert slot(desk, "b").status.assessment is Assessment.GOOD
    desk.control.mark_bad("b", Caller.ROOT)
    assert desk.reboot("13.0") == "a"


def test_agent_may_go_back_to_an_image_at_the_floor_or_from_a_slot_that_is_not_good(
    desk: Desk,
) -> None:
    desk.install(min_version="13.0")
    desk.reboot()
    desk.machine.complete_boot()
    desk.control.mark_good("b")
    desk.control.mark_bad("b")
    assert desk.reboot("13.0") == "a"
    desk.install(min_version="13.1")
    desk.reboot()
    desk.machine.complete_boot()
    desk.control.mark_bad("b")  # it was never good here, so no floor has come with it
    assert desk.reboot("13.0") == "a"


def test_mark_bad_loses_no_floor(good_without_floor: Desk) -> None:
    desk = good_without_floor
    assert desk.refusal(desk.control.mark_bad, "b") == "FallbackBelowFloor"
    assert desk.refusal(desk.control.mark_bad, "b", Caller.ROOT) == "NoSpace"
    assert slot(desk, "b").status.assessment is Assessment.GOOD
    desk.start_service()
    desk.control.mark_bad("b", Caller.ROOT)
    assert desk.reboot("13.0") == "a"
    desk.control.disarm("b")
    assert desk.control._notebook.read().version_floor == "13.1"

# SPDX-License-Identifier: Apache-2.0
"""Boots that never come as far as a verdict: what the node says of them when it is back."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from tests.integration.effects.journals import Boot, write_journal
from tests.integration.node.fleet import Fleet
from tests.integration.node.rig import PATIENCE_S, Rig, Window

pytestmark = pytest.mark.minutes(2)

_GIVEN_UP = {
    "SYSLOG_IDENTIFIER": "puad-boot-failed",
    "MESSAGE_ID": "f6ded17e8d4549f4b168c845ac01c71a",
    "PUAD_SLOT": "b",
    "PUAD_REASON": "emergency",
}


def lose_every_try(rig: Rig) -> Boot:
    """Let slot b be armed and boot without ever coming up; give the boot that armed it."""
    rig.power_on()
    until = time.monotonic() + PATIENCE_S
    while not (rig.run / "control/reboot").exists():
        assert time.monotonic() < until, rig.logs()
        time.sleep(0.02)
    armed_in = rig.stored()["goal"]["armed_in"]
    rig.cut_power()
    for _ in range(2):
        start = rig.machine.boot_loader().power_on()
        assert start is not None
        assert start.slot == "b"
    return Boot(str(uuid.UUID(armed_in))).of_slot("a").log("Booting slot b next")


def told(rig: Rig) -> dict[str, Any]:
    """The entry that the server has."""
    rig.settle("ROLLED_BACK")
    (entry,) = json.loads(rig.server.runs()[0]["statusDetails"])["update_log"]
    return dict(entry)


@pytest.fixture
def wanted(rig: Rig, fleet: Fleet, window: Window) -> Rig:
    """A node that is to be updated in a window that opens at once."""
    rig.server.link(fleet.target("2.0"))
    window(rig, 5)
    return rig


def test_boot_that_was_given_up_is_explained_everywhere_with_its_last_lines(wanted: Rig) -> None:
    armed = lose_every_try(wanted)
    failed = Boot().of_slot("b")
    failed.log("Failed to mount srv-till.mount.", 3, SYSLOG_IDENTIFIER="systemd")
    failed.log("the boot of slot b has failed (emergency): the node reboots", 3, **_GIVEN_UP)
    write_journal(wanted.folder / "journal", [armed, failed])

    wanted.power_on()
    entry = told(wanted)

    assert (wanted.booted, wanted.cause()) == ("a", "emergency-mode")
    assert (entry["status"], entry["failure_reason"]) == ("rolledback", "criticalservices")
    line = "systemd: Failed to mount srv-till.mount."
    assert f"emergency mode (2 of 2 tries used): {line}" in entry["failure_log"]
    history = wanted.puadctl("history").stdout
    assert f"| {line}" in history
    assert "| puad-boot-failed: the boot of slot b has failed" in history
    assert line in wanted.logs_of("puad")


def test_boots_that_left_no_journal_are_inferred_and_said_to_be(wanted: Rig) -> None:
    armed = lose_every_try(wanted)
    write_journal(wanted.folder / "journal", [armed])

    wanted.power_on()
    entry = told(wanted)

    assert wanted.cause() == "never-started"
    assert entry["failure_reason"] == "bootloader"
    text = "Inferred: slot b never got as far as a journal (2 of 2 tries used)"
    assert text in entry["failure_log"]
    assert text in " ".join(wanted.puadctl("history").stdout.split())
    assert text in wanted.logs_of("puad")

# SPDX-License-Identifier: Apache-2.0
"""Images that come up and are judged: bad ones end on the old slot and say which probe failed."""

from __future__ import annotations

import pytest

from tests.demo.waiting import wait_for
from tests.vm.harness.bench import Staged
from tests.vm.harness.explanation import roll_back, rolled_back
from tests.vm.harness.node import BOOT_S

_SAID = "the application does not answer"


@pytest.mark.minutes(4)
def test_required_probe_that_fails_ends_on_the_old_slot_and_is_tried_again_only_when_asked(
    staged: Staged,
) -> None:
    node = staged("required-probe-fails")
    told = roll_back(node)
    assert told.cause["failure_reason"] == "criticalservices"
    told.names(["application", _SAID])
    resets, runs = node.machine.resets, len(node.server.runs())
    node.puadctl("retry")
    wait_for("another run", lambda: len(node.server.runs()) > runs, 2 * BOOT_S, 2)
    rolled_back(node).names(["application", _SAID])
    assert node.machine.resets == 2 * resets


@pytest.mark.minutes(3)
@pytest.mark.tries(3)
def test_required_probe_that_fails_only_on_the_last_try_ends_on_the_old_slot(
    staged: Staged,
) -> None:
    node = staged("last-try-fails")
    told = roll_back(node)
    assert told.cause["failure_reason"] == "criticalservices"
    told.names(["application", _SAID])
    assert node.machine.resets == 4  # three tries and the fallback


def test_wanted_probe_that_fails_stays_on_the_new_slot_and_is_named(staged: Staged) -> None:
    node = staged("wanted-probe-fails")
    node.open_window()
    node.wait_updated("b")
    assert "camera" in node.guest_output("cat", "/var/lib/puad-health/verdict.json")
    assert "no camera was found" in node.guest_output("journalctl", "-u", "puad-health", "-b")


def test_puad_in_a_crash_loop_ends_on_the_old_slot(staged: Staged) -> None:
    told = roll_back(staged("crash-loop"))
    assert told.cause["failure_reason"] == "criticalservices"
    told.names(["agent"])


def test_network_that_is_dead_after_the_update_does_not_roll_back(staged: Staged) -> None:
    # a lost server must not roll back a fleet; an integrator may make it a required probe
    node = staged("network-dead")
    node.open_window()
    node.wait_good("b")
    assert "orchestrator" in node.guest_output("cat", "/var/lib/puad-health/verdict.json")
    assert node.running() == "slot b: edge 2.0"


def test_image_that_is_not_the_promised_one_ends_on_the_old_slot(staged: Staged) -> None:
    told = roll_back(staged("wrong-version"))
    assert told.cause["failure_reason"] == "oscommit"
    told.names(["2.0", "99.9"])


@pytest.mark.full_only
def test_image_of_another_profile_ends_on_the_old_slot(staged: Staged) -> None:
    told = roll_back(staged("wrong-profile"))
    assert told.cause["failure_reason"] == "oscommit"
    told.names(["edge", "other"])


def test_old_puad_reads_the_store_of_a_newer_one_after_a_fallback(staged: Staged) -> None:
    node = staged("newer-store")
    told = roll_back(node)
    assert told.cause["failure_reason"] == "criticalservices"
    told.names(["application", _SAID])
    newer = "/var/lib/puad/run.json"
    assert '"written_by_a_newer_one"' in node.guest_output("cat", newer)

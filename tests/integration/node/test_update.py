# SPDX-License-Identifier: Apache-2.0
"""Whole updates on the real processes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.integration.node.fleet import Fleet
from tests.integration.node.rig import Rig, Window

pytestmark = pytest.mark.minutes(2)


def only_run(rig: Rig) -> dict[str, Any]:
    """The one run that the server has of a node."""
    runs = rig.server.runs()
    assert len(runs) == 1, (runs, rig.logs())
    return dict(runs[0])


def test_update_to_a_good_image_ends_in_the_new_slot(
    rig: Rig, fleet: Fleet, window: Window
) -> None:
    rig.server.link(fleet.target("2.0"))
    window(rig)
    rig.power_on()

    rig.wait(lambda: rig.stored().get("installed"), "the update is done")
    rig.settle("IDLE", "DONE")

    assert rig.booted == "b"
    by_chunks = "slot b holds the signed image, by [0-9]+ chunk hashes"
    assert re.search(by_chunks, rig.logs_of("control"))
    assert rig.server.instance()["os"]["imageId"] == "2.0"
    run = only_run(rig)
    assert run["status"] == "Update completed"
    way = ("IDLE", "DOWNLOADING", "STAGED", "ARMED", "ASSESSING", "DONE")
    assert rig.told_of(*way), rig.story()
    (past,) = json.loads(rig.puadctl("history", "--json").stdout)["runs"]
    assert past["state"] == "DONE"


def test_update_to_an_unhealthy_image_ends_in_the_old_slot(
    rig: Rig, fleet: Fleet, window: Window
) -> None:
    rig.server.link(fleet.target("3.0"))
    window(rig)
    rig.power_on()

    rig.settle("ROLLED_BACK")

    assert (rig.booted, rig.boots) == ("a", 4)
    run = only_run(rig)
    (entry,) = json.loads(run["statusDetails"])["update_log"]
    assert (run["status"], entry["status"]) == ("Update failed", "rolledback")
    assert entry["failure_reason"] == "criticalservices"
    assert "probe required/application failed" in entry["failure_log"]
    assert entry["failure_log"].endswith("required/application: the till is on fire")
    assert "| required/application: the till is on fire" in rig.puadctl("history").stdout
    assert "required/application: the till is on fire" in rig.logs_of("puad")
    refused = rig.puadctl("run")
    assert refused.returncode != 0
    assert "retry" in refused.stderr


def test_update_to_an_image_that_is_not_the_promised_one_is_rolled_back(
    rig: Rig, fleet: Fleet, window: Window
) -> None:
    if "5.0" not in fleet.images:
        fleet.images["5.0"] = fleet.images["2.0"]
        fleet.releases.publish("5.0", fleet.images["2.0"])
        fleet.refresh()
    rig.server.link(fleet.target("5.0"))
    window(rig)
    rig.power_on()

    rig.settle("ROLLED_BACK")

    assert rig.booted == "a"
    (entry,) = json.loads(rig.server.runs()[0]["statusDetails"])["update_log"]
    assert "wrong-image-booted: Slot b runs image 2.0, not 5.0" in entry["failure_log"]
    assert entry["failure_reason"] == "oscommit"

# SPDX-License-Identifier: Apache-2.0
"""SIGKILL to puad in every state: the state list that must follow, on the real processes.

The kill lies exactly between persist and perform. The service manager's part, to start puad
again, is the rig's.
"""

from __future__ import annotations

import pytest

from tests.integration.node.fleet import Fleet
from tests.integration.node.rig import MakeRig, Rig, Window

pytestmark = pytest.mark.minutes(3)

GOOD = ["IDLE", "DOWNLOADING", "STAGED", "ARMED", "ASSESSING", "DONE"]


@pytest.mark.parametrize("state", GOOD)
def test_killed_in_a_state_the_update_goes_on_from_there(
    rig: Rig, fleet: Fleet, window: Window, state: str
) -> None:
    rig.kill_at = state
    rig.server.link(fleet.target("2.0"))
    window(rig)
    rig.power_on()

    rig.wait(lambda: rig.killed and rig.stored().get("installed"), "the update is done")
    rig.settle("IDLE")

    assert rig.told_of(*GOOD), rig.story()
    assert rig.booted == "b"
    assert [run["status"] for run in rig.server.runs()] == ["Update completed"]


def test_killed_in_mid_seal_the_run_waits_for_boot_control_and_goes_on(
    rig: Rig, fleet: Fleet, window: Window
) -> None:
    rig.kill_at = "seal"
    rig.server.link(fleet.target("2.0"))
    window(rig)
    rig.power_on()

    rig.wait(lambda: rig.killed and rig.stored().get("installed"), "the update is done")
    rig.settle("IDLE")

    assert rig.told_of(*GOOD), rig.story()


def test_killed_in_rolled_back_the_failure_stands(rig: Rig, fleet: Fleet, window: Window) -> None:
    rig.kill_at = "ROLLED_BACK"
    rig.server.link(fleet.target("3.0"))
    window(rig)
    rig.power_on()

    rig.wait(lambda: rig.killed, "puad was killed")
    rig.settle("ROLLED_BACK")

    assert rig.story() == ["IDLE", "DOWNLOADING", "STAGED", "ARMED", "ASSESSING", "ROLLED_BACK"]
    assert rig.cause() == "probe-failed"
    assert rig.boots == 4


def test_killed_in_failed_the_run_is_tried_again(
    make_rig: MakeRig, fleet: Fleet, window: Window
) -> None:
    rig = make_rig(release_url="http://127.0.0.1:9/release")
    rig.kill_at = "FAILED"
    rig.server.link(fleet.target("2.0"))
    window(rig)
    rig.power_on()
    again = ["IDLE", "DOWNLOADING", "FAILED", "DOWNLOADING", "FAILED"]

    rig.wait(lambda: rig.killed and rig.story()[:5] == again, "it was tried again")
    rig.wait(lambda: rig.cause() == "download-unreachable", "it has failed again")

    assert rig.booted == "a"

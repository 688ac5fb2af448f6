# SPDX-License-Identifier: Apache-2.0
"""SIGKILL to puad in every state: the state list that must follow, on the real processes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.node.fleet import Fleet
from tests.integration.node.rig import Rig

GOOD = ["IDLE", "DOWNLOADING", "STAGED", "ARMED", "ASSESSING", "DONE", "IDLE"]


@pytest.mark.parametrize("state", GOOD[:-1])
def test_killed_in_a_state_the_update_goes_on_from_there(
    rig: Rig, fleet: Fleet, window: Callable[..., None], state: str
) -> None:
    rig.server.link(fleet.target("2.0"))
    window(rig)
    rig.power_on()
    rig.wait_for_state(state)

    rig.kill_agent()
    rig.seen.clear()
    rig.start_agent()

    rig.wait(lambda: rig.stored().get("installed"), "the update is done")
    rig.settle("IDLE")
    assert rig.seen == GOOD[GOOD.index(state) :]
    assert rig.booted == "b"
    assert [run["status"] for run in rig.server.runs()] == ["Update completed"]


def test_killed_in_rolled_back_the_failure_stands(
    rig: Rig, fleet: Fleet, window: Callable[..., None]
) -> None:
    rig.server.link(fleet.target("3.0"))
    window(rig)
    rig.power_on()
    rig.wait_for_state("ROLLED_BACK")

    rig.kill_agent()
    rig.seen.clear()
    rig.start_agent()

    rig.settle("ROLLED_BACK")
    rig.wait(lambda: rig.status()["server"]["reachable"], "the server was asked")
    assert rig.seen == ["ROLLED_BACK"]
    assert rig.cause() == "probe-failed"
    assert rig.boots == 4


def test_killed_in_failed_the_run_is_tried_again(
    make_rig: Callable[..., Rig], fleet: Fleet, window: Callable[..., None]
) -> None:
    rig = make_rig(release_url="http://127.0.0.1:9/release")
    rig.server.link(fleet.target("2.0"))
    window(rig)
    rig.power_on()
    rig.wait_for_state("FAILED")
    assert rig.cause() == "download-unreachable"

    rig.kill_agent()
    rig.seen.clear()
    rig.start_agent()

    rig.wait(lambda: "DOWNLOADING" in rig.seen, "it is tried again")
    rig.wait_for_state("FAILED")
    assert rig.seen == ["FAILED", "DOWNLOADING", "FAILED"]
    assert rig.booted == "a"

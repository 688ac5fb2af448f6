# SPDX-License-Identifier: Apache-2.0
"""A bad image, waves and two hundred simulated nodes: it stops before it has reached many."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.integration.orchestrator_stub.running import Orchestrator
from tests.simulator.bad_image import allowed, spread_bad_image
from tests.simulator.pace import QUICK

pytestmark = pytest.mark.minutes(2)

HOSTS = 200
PATIENCE_S = 600


@pytest.mark.timeout(1800)
def test_bad_image_reaches_the_first_wave_and_at_most_one_step_more(
    orchestrator: Orchestrator,
) -> None:
    pace = replace(QUICK, poll_s=4.0, first_poll_within_s=4.0)
    outcome = asyncio.run(spread_bad_image(orchestrator, HOSTS, pace, PATIENCE_S))
    assert outcome.wrong == ()
    assert 1 <= outcome.booted <= outcome.reached <= outcome.allowed == 4
    assert "of wave 1 failed; the policy allows" in outcome.reason


def test_first_wave_and_one_step_more_are_two_percent() -> None:
    assert [allowed(hosts) for hosts in (50, 200, 10_000)] == [1, 4, 200]

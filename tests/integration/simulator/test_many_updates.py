# SPDX-License-Identifier: Apache-2.0
"""Many simulated nodes against a real orchestrator: every update comes to its right end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.integration.orchestrator_stub.running import Orchestrator
from tests.simulator.many_updates import update_many
from tests.simulator.pace import QUICK, Mishaps

pytestmark = pytest.mark.minutes(2)

UPDATES = 50
PATIENCE_S = 600


@pytest.mark.timeout(1800)
def test_fifty_updates_at_once_each_come_to_their_own_end(orchestrator: Orchestrator) -> None:
    pace = replace(QUICK, mishaps=Mishaps(lost=0.1, power_cuts=0.1))
    outcome = asyncio.run(update_many(orchestrator, UPDATES, pace, PATIENCE_S))
    assert outcome.wrong == ()
    assert outcome.unanswered == ()
    assert outcome.most_at_once > UPDATES // 4
    # once at first, once more for the update, and for a bad image its tries and the way back
    assert outcome.boots >= 2 * UPDATES

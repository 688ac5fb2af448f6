# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from tests.simulator.node_clock import NodeClock

TRUE = datetime(2026, 11, 29, 2, 0, tzinfo=UTC)


def test_clock_shows_the_true_time_with_its_skew() -> None:
    clock = NodeClock(skew_s=-3.0)
    moment = clock.moment(TRUE.timestamp(), 100.0, random.Random(1))
    assert moment.now == TRUE - timedelta(seconds=3)
    assert moment.clock_trusted
    assert 0 <= moment.spread < 1


def test_clock_is_not_trusted_before_it_is_synchronised() -> None:
    clock = NodeClock(synchronised_after_s=2.0)
    assert not clock.moment(0.0, 1.9, random.Random(1)).clock_trusted
    assert clock.moment(0.0, 2.0, random.Random(1)).clock_trusted


def test_jitter_moves_one_reading_against_the_next_within_its_bound() -> None:
    clock, chance = NodeClock(jitter_s=0.5), random.Random(1)
    off = {
        (clock.moment(TRUE.timestamp(), 9.0, chance).now - TRUE).total_seconds() for _ in range(50)
    }
    assert len(off) > 10
    assert all(-0.5 <= one <= 0.5 for one in off)


def test_clocks_of_a_fleet_differ_and_one_seed_draws_the_same() -> None:
    chance = random.Random(7)
    clocks = [NodeClock.drawn(chance) for _ in range(20)]
    assert len({clock.skew_s for clock in clocks}) == len(clocks)
    assert NodeClock.drawn(random.Random(7)) == clocks[0]

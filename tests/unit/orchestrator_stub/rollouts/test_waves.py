# SPDX-License-Identifier: Apache-2.0
"""Waves as values: who is in which one, and how a rollout gets on, whatever happens to hosts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from orchestrator_stub.rollouts.rules import RolloutRules
from orchestrator_stub.rollouts.waves import Standing, Tally, advance, offers, placed, sizes
from orchestrator_stub.vocabulary import RolloutState

RUNNING, DONE, STOPPED = RolloutState.RUNNING, RolloutState.DONE, RolloutState.STOPPED


def rules(*percents: int, **others: int) -> RolloutRules:
    return RolloutRules.load({"waves": [{"percent": one} for one in percents], **others})


def names(count: int) -> list[str]:
    return [f"inst-{number:08x}" for number in range(count)]


@pytest.mark.parametrize(
    ("percents", "hosts", "expected"),
    [
        ((1, 10, 50, 100), 10_000, (100, 900, 4000, 5000)),
        ((1, 10, 50), 10_000, (100, 900, 4000, 5000)),
        ((1, 10, 100), 7, (1, 0, 6)),
        ((1, 10, 100), 1, (1, 0, 0)),
        ((50,), 3, (2, 1)),
        ((50,), 0, (0, 0)),
        ((100,), 5, (5,)),
    ],
)
def test_waves_are_cumulative_shares(
    percents: tuple[int, ...], hosts: int, expected: tuple[int, ...]
) -> None:
    assert sizes(rules(*percents), hosts) == expected


def test_shares_and_numbers_of_hosts_mix() -> None:
    mixed = RolloutRules.load({"waves": [{"hosts": 3}, {"percent": 10}, {"hosts": 50}]})
    assert sizes(mixed, 100) == (3, 7, 40, 50)
    assert sizes(mixed, 20) == (3, 0, 17, 0)
    assert sizes(mixed, 2) == (2, 0, 0, 0)


def test_order_is_another_one_for_each_rollout() -> None:
    ids, some = names(1000), rules(10, 100)
    first = {
        rollout: {one for one, wave in placed(some, rollout, ids).items() if wave == 0}
        for rollout in ("rollout-1", "rollout-2")
    }
    both = first["rollout-1"] & first["rollout-2"]
    assert 0 < len(both) < 40  # about 10 of 100


def test_wave_that_has_begun_keeps_its_hosts_when_more_are_linked() -> None:
    some, ids = rules(1, 10, 50, 100), names(1000)
    before = placed(some, "rollout-1", ids[:100])
    first = [one for one, wave in before.items() if wave == 0]
    others = [one for one in ids if one not in first]
    after = placed(some, "rollout-1", others, [len(first)])
    assert Counter(after.values()) == {1: 99, 2: 400, 3: 500}


def standing(wave: int = 0, **fields: Any) -> Standing:
    return Standing(**{"state": RUNNING, "wave": wave, "wave_start_s": 0, **fields})


def test_next_wave_begins_when_the_pause_has_passed() -> None:
    some = rules(10, 100, pauseSeconds=60)
    tallies = (Tally(updated=10), Tally(waiting=90))
    over = advance(some, standing(), tallies, 1000)
    assert over == standing(wave_done_s=1000)
    assert advance(some, over, tallies, 1059) == over
    assert advance(some, over, tallies, 1060) == standing(wave=1, wave_start_s=1060)


def test_empty_waves_are_passed_by_without_a_pause() -> None:
    some = rules(10, 20, 30, 100, pauseSeconds=60)
    tallies = (Tally(updated=1), Tally(), Tally(), Tally(waiting=2))
    over = advance(some, standing(), tallies, 1000)
    assert over.wave == 0
    assert advance(some, over, tallies, 1060) == standing(wave=3, wave_start_s=1060)


@pytest.mark.parametrize(
    ("tally", "is_over"),
    [
        (Tally(), True),
        (Tally(waiting=1), False),
        (Tally(offered=1), False),
        (Tally(updated=1, failed=1), True),
        (Tally(offered=2, updated=8, silent=1), False),
        (Tally(offered=2, updated=8, silent=2), True),
        (Tally(waiting=1, offered=1, failed=1, silent=2), True),
        (Tally(offered=2, silent=2), False),  # nothing is known of it
    ],
)
def test_wave_is_over_when_nobody_is_waited_for(tally: Tally, is_over: bool) -> None:
    assert tally.is_over == is_over
    wave = advance(rules(10, 100), standing(), (tally, Tally(waiting=9)), 5).wave
    assert wave == (1 if is_over else 0)


@pytest.mark.parametrize(
    ("limit", "tally", "reason"),
    [
        ({}, Tally(offered=1, failed=99), ""),
        ({"maxFailed": 2}, Tally(offered=98, failed=2), ""),
        (
            {"maxFailed": 2},
            Tally(offered=97, failed=3),
            "3 of 100 hosts of wave 1 failed; the policy allows 2",
        ),
        ({"maxFailed": 0}, Tally(failed=1), "the policy allows 0"),
        ({"maxFailedPercent": 2}, Tally(offered=98, failed=2), ""),
        ({"maxFailedPercent": 2}, Tally(offered=97, failed=3), "the policy allows 2 %"),
        ({"maxFailedPercent": 0}, Tally(offered=97, failed=1), "the policy allows 0 %"),
        (
            {"maxFailed": 50, "maxFailedPercent": 2},
            Tally(offered=97, failed=3),
            "the policy allows 2 %",
        ),
        ({"maxFailed": 2}, Tally(offered=97, failed=3, accepted=1), ""),
        ({"maxFailed": 2}, Tally(offered=97, failed=4, accepted=1), "the policy allows 2"),
    ],
)
def test_rollout_stops_when_more_fail_than_it_allows(
    limit: dict[str, int], tally: Tally, reason: str
) -> None:
    after = advance(rules(10, 100, **limit), standing(), (tally, Tally(waiting=900)), 7)
    if reason:
        assert (after.state, after.end_s, after.wave) == (STOPPED, 7, 0)
        assert after.reason.endswith(reason)
    else:
        assert after.state is RUNNING


def test_failures_of_a_wave_before_count_and_those_of_a_later_one_do_not_yet() -> None:
    some = rules(10, 50, 100, maxFailed=1)
    tallies = (Tally(updated=8, failed=2), Tally(offered=40), Tally(waiting=50))
    assert advance(some, standing(1), tallies, 7).state is STOPPED
    tallies = (Tally(offered=10), Tally(waiting=38, failed=2), Tally(waiting=50))
    assert advance(some, standing(0), tallies, 7).state is RUNNING


def test_done_rollout_is_taken_up_again_by_hosts_that_come_later() -> None:
    some = rules(10, 100)
    done = advance(some, standing(1), (Tally(updated=1), Tally(updated=8, failed=1)), 50)
    assert done == standing(1, state=DONE, wave_done_s=50, end_s=50)
    again = advance(some, done, (Tally(updated=1), Tally(updated=9, waiting=3)), 90)
    assert again == standing(1, wave_done_s=50)


def test_rollout_without_hosts_stays_as_it_is() -> None:
    assert advance(rules(10, 100), standing(), (Tally(), Tally()), 50) == standing()


@pytest.mark.parametrize("state", [RolloutState.PAUSED, STOPPED])
def test_paused_or_stopped_rollout_does_not_move(state: RolloutState) -> None:
    some, still = rules(10, 100, maxFailed=0), standing(state=state, reason="r")
    tallies = (Tally(updated=1, failed=1), Tally(waiting=9))
    assert advance(some, still, tallies, 50) == still
    assert offers(some, still, (Tally(waiting=10), Tally())) == 0

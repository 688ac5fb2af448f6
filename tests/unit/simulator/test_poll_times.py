# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from tests.simulator.poll_times import PollTimes


def test_answered_poll_is_followed_by_the_next_after_the_interval() -> None:
    polls = PollTimes(20.0, lambda: 0.5)
    polls.answered(100.0)
    assert polls.at_s == 120.0


@pytest.mark.parametrize(("chance", "at_s"), [(0.0, 18.0), (1.0, 22.0)])
def test_those_who_were_answered_together_drift_apart(chance: float, at_s: float) -> None:
    polls = PollTimes(20.0, lambda: chance)
    polls.answered(0.0)
    assert polls.at_s == pytest.approx(at_s)


def test_failures_in_a_row_are_followed_later_and_later_up_to_a_bound() -> None:
    polls, waits = PollTimes(20.0, lambda: 1.0), []
    for failures in range(1, 12):
        polls.failed(0.0, failures, 0.0)
        waits.append(polls.at_s)
    assert waits[:5] == [40.0] * 5
    assert waits[5:7] == [40.0, 60.0]
    assert set(waits[6:]) == {60.0}


@pytest.mark.parametrize(("chance", "at_s"), [(0.0, 20.0), (0.5, 30.0), (1.0, 40.0)])
def test_those_who_fail_together_do_not_come_back_together(chance: float, at_s: float) -> None:
    polls = PollTimes(20.0, lambda: chance)
    polls.failed(0.0, 1, 0.0)
    assert polls.at_s == at_s


def test_next_poll_is_not_before_the_orchestrator_allows_it() -> None:
    polls = PollTimes(20.0, lambda: 0.5)
    polls.failed(100.0, 1, 300.0)
    assert polls.at_s == 410.0

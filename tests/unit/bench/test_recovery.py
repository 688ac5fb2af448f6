# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.bench.orchestrator.recovery import Herd

NEVER = float("inf")


def herd(*, last_s: float = 4.2, slow: int | None = None, failed: int | None = None) -> Herd:
    """Two nodes; each second brings a hundred quick answers, but for what is said."""
    found = Herd(first_s={0: 1.0, 1: last_s})
    for second in range(100):
        found.answered[second] = [0.01] * 100
    if slow is not None:
        found.answered[slow] = [2.0] * 100
    if failed is not None:
        found.failed[failed] = 1
    return found


def test_fleet_is_steady_when_the_last_node_has_had_its_answer() -> None:
    assert herd().steady_s(2) == 5.0


def test_fleet_is_steady_after_slow_and_failed_polls_are_over() -> None:
    assert herd(slow=30).steady_s(2) == 5.0  # from 5 on a whole interval was quick
    assert herd(slow=20).steady_s(2) == 21.0
    assert herd(failed=24).steady_s(2) == 25.0


def test_one_slow_poll_of_very_many_does_not_count() -> None:
    found = herd()
    found.answered[10].append(2.0)
    assert found.steady_s(2) == 5.0


def test_fleet_is_never_steady_while_a_node_has_no_answer() -> None:
    assert herd().steady_s(3) == NEVER


def test_fleet_is_never_steady_when_the_last_answer_comes_too_late_to_be_sure() -> None:
    assert herd(last_s=95.0).steady_s(2) == NEVER

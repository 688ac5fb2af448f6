# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.figures import Figure, alternated, keep, percentile, repeated, table

NEVER = float("inf")


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1.0), (1, 1.0), (50, 50.0), (99, 99.0), (99.5, 100.0), (100, 100.0)]
)
def test_percentile_is_the_value_that_so_many_do_not_exceed(percent: float, value: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], percent) == value


def test_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 99) == percentile([7.0], 1) == 7.0


@pytest.mark.parametrize(
    ("value", "goal", "held"),
    [(5.0, None, True), (5.0, 5.0, True), (5.1, 5.0, False), (0, 0, True), (NEVER, 60.0, False)],
)
def test_goal_is_the_most_that_a_figure_may_be(
    value: float, goal: float | None, held: bool
) -> None:
    assert Figure("x", value, goal).held is held


def test_worst_of_several_is_held_to_the_goal() -> None:
    figure = repeated("x", [3.0, 1.0, 9.0], 5.0)
    assert (figure.value, figure.spread, figure.held) == (9.0, (1.0, 3.0, 9.0), False)


@pytest.mark.parametrize(("value", "held"), [(0.97, False), (0.98, True), (1.0, True)])
def test_least_is_the_least_that_a_figure_may_be(value: float, held: bool) -> None:
    figure = Figure("x", value, least=0.98)
    assert figure.held is held
    assert figure.dump() == {"name": "x", "value": value, "least": 0.98, "held": held}
    assert "≥0.98" in table("t", [figure])
    assert ("NOT HELD" in table("t", [figure])) is not held


def test_median_of_turns_is_held_to_the_goal() -> None:
    figure = alternated("x", [3.0, 1.0, 9.0], 5.0)
    assert (figure.value, figure.spread, figure.held) == (3.0, (1.0, 3.0, 9.0), True)


def test_table_says_what_was_not_held() -> None:
    lines = table("polls", [Figure("a", 5.0, 9.0), repeated("b", [1.5, NEVER], 9.0)]).splitlines()
    assert "NOT HELD" not in lines[3]
    assert lines[4].split() == ["b", "1.50", "never", "never", "9", "NOT", "HELD"]


def test_figures_of_a_part_are_kept_beside_those_of_others(tmp_path: Path) -> None:
    file = tmp_path / "bench/orchestrator.json"
    keep(file, "polls", "sqlite", [Figure("p99, ms", 1.23456, 100.0)], {"hosts": 5})
    keep(file, "polls", "postgresql", [Figure("p99, ms", 2.0)], {"hosts": 5})
    keep(file, "page", "sqlite", [repeated("first byte, ms", [NEVER, 1.0])], {"hosts": 5})
    keep(file, "polls", "postgresql", [Figure("p99, ms", 3.0)], {"hosts": 6})
    kept = json.loads(file.read_text("utf-8"))
    assert kept["polls"]["sqlite"] == {
        "conditions": {"hosts": 5},
        "figures": [{"name": "p99, ms", "value": 1.235, "goal": 100.0, "held": True}],
    }
    assert kept["polls"]["postgresql"]["figures"] == [{"name": "p99, ms", "value": 3.0}]
    assert kept["page"]["sqlite"]["figures"][0]["max"] is None

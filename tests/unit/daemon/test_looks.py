# SPDX-License-Identifier: Apache-2.0
"""The looks: when boot control is asked for the facts."""

from __future__ import annotations

import time

import pytest

from puad.daemon.looks import Looks


class Bench:
    """Looks and their time."""

    def __init__(self) -> None:
        self.looks = Looks()
        self.now = 1000.0

    def pause_s(self, *, answered: bool, busy: bool) -> float:
        """Look when it is due; after how long the next look is due."""
        self.now += max(self.looks.rest_s(self.now), 0)
        assert self.looks.due(busy=busy)
        if answered:
            self.looks.answered()
        else:
            self.looks.failed(busy=busy)
        return self.looks.rest_s(self.now)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


def test_first_look_is_due_at_once_and_the_next_soon_while_nothing_answers(bench: Bench) -> None:
    assert bench.looks.due(busy=False)
    assert not bench.looks.due(busy=False)
    assert bench.looks.rest_s(bench.now) == 3


@pytest.mark.parametrize(
    ("busy", "pauses"),
    [(True, [3, 6, 12, 24, 30, 30]), (False, [3, 6, 12, 24, 48, 96, 180, 180])],
)
def test_pause_grows_while_boot_control_is_absent(
    bench: Bench, busy: bool, pauses: list[float]
) -> None:
    assert [bench.pause_s(answered=False, busy=busy) for _ in pauses] == pauses


def test_pause_is_short_again_after_an_answer(bench: Bench) -> None:
    for _ in range(9):
        bench.pause_s(answered=False, busy=False)
    bench.pause_s(answered=True, busy=False)
    assert bench.pause_s(answered=True, busy=False) == 600
    assert bench.pause_s(answered=True, busy=True) == 30
    assert bench.pause_s(answered=False, busy=False) == 3


def test_run_that_begins_while_boot_control_is_absent_shortens_the_pause(bench: Bench) -> None:
    for _ in range(9):
        bench.pause_s(answered=False, busy=False)
    assert bench.pause_s(answered=False, busy=True) == 30


def test_absent_boot_control_is_left_alone_even_when_something_changes(bench: Bench) -> None:
    for _ in range(9):
        bench.pause_s(answered=False, busy=False)
    bench.looks.hasten()
    assert bench.looks.rest_s(bench.now) == 180
    bench.now += 179
    assert bench.looks.is_quiet
    assert not bench.looks.due(busy=True)
    bench.now += 1
    assert bench.looks.due(busy=True)


def test_change_brings_the_next_look_forward(bench: Bench) -> None:
    bench.pause_s(answered=True, busy=False)
    assert bench.pause_s(answered=True, busy=False) == 600
    bench.looks.hasten()
    assert bench.looks.rest_s(bench.now) == 30


@pytest.mark.parametrize("answered", [False, True])
def test_quiet_lasts_until_the_next_look_or_an_answer(bench: Bench, answered: bool) -> None:
    bench.pause_s(answered=False, busy=False)
    if answered:
        bench.looks.answered()
    assert bench.looks.is_quiet is not answered
    bench.now += 3
    assert not bench.looks.is_quiet

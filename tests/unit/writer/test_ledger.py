# SPDX-License-Identifier: Apache-2.0
"""The ledger: what falls back, and when a delta is given up."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.writer.ledger import Ledger


def filled(outcomes: list[bool]) -> Ledger:
    ledger = Ledger()
    for number, came_out in enumerate(outcomes):
        ledger.begin()
        ledger.end(number, came_out=came_out)
    return ledger


@pytest.mark.parametrize(
    ("outcomes", "given_up"),
    [
        ([False] * 15, False),
        ([False] * 16, True),
        ([True] * 12 + [False] * 4, False),
        ([True] * 11 + [False] * 5, True),
        ([True] * 300 + [False] * 100, False),
        ([True] * 300 + [False] * 101, True),
        ([False] * 16 + [True] * 100, True),
    ],
)
def test_delta_is_given_up_when_it_costs_more_than_it_saves(
    outcomes: list[bool], given_up: bool
) -> None:
    assert filled(outcomes).given_up is given_up


@given(st.lists(st.booleans(), max_size=100))
def test_ledger_gives_each_failure_back_once(outcomes: list[bool]) -> None:
    ledger = filled(outcomes)
    failed = [number for number, came_out in enumerate(outcomes) if not came_out]
    assert ledger.take() == failed
    assert ledger.take(settled=True) == []
    assert ledger.fallen_back == len(failed)


def test_delta_that_cannot_be_had_is_given_up_at_once() -> None:
    ledger = Ledger()
    ledger.give_up()
    assert ledger.given_up


def test_settling_waits_for_what_is_on_its_way() -> None:
    ledger = Ledger()
    ledger.begin()
    ledger.begin()
    ledger.end(7, came_out=True)
    assert ledger.take() == []
    ends = threading.Thread(target=ledger.end, args=(5,), kwargs={"came_out": False})
    ends.start()
    assert ledger.take(settled=True) == [5]
    ends.join()

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from puad.core.rest import rest
from puad.core.run import DownloadTime, State

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("state", [State.DOWNLOADING, State.ARMED, State.ASSESSING])
def test_run_on_its_way_is_looked_after_every_second(world: Any, state: State) -> None:
    assert rest(world.run(state), world.now) == SECOND


@pytest.mark.parametrize("state", [State.IDLE, State.DONE, State.ROLLED_BACK, State.FAILED])
def test_run_without_a_next_moment_rests_until_something_happens(world: Any, state: State) -> None:
    assert rest(world.run(state), world.now) is None


def test_idle_rests_until_the_download_time(world: Any) -> None:
    at = world.now + timedelta(seconds=90)
    run = world.run(State.IDLE, download_at=DownloadTime("2" * 64, at, at))
    assert rest(run, world.now) == timedelta(seconds=90)


def test_download_time_that_has_passed_is_looked_after_again_soon(world: Any) -> None:
    run = world.run(State.IDLE, download_at=DownloadTime("2" * 64, world.now, world.now))
    assert SECOND < (rest(run, world.now) or SECOND) < timedelta(seconds=10)


def test_the_earlier_of_two_moments_counts(world: Any) -> None:
    at = world.now + timedelta(seconds=90)
    run = world.run(State.FAILED, download_at=DownloadTime("2" * 64, at, at))
    run = world.run(State.FAILED, download_at=run.download_at, retry_at=at - 60 * SECOND)
    assert rest(run, world.now) == 30 * SECOND


def test_staged_rests_until_its_window_opens(world: Any) -> None:
    run = world.run(State.STAGED, plan=world.plan(world.window(start_s=600)))
    assert rest(run, world.now) == 600 * SECOND


def test_staged_in_its_window_is_looked_after_every_second(world: Any) -> None:
    run = world.run(State.STAGED, plan=world.plan(world.window()))
    assert rest(run, world.now) == SECOND


def test_staged_without_a_window_rests_until_something_happens(world: Any) -> None:
    assert rest(world.run(State.STAGED, plan=world.plan()), world.now) is None


def test_staged_by_an_operator_needs_no_window(world: Any) -> None:
    run = world.run(State.STAGED, plan=world.plan(), goal=world.goal(by_operator=True))
    assert rest(run, world.now) == SECOND

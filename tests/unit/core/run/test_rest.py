# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from puad.core.events import Looked, Ticked
from puad.core.machine import step
from puad.core.model import Assessment
from puad.core.rest import rest
from puad.core.run import DownloadTime, Run, State
from tests.unit.core.run.conftest import World

SECOND = timedelta(seconds=1)
DAYS = 3 * 86_400
WAITING = [State.IDLE, State.DONE, State.ROLLED_BACK, State.FAILED]


def waits_for(world: World, *, at_s: float, state: State = State.IDLE) -> Run:
    """A run whose download time was drawn for a window three days away."""
    window = world.window(start_s=DAYS, end_s=DAYS + 7200)
    at = world.now + at_s * SECOND
    planned = DownloadTime(world.offer.file_hash, world.now + DAYS * SECOND, at)
    run: Run = world.run(state, plan=world.plan(window), download_at=planned)
    return run


@pytest.mark.parametrize("state", [State.DOWNLOADING, State.ARMED, State.ASSESSING])
def test_run_on_its_way_is_looked_after_every_second(world: World, state: State) -> None:
    assert rest(world.run(state), world.moment()) == SECOND


@pytest.mark.parametrize("state", WAITING)
def test_run_without_a_next_moment_rests_until_something_happens(
    world: World, state: State
) -> None:
    assert rest(world.run(state), world.moment()) is None


def test_idle_rests_until_the_download_time(world: World) -> None:
    assert rest(waits_for(world, at_s=90), world.moment()) == 90 * SECOND
    assert rest(waits_for(world, at_s=0.1), world.moment()) == SECOND


@pytest.mark.parametrize("state", WAITING)
def test_download_time_that_has_come_is_looked_after_soon(world: World, state: State) -> None:
    run = waits_for(world, at_s=0, state=state)
    assert SECOND < (rest(run, world.moment()) or SECOND) < timedelta(seconds=10)


@pytest.mark.parametrize("state", WAITING)
@pytest.mark.parametrize("why", ["not told", "booted slot not good", "clock not trusted"])
def test_download_time_that_was_refused_is_not_waited_for(
    world: World, state: State, why: str
) -> None:
    run, moment = waits_for(world, at_s=-60, state=state), world.moment()
    if why == "not told":
        run = replace(run, told=False)
    elif why == "clock not trusted":
        moment = replace(moment, clock_trusted=False)
    else:
        facts = world.facts()
        slots = (replace(facts.slots[0], assessment=Assessment.INDETERMINATE), facts.slots[1])
        run = replace(run, facts=replace(facts, slots=slots))
    assert step(run, Ticked(moment)) == (run, ())
    assert rest(run, moment) is None


def test_refused_download_is_due_again_when_the_facts_allow_it(world: World) -> None:
    run = replace(waits_for(world, at_s=-60), facts=None)
    run, _ = step(run, Looked(world.moment(), world.facts()))
    assert rest(run, world.moment()) == 5 * SECOND
    after, _ = step(run, Ticked(world.moment()))
    assert after.state is State.DOWNLOADING


def test_the_earlier_of_two_moments_counts(world: World) -> None:
    run = waits_for(world, at_s=90, state=State.FAILED)
    run = replace(run, retry_at=world.now + 30 * SECOND)
    assert rest(run, world.moment()) == 30 * SECOND


def test_end_of_a_pause_is_waited_for_and_then_the_next_download_is_due(world: World) -> None:
    run = world.run(State.FAILED, plan=world.plan(world.window()), retry_at=world.now + SECOND)
    assert rest(run, world.moment()) == SECOND
    later = world.moment(now=world.now + SECOND)
    assert rest(run, later) == 5 * SECOND
    after, _ = step(run, Ticked(later))
    assert after.state is State.DOWNLOADING


@pytest.mark.parametrize("why", ["withdrawn", "not told", "no window"])
def test_end_of_a_pause_that_has_passed_in_vain_is_not_waited_for(world: World, why: str) -> None:
    plan = world.plan() if why == "no window" else world.plan(world.window())
    plan = replace(plan, offer=None) if why == "withdrawn" else plan
    retry_at = world.now - SECOND
    run = world.run(State.FAILED, plan=plan, retry_at=retry_at, told=why != "not told")
    assert step(run, Ticked(world.moment())) == (run, ())
    assert rest(run, world.moment()) is None


def test_end_of_a_pause_leads_to_the_download_time_of_a_window_days_away(world: World) -> None:
    window = world.window(start_s=DAYS, end_s=DAYS + 7200)
    run = world.run(State.FAILED, plan=world.plan(window), retry_at=world.now - SECOND)
    assert rest(run, world.moment()) == 5 * SECOND
    run, _ = step(run, Ticked(world.moment()))
    assert run.state is State.FAILED
    assert (rest(run, world.moment(spread=0.5)) or SECOND) > timedelta(days=2)


def test_staged_rests_until_its_window_opens(world: World) -> None:
    run = world.run(State.STAGED, plan=world.plan(world.window(start_s=600)))
    assert rest(run, world.moment()) == 600 * SECOND


def test_staged_in_its_window_is_looked_after_every_second(world: World) -> None:
    run = world.run(State.STAGED, plan=world.plan(world.window()))
    assert rest(run, world.moment()) == SECOND


def test_staged_without_a_window_rests_until_something_happens(world: World) -> None:
    assert rest(world.run(State.STAGED, plan=world.plan()), world.moment()) is None


def test_staged_by_an_operator_needs_no_window(world: World) -> None:
    run = world.run(State.STAGED, plan=world.plan(), goal=world.goal(by_operator=True))
    assert rest(run, world.moment()) == SECOND

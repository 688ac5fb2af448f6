# SPDX-License-Identifier: Apache-2.0
"""Somebody at the node defers the reboot: who is asked, how often, and who overrides it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from puad.core.actions import Announce, Arm, Ask, Consult, MarkBad, Notice
from puad.core.events import Consulted, NotAnswered, RollbackAsked, RunAsked, Started, Ticked
from puad.core.machine import step
from puad.core.model import RepeatedSchedule
from puad.core.past_run import past_run
from puad.core.rules.installing import asked_again_at
from puad.core.rules.outcomes import goal_of
from puad.core.run import Hold, Rules, Run, State
from puad.core.snapshot import dump_run, load_run
from tests.unit.core.run.conftest import World

BACKUP = "hook 20-backup: the nightly copy runs"


def staged(world: World, **goal: object) -> Run:
    """A staged run in an open window; nobody was asked yet."""
    fresh = {"released_at": None, **goal}
    run: Run = world.run(State.STAGED, plan=world.plan(world.window())).with_goal(**fresh)
    return run


def after(world: World, run: Run, seconds: float, event: type, *rest: str) -> tuple[Run, list[Any]]:
    """What an event makes of it some seconds later, with a plan as fresh as ever."""
    now = world.now + timedelta(seconds=seconds)
    run = replace(run, plan=replace(run.plan, answered_at=now))
    changed, actions = step(run, event(world.moment(now=now), *rest))
    return changed, list(actions)


def consulted(world: World, run: Run, seconds: float, held_by: str = "") -> tuple[Run, list[Any]]:
    return after(world, run, seconds, Consulted, "run-1", held_by)


def test_holder_is_asked_once_at_a_time(world: World) -> None:
    asking, first = after(world, staged(world), 0, Ticked)
    _, second = after(world, asking, 1, Ticked)

    (consult,) = first
    assert (consult.goal.run_id, consult.binding) == ("run-1", True)
    assert second == []


def test_holder_is_asked_again_after_30_s_and_told_once(world: World) -> None:
    asking, _ = after(world, staged(world), 0, Ticked)
    held, told = consulted(world, asking, 1, BACKUP)
    _, early = after(world, held, 30, Ticked)
    again, late = after(world, held, 31, Ticked)
    still, untold = consulted(world, again, 40, BACKUP)
    other, retold = consulted(world, again, 40, "inhibitor apt: packages are unpacked")

    assert told == [Announce(Notice.REBOOT_HELD, f"The reboot is held up by {BACKUP}")]
    assert (early, [type(a) for a in late], untold) == ([], [Consult], [])
    assert [type(a) for a in retold] == [Announce]
    since = world.now + timedelta(seconds=1)
    assert goal_of(still).hold == Hold(BACKUP, since)
    assert goal_of(other).hold == Hold("inhibitor apt: packages are unpacked", since)


def test_holder_that_lets_go_lets_the_run_be_armed_and_is_remembered(world: World) -> None:
    held, _ = consulted(world, staged(world), 1, BACKUP)
    again, _ = after(world, held, 31, Ticked)
    armed, actions = consulted(world, again, 33)

    assert armed.state is State.ARMED
    assert Arm("run-1", "b", 3) in actions
    hold = Hold(BACKUP, world.now + timedelta(seconds=1), world.now + timedelta(seconds=33))
    past = past_run(armed, world.now)
    assert past is not None
    assert past.hold == hold


def test_holder_that_outlasts_the_window_leaves_the_run_staged_for_the_next(world: World) -> None:
    held, _ = consulted(world, staged(world), 1, BACKUP)
    closed = replace(held, plan=world.plan(world.window(start_s=-7200, end_s=60)))

    waiting, actions = after(world, closed, 120, Ticked)
    opened = replace(waiting, plan=world.plan(world.window(start_s=86_400, end_s=90_000)))
    _, next_day = after(world, opened, 86_401, Ticked)

    assert (waiting.state, actions) == (State.STAGED, [])
    assert goal_of(waiting).hold == Hold(BACKUP, world.now + timedelta(seconds=1))
    assert [type(a) for a in next_day] == [Consult]


def test_holder_that_answers_after_the_window_closed_arms_nothing(world: World) -> None:
    asking, _ = after(world, staged(world), 0, Ticked)
    closed = replace(asking, plan=world.plan(world.window(start_s=-7200, end_s=60)))

    late, actions = consulted(world, closed, 61)

    assert late.state is State.STAGED
    assert not any(isinstance(a, Arm) for a in actions)


def test_operator_overrides_a_holder_after_asking_once(world: World) -> None:
    held, _ = consulted(world, staged(world), 1, BACKUP)
    asking, asked = after(world, held, 2, RunAsked)
    armed, actions = consulted(world, asking, 3, BACKUP)

    (consult,) = asked
    assert (type(consult), consult.binding) == (Consult, False)
    assert armed.state is State.ARMED
    notice = actions[0]
    assert notice.notice is Notice.HOLD_OVERRIDDEN
    assert BACKUP in notice.text
    hold = goal_of(armed).hold
    assert hold == Hold(BACKUP, world.now + timedelta(seconds=1), world.now + timedelta(seconds=3))


def test_operators_rollback_asks_before_it_marks_bad_and_waits_for_nobody(world: World) -> None:
    back, actions = step(world.run(State.DONE), RollbackAsked(world.moment()))
    goal = goal_of(back)
    told, notices = step(back, Consulted(world.moment(), goal.run_id, BACKUP))

    assert [type(a) for a in actions[:2]] == [Consult, MarkBad]
    assert actions[0] == Consult(goal, binding=False)
    assert told.state is State.ARMED
    assert [a.notice for a in notices if isinstance(a, Announce)] == [Notice.HOLD_OVERRIDDEN]
    assert goal_of(told).hold == Hold(BACKUP, world.now, world.now)


def test_release_after_slow_hooks_has_the_plan_asked_again_and_then_holds(world: World) -> None:
    asking, _ = after(world, staged(world), 0, Ticked)
    late = world.moment(now=world.now + timedelta(seconds=90))
    fresh_no_more, actions = step(asking, Consulted(late, "run-1"))
    armed, _ = step(fresh_no_more, NotAnswered(late))

    assert (fresh_no_more.state, list(actions)) == (State.STAGED, [Ask()])
    assert armed.state is State.ARMED


def test_release_does_not_hold_for_ever(world: World) -> None:
    run = staged(world, released_at=world.now - timedelta(minutes=16))

    _, actions = after(world, run, 0, Ticked)

    assert [type(a) for a in actions] == [Consult]


def test_clock_that_steps_back_does_not_keep_a_holder_from_being_asked(world: World) -> None:
    run = staged(world, consulted_at=world.now + timedelta(days=1))

    _, actions = after(world, run, 0, Ticked)

    assert [type(a) for a in actions] == [Consult]


def test_question_that_died_with_the_process_is_asked_again(world: World) -> None:
    asking, _ = after(world, staged(world), 0, Ticked)
    stored = load_run(dump_run(asking))
    sealed = Started(world.moment(), world.facts(sealed=True), Rules())

    started, _ = step(stored, sealed)
    _, actions = after(world, started, 1, Ticked)

    assert goal_of(stored).consulting
    assert [type(a) for a in actions] == [Consult]


@pytest.mark.parametrize("event", [Consulted], ids=["consulted"])
def test_answer_about_another_run_changes_nothing(world: World, event: type[Consulted]) -> None:
    run = staged(world)
    assert step(run, event(world.moment(), "run-0", BACKUP)) == (run, ())


def test_holder_is_asked_again_in_30_s_or_when_the_next_window_opens(world: World) -> None:
    held, _ = consulted(world, staged(world), 0, BACKUP)
    at_noon = (RepeatedSchedule(3600, "0", "12", "*", "*", "*"),)
    later = replace(held, plan=world.plan(world.window(start_s=7200, end_s=10_800)))
    ending = replace(world.window(end_s=60), repeated=at_noon)
    alone = replace(held, plan=world.plan(replace(ending, repeated=())))

    noon = world.now + timedelta(hours=2)
    assert asked_again_at(held, world.moment()) == world.now + timedelta(seconds=30)
    assert asked_again_at(later, world.moment()) == noon
    tight = world.moment(now=world.now + timedelta(seconds=45))
    assert asked_again_at(replace(held, plan=world.plan(ending)), tight) == noon
    assert asked_again_at(alone, tight) is None
    assert asked_again_at(replace(held, plan=world.plan()), world.moment()) is None


def test_hold_is_stored_with_the_run(world: World) -> None:
    hold = Hold(BACKUP, world.now, world.now + timedelta(seconds=5))
    run = staged(world, hold=hold, consulted_at=world.now)
    assert goal_of(load_run(dump_run(run))) == goal_of(run)

# SPDX-License-Identifier: Apache-2.0
"""What the rules decide beyond the next state: counters, floors, holds, windows, refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from puad.core.actions import Announce, Install, Notice
from puad.core.errors import Code
from puad.core.events import (
    Answered,
    CancelAsked,
    Consulted,
    Failed,
    InstallAsked,
    Looked,
    NotAnswered,
    RetryAsked,
    RollbackAsked,
    RunAsked,
    Sealed,
    Started,
    Step,
    Ticked,
)
from puad.core.machine import step
from puad.core.model import Assessment, Plan, Schedules
from puad.core.rules.operator import refusal
from puad.core.rules.outcomes import goal_of
from puad.core.rules.waiting import judge
from puad.core.run import Cause, Quarantined, Rules, Run, State
from puad.core.wire import StatusType
from tests.unit.core.run.conftest import World


def quarantined(world: World) -> tuple[Quarantined, ...]:
    return (Quarantined(world.offer.file_hash, world.offer.image_id, world.cause()),)


def test_done_raises_the_version_floor_and_never_sinks_it(world: World) -> None:
    facts = replace(world.in_b(assessment=Assessment.GOOD), verdict=world.verdict(good=True))
    cases = [
        (None, None, None),
        ("1", None, "1"),
        (None, "2", "2"),
        ("3", "2", "3"),
        ("1", "2", "2"),
    ]

    for floor, brought, expected in cases:
        run = world.run(State.ASSESSING, floor=floor).with_goal(min_version=brought)
        after, _ = step(run, Looked(world.moment(), facts))
        assert after.floor == expected


def test_rolled_back_image_is_quarantined_once_and_not_begun_again(world: World) -> None:
    facts = world.facts(boot_id="boot-9", tries_left=0, tries_done=3)
    run = world.run(State.ARMED, plan=world.plan(world.window()), quarantine=quarantined(world))

    after, _ = step(run, Started(world.moment(), facts, Rules()))
    later, actions = step(replace(after, told=True), Ticked(world.moment()))

    assert len(after.quarantine) == 1
    assert (later.state, actions) == (State.ROLLED_BACK, ())


@pytest.mark.parametrize(
    ("change", "value"),
    [("told", False), ("held", "2" * 64), ("floor", "3")],
)
def test_nothing_begins_while_something_forbids_it(world: World, change: str, value: Any) -> None:
    run = world.run(State.IDLE, plan=world.plan(world.window()), **{change: value})

    after, actions = step(run, Ticked(world.moment()))

    assert (after.state, actions) == (State.IDLE, ())


def test_pause_after_a_failure_is_for_its_own_image(world: World) -> None:
    later = world.now + timedelta(seconds=1)
    run = world.run(State.FAILED, plan=world.plan(world.window()), retry_at=later)
    other = replace(run, plan=Plan(world.other, world.window(), world.now))

    assert step(run, Ticked(world.moment()))[0].state is State.FAILED
    assert step(other, Ticked(world.moment()))[0].state is State.DOWNLOADING


def test_verdict_counts_by_its_boot_and_not_by_its_time(world: World) -> None:
    long_ago = replace(world.verdict(good=True), finished_at=world.now - timedelta(days=9999))
    facts = replace(world.in_b(assessment=Assessment.GOOD), verdict=long_ago)
    run = world.run(State.ASSESSING)

    counted, _ = step(run, Looked(world.moment(), facts))
    old, _ = step(run.with_goal(verdict_before="boot-2"), Looked(world.moment(), facts))

    assert counted.state is State.DONE
    assert old.cause is not None
    assert (old.state, old.cause.code) == (State.FAILED, Code.NO_VERDICT)


def test_begun_run_remembers_the_verdict_that_lay_there(world: World) -> None:
    facts = replace(world.facts(), verdict=world.verdict(good=False))

    begun, _ = step(world.run(State.IDLE, facts=facts), RunAsked(world.moment()))

    assert goal_of(begun).verdict_before == "boot-2"


def test_release_at_the_server_lets_a_held_image_go(world: World) -> None:
    run = world.run(State.FAILED, held=world.offer.file_hash)
    answer = Answered(
        world.moment(),
        world.plan(),
        StatusType.FAILED,
        "run-1",
        clear_quarantine=(world.offer.file_hash,),
    )

    after, _ = step(run, answer)

    assert (after.state, after.held) == (State.IDLE, "")


@pytest.mark.parametrize(("image_id", "left"), [("2", 0), ("8", 1)])
def test_release_at_the_server_reaches_an_entry_whose_hash_was_lost(
    world: World, image_id: str, left: int
) -> None:
    entry = Quarantined("", image_id, world.cause())
    run = world.run(State.IDLE, quarantine=(entry,), facts=world.facts())
    cleared = (world.offer.file_hash,)
    answer = Answered(world.moment(), world.plan(), StatusType.FAILED, "", clear_quarantine=cleared)

    after, _ = step(run, answer)

    assert len(after.quarantine) == left


def test_quarantine_is_bounded_and_the_oldest_goes_first(world: World) -> None:
    full = tuple(Quarantined(f"{n:064}", str(n), world.cause()) for n in range(64))
    facts = world.facts(boot_id="boot-9", tries_left=0, tries_done=3)

    after, _ = step(
        world.run(State.ARMED, quarantine=full), Started(world.moment(), facts, Rules())
    )

    assert len(after.quarantine) == 64
    assert after.quarantined(world.offer) is not None


def test_image_that_was_left_is_quarantined_once(world: World) -> None:
    facts = world.facts(assessment=Assessment.BAD, image_id="2")
    started = Started(world.moment(), facts, Rules())

    left, _ = step(world.run(State.IDLE, installed=world.offer), started)
    released, _ = step(left, RetryAsked(world.moment()))
    again, _ = step(released, started)

    assert (left.state, again.state) == (State.ROLLED_BACK, State.IDLE)


def test_nothing_begins_on_an_untrusted_clock(world: World) -> None:
    run = world.run(State.IDLE, plan=world.plan(world.window()))

    after, _ = step(run, Ticked(world.moment(clock_trusted=False)))

    assert after.state is State.IDLE


def test_nothing_begins_while_the_booted_slot_is_not_good(world: World) -> None:
    run = world.run(State.IDLE, plan=world.plan(world.window()), facts=world.in_b())

    after, _ = step(replace(run, plan=Plan(world.other, world.window())), Ticked(world.moment()))

    assert after.state is State.IDLE


def test_download_time_is_drawn_once_for_a_window(world: World) -> None:
    plan = world.plan(world.window(start_s=5 * 3600, end_s=6 * 3600))
    run, _ = step(world.run(State.IDLE, plan=plan), Ticked(world.moment(spread=0.5)))

    again, _ = step(run, Ticked(world.moment(spread=0.9)))

    assert run.download_at is not None
    assert world.now < run.download_at.at < world.now + timedelta(hours=5)
    assert again.download_at == run.download_at


def test_download_time_goes_with_the_last_window(world: World) -> None:
    plan = world.plan(world.window(start_s=5 * 3600, end_s=6 * 3600))
    run, _ = step(world.run(State.IDLE, plan=plan), Ticked(world.moment()))

    after, _ = step(run, Answered(world.moment(), world.plan(), StatusType.UP_TO_DATE))

    assert after.download_at is None


def test_download_that_fails_waits_twice_as_long_each_time(world: World) -> None:
    code = Code.DOWNLOAD_UNREACHABLE
    pauses = []
    for attempts in (1, 2, 3):
        run = world.run(State.DOWNLOADING).with_goal(attempts=attempts)
        failure = Failed(world.moment(), "run-1", Step.INSTALL, code, "", transient=True)
        after, _ = step(run, failure)
        pauses.append((goal_of(after).retry_at or world.now) - world.now)

    assert pauses == [timedelta(seconds=s) for s in (30, 60, 120)]


def test_download_that_is_tried_again_says_why_until_it_is(world: World) -> None:
    failure = Failed(
        world.moment(), "run-1", Step.INSTALL, Code.BOOT_CONTROL_BUSY, "mounted", transient=True
    )
    waits, _ = step(world.run(State.DOWNLOADING).with_goal(attempts=1), failure)
    assert goal_of(waits).setback == Cause(Code.BOOT_CONTROL_BUSY, "mounted", world.now)
    again, _ = step(waits, Ticked(world.moment(now=world.now + timedelta(hours=1))))
    assert goal_of(again).setback is None


def test_pause_between_downloads_is_bounded() -> None:
    assert Rules().pause_after(10_000) == Rules().retry_most


@pytest.mark.parametrize(
    ("code", "held"), [(Code.SIGNATURE_INVALID, True), (Code.DISK_FULL, False)]
)
def test_failed_image_is_held_unless_the_cause_may_pass(
    world: World, code: Code, held: bool
) -> None:
    run = world.run(State.DOWNLOADING).with_goal(attempts=8)
    failure = Failed(world.moment(), "run-1", Step.INSTALL, code, "why", transient=not held)

    after, _ = step(run, failure)

    assert (after.held == world.offer.file_hash, after.retry_at is None) == (held, held)


def test_cancelled_image_is_held_until_an_operator_wants_it(world: World) -> None:
    run = world.run(State.STAGED, plan=world.plan(world.window()))
    cancelled, _ = step(run, CancelAsked(world.moment()))

    waits, _ = step(cancelled, Ticked(world.moment()))
    begun, _ = step(cancelled, RunAsked(world.moment()))

    assert (waits.state, begun.state) == (State.IDLE, State.DOWNLOADING)


@pytest.mark.parametrize(
    ("left_s", "opened_s", "boot_s", "armed"),
    [
        (601, 600, 0, True),  # longer than ten minutes is left
        (599, 600, 0, False),  # less is left
        (120, 30, 0, True),  # a short window, but all of it is left
        (3000, 600, 900, False),  # slow boots: (3 + 1) x 15 min + 5 min
        (4000, 600, 900, True),
        (0, 600, 0, True),  # open-ended
    ],
)
def test_window_must_have_enough_left(
    world: World, left_s: int, opened_s: int, boot_s: int, armed: bool
) -> None:
    schedules = world.window(start_s=-opened_s, end_s=left_s)
    facts = replace(world.facts(), boot_duration_s=boot_s)
    run = world.run(State.STAGED, plan=world.plan(schedules), facts=facts)

    after, actions = step(run, Ticked(world.moment()))
    again, once = step(after, Ticked(world.moment()))

    told = [a for a in (*actions, *once) if isinstance(a, Announce)]
    short = boot_s > 0 or 0 < left_s < 600
    enough = (left_s, boot_s) == (4000, 900)
    assert (after.state is State.ARMED, len(told)) == (armed, int(short and not enough))
    assert all(a.notice is Notice.WINDOW_TOO_SHORT for a in told)
    assert again.state is after.state or armed


def test_staged_image_is_not_armed_while_the_booted_slot_is_not_good(world: World) -> None:
    facts = replace(world.facts(), slots=world.facts().slots[1:])
    run = world.run(State.STAGED, plan=world.plan(world.window()), facts=facts)

    assert step(run, Ticked(world.moment())) == (run, ())


def test_configured_window_rule_wins(world: World) -> None:
    rules = Rules(min_window_left=timedelta(seconds=5))
    plan = world.plan(world.window(start_s=-600, end_s=6))

    after, _ = step(world.run(State.STAGED, plan=plan, rules=rules), Ticked(world.moment()))

    assert after.state is State.ARMED


def test_operator_needs_no_window_but_a_fresh_plan(world: World) -> None:
    run = world.run(State.STAGED, plan=world.plan(age_s=999)).with_goal(by_operator=True)

    asked, _ = step(run, Ticked(world.moment()))
    waits, nothing = step(asked, Ticked(world.moment()))
    armed, _ = step(asked, NotAnswered(world.moment()))

    assert (asked.state, waits.state, nothing) == (State.STAGED, State.STAGED, ())
    assert armed.state is State.ARMED


def test_folder_install_is_armed_whatever_the_server_wants(world: World) -> None:
    run = world.run(State.DOWNLOADING).with_goal(by_operator=True, from_folder=True)

    heard, _ = step(run, Answered(world.moment(), Plan(), StatusType.DOWNLOADING))
    staged, _ = step(heard, Sealed(world.moment(), "run-1"))
    asking, _ = step(staged, Answered(world.moment(), Plan(), StatusType.DOWNLOADED))
    armed, _ = step(asking, Consulted(world.moment(), "run-1"))

    states = [heard.state, staged.state, armed.state]
    assert states == [State.DOWNLOADING, State.STAGED, State.ARMED]


def test_rollback_quarantines_the_image_that_is_left(world: World) -> None:
    run = world.run(State.DONE, installed=world.offer, facts=world.in_b(assessment=Assessment.GOOD))

    armed, _ = step(run, RollbackAsked(world.moment()))
    back, _ = step(armed, Started(world.moment(), world.facts(boot_id="boot-3"), Rules()))

    assert goal_of(armed).slot == "a"
    assert [q.file_hash for q in back.quarantine] == [world.offer.file_hash]
    assert back.cause is not None
    assert back.cause.code is Code.ROLLED_BACK_BY_OPERATOR


def test_rollback_of_an_unknown_image_quarantines_its_image_id(world: World) -> None:
    run = world.run(State.IDLE, facts=world.in_b(assessment=Assessment.GOOD))

    armed, _ = step(run, RollbackAsked(world.moment()))
    back, _ = step(armed, Started(world.moment(), world.facts(boot_id="boot-3"), Rules()))

    assert back.quarantined(world.offer) is not None
    assert back.quarantined(world.other) is None


def test_without_facts_an_operator_changes_nothing(world: World) -> None:
    run = Run(plan=world.plan())

    assert step(run, RollbackAsked(world.moment())) == (run, ())
    assert step(run, InstallAsked(world.moment(), world.offer))[1] == ()
    assert step(Run(), RunAsked(world.moment()))[1] == ()
    assert step(Run(), Sealed(world.moment(), "run-0"))[1] == ()


def test_begun_download_makes_the_old_content_no_fallback(world: World) -> None:
    run = world.run(State.IDLE, facts=world.facts(assessment=Assessment.GOOD))

    begun, actions = step(run, RunAsked(world.moment()))
    failure = Failed(
        world.moment(), goal_of(begun).run_id, Step.INSTALL, Code.HASH_MISMATCH, "", transient=False
    )
    failed, _ = step(begun, failure)

    assert isinstance(actions[0], Install)
    refused = refusal(failed, RollbackAsked(world.moment()))
    assert refused is not None
    assert refused.code is Code.NO_FALLBACK


REFUSALS = [
    (State.ARMED, RunAsked, {}, Code.RUN_ARMED),
    (State.ARMED, CancelAsked, {}, Code.RUN_ARMED),
    (State.ASSESSING, CancelAsked, {}, Code.RUN_ARMED),
    (State.DOWNLOADING, InstallAsked, {}, Code.BUSY),
    (State.STAGED, RollbackAsked, {}, Code.BUSY),
    (State.DOWNLOADING, RunAsked, {}, None),
    (State.STAGED, CancelAsked, {}, None),
    (State.IDLE, RunAsked, {}, None),
    (State.IDLE, RunAsked, {"plan": Plan()}, Code.NOTHING_TO_DO),
    (State.IDLE, RunAsked, {"floor": "9"}, Code.BELOW_FLOOR),
    (State.IDLE, RunAsked, {"facts": None}, Code.NOTHING_TO_DO),
    (State.IDLE, InstallAsked, {}, None),
    (State.IDLE, CancelAsked, {}, Code.NOTHING_TO_DO),
    (State.IDLE, RetryAsked, {}, Code.NOTHING_TO_DO),
    (State.IDLE, RetryAsked, {"held": "x"}, None),
    (State.FAILED, RetryAsked, {}, None),
    (State.IDLE, RollbackAsked, {}, Code.NO_FALLBACK),
    (State.IDLE, RollbackAsked, {"facts": None}, Code.NO_FALLBACK),
]


@pytest.mark.parametrize(("state", "event", "changes", "code"), REFUSALS)
def test_refusal(world: World, state: State, event: type, changes: Any, code: Code | None) -> None:
    arguments = (world.moment(), world.other) if event is InstallAsked else (world.moment(),)

    refused = refusal(world.run(state, **changes), event(*arguments))

    assert (refused.code if refused else None) is code


@pytest.mark.parametrize("state", [State.ARMED, State.ASSESSING])
def test_refusal_of_an_armed_run_does_not_say_cancel(world: World, state: State) -> None:
    refused = refusal(world.run(state), CancelAsked(world.moment()))

    assert refused is not None
    assert "cancel" not in refused.hint


def test_refusal_of_a_quarantined_image_says_retry(world: World) -> None:
    run = world.run(State.IDLE, quarantine=quarantined(world))

    refused = refusal(run, RunAsked(world.moment()))

    assert refused is not None
    assert (refused.code, "retry" in refused.hint) == (Code.QUARANTINED, True)
    assert refusal(run, RetryAsked(world.moment())) is None


def test_refusal_while_the_booted_slot_is_being_assessed(world: World) -> None:
    facts = replace(world.in_b(), image_id="1")

    refused = refusal(world.run(State.IDLE, facts=facts), RunAsked(world.moment()))

    assert refused is not None
    assert refused.code is Code.BUSY


def test_refusal_of_rollback_to_a_good_slot_is_none(world: World) -> None:
    facts = world.in_b(assessment=Assessment.GOOD)

    assert refusal(world.run(State.IDLE, facts=facts), RollbackAsked(world.moment())) is None


def test_judge_knows_the_installed_file_only_while_it_is_booted(world: World) -> None:
    rebuilt = replace(world.offer, image_id="1")
    booted = world.run(State.IDLE, installed=replace(rebuilt, file_hash="f" * 64))
    gone = world.run(State.IDLE, installed=world.other)

    assert judge(booted, rebuilt).value == "install"
    assert judge(gone, rebuilt).value == "already-booted"


def test_lost_store_takes_the_cause_from_the_verdict(world: World) -> None:
    facts = replace(world.facts(tries_left=0, tries_done=3), verdict=world.verdict(good=False))

    after, _ = step(Run(), Started(world.moment(), facts, Rules(), store_lost=True))

    assert after.cause is not None
    assert (after.cause.code, "web" in after.cause.text) == (Code.PROBE_FAILED, True)


def test_cause_without_a_failed_probe_says_so(world: World) -> None:
    verdict = replace(world.verdict(good=False), probes=())
    facts = replace(world.facts(boot_id="boot-9", tries_left=0, tries_done=1), verdict=verdict)

    after, _ = step(world.run(State.ARMED), Started(world.moment(), facts, Rules()))

    assert after.cause is not None
    assert "names no required probe" in after.cause.text


def test_run_that_has_no_goal_says_so() -> None:
    with pytest.raises(RuntimeError, match="has no goal"):
        Run().with_goal(attempts=1)
    with pytest.raises(RuntimeError, match="has no goal"):
        goal_of(Run(State.ARMED))


def test_cause_has_a_hint(world: World) -> None:
    assert "probe" in world.cause().hint


def test_schedules_without_a_window_leave_the_image_staged(world: World) -> None:
    run = world.run(State.STAGED, plan=world.plan(Schedules()))

    assert step(run, Ticked(world.moment())) == (run, ())

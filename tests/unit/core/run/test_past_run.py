# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.errors import Code
from puad.core.model import Facts
from puad.core.past_run import PastRun, dump_past_run, load_past_run, past_run
from puad.core.run import Run, State
from puad.core.stored_values import dump_time, load_time
from tests.unit.core.run.conftest import World


def ended(world: World, state: State, facts: Facts | None, **goal: object) -> PastRun:
    run = replace(world.run(state), facts=facts, goal=world.goal(**goal))
    past = past_run(run, world.now)
    assert past is not None
    return past


def test_past_run_of_no_run_is_none(world: World) -> None:
    assert past_run(Run(), world.now) is None


def test_past_run_of_a_done_update_names_both_images(world: World) -> None:
    past = ended(world, State.DONE, world.in_b())
    assert past == PastRun(
        run_id="run-1",
        state="DONE",
        slot="b",
        image=world.offer,
        from_image_id="1",
        started_at=world.now - timedelta(minutes=5),
        finished_at=world.now,
    )


def test_past_run_of_a_failed_update_has_its_cause(world: World) -> None:
    past = ended(world, State.FAILED, world.facts(), by_operator=True)
    assert (past.state, past.from_image_id, past.by_operator) == ("FAILED", "1", True)
    assert past.cause == world.cause()


@pytest.mark.parametrize("state", [State.DOWNLOADING, State.STAGED])
def test_past_run_that_was_dropped_on_the_way_ended_in_idle(world: World, state: State) -> None:
    assert ended(world, state, world.facts()).state == "IDLE"


def test_past_run_of_a_rollback_comes_from_the_image_it_leaves(world: World) -> None:
    past = ended(world, State.ROLLED_BACK, world.facts(), undo=True, slot="a")
    assert (past.image, past.from_image_id, past.slot) == (None, "2", "a")


def test_past_run_without_facts_or_another_slot_knows_no_image_before(world: World) -> None:
    alone = replace(world.in_b(), slots=world.in_b().slots[1:])
    assert ended(world, State.DONE, None).from_image_id == ""
    assert ended(world, State.DONE, alone).from_image_id == ""


@pytest.mark.parametrize("state", [State.DONE, State.ROLLED_BACK, State.DOWNLOADING])
@pytest.mark.parametrize("undo", [False, True])
def test_past_run_survives_the_store(world: World, state: State, *, undo: bool) -> None:
    past = ended(world, state, world.facts(), undo=undo)
    assert load_past_run(json.loads(json.dumps(dump_past_run(past)))) == past


def test_load_past_run_of_a_newer_puad_ignores_what_it_does_not_know(world: World) -> None:
    past = ended(world, State.FAILED, world.facts())
    entry = dump_past_run(past) | {"state": "PAUSED", "colour": "red"}
    entry["cause"] |= {"code": "struck-by-lightning", "volts": 10**8}
    entry["image"]["size"] = 7

    loaded = load_past_run(entry)

    assert loaded is not None
    assert (loaded.state, loaded.image) == ("PAUSED", world.offer)
    assert loaded.cause == replace(world.cause(), code=Code.INTERNAL)


@pytest.mark.parametrize("lost", ["run_id", "state"])
def test_load_past_run_without_its_name_or_end_is_none(world: World, lost: str) -> None:
    entry = dump_past_run(ended(world, State.DONE, world.facts()))
    assert load_past_run(entry | {lost: None}) is None


JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just({"at": "x"})


@given(st.dictionaries(st.sampled_from(list(dump_past_run(PastRun("r", "DONE")))), JSON))
def test_load_past_run_never_fails(entry: dict[str, Any]) -> None:
    assert load_past_run({"run_id": "r", "state": "DONE"} | entry) is None or entry.get(
        "run_id", "r"
    )


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_load_time_out_of_the_calendar_is_no_time(text: str) -> None:
    assert load_time(text) is None
    assert dump_time(None) is None

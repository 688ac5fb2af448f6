# SPDX-License-Identifier: Apache-2.0
"""The stored run: what one puad writes, another one reads, older or newer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.run import DownloadTime, Quarantined, Run, State
from puad.core.snapshot import dump_run, load_run
from tests.unit.core.run.conftest import World


def full(world: World, state: State) -> Run:
    goal = world.goal(
        by_operator=True,
        from_folder=True,
        undo=True,
        min_version="1.5",
        attempts=3,
        retry_at=world.now,
        setback=world.cause(),
        asked_at=world.now,
        reboot_at=world.now,
    )
    return Run(
        state=state,
        goal=None if state is State.IDLE else goal,
        plan=world.plan(world.window()),
        cause=world.cause(),
        quarantine=(Quarantined("3" * 64, "3", world.cause()), Quarantined("", "4", world.cause())),
        floor="1.2",
        held="5" * 64,
        installed=world.other,
        download_at=DownloadTime("2" * 64, world.now, world.now),
        retry_at=world.now,
        told=False,
        short_window=world.now,
    )


@pytest.mark.parametrize("state", State)
def test_load_gives_back_what_was_dumped(world: World, state: State) -> None:
    run = full(world, state)

    assert load_run(json.loads(json.dumps(dump_run(run)))) == run


def test_load_of_an_empty_run(world: World) -> None:
    assert load_run(dump_run(Run())) == Run()


def test_load_unknown_state_of_a_newer_puad_lets_the_facts_decide(world: World) -> None:
    document = dump_run(full(world, State.ASSESSING))
    document |= {"schema": 7, "state": "CANARY", "goal": {"what": "a newer form"}}

    run = load_run(document)

    assert run.state is State.ARMED
    assert run.goal is not None
    assert (run.goal.run_id, run.goal.slot, run.goal.offer) == ("run-1", "b", world.offer)
    assert len(run.quarantine) == 2
    assert run.floor == "1.2"


def test_load_keeps_only_what_every_schema_keeps(world: World) -> None:
    whole = dump_run(full(world, State.STAGED))
    kept = {key: whole[key] for key in ("run_id", "image", "slot", "quarantine", "floor")}

    run = load_run({"schema": 9, **kept})

    assert run.state is State.ARMED
    assert (len(run.quarantine), run.floor) == (2, "1.2")


def test_load_goal_in_idle_is_judged_by_the_facts(world: World) -> None:
    document = dump_run(full(world, State.STAGED)) | {"state": "IDLE"}

    assert load_run(document).state is State.ARMED


def test_load_unknown_cause_keeps_its_text(world: World) -> None:
    document = dump_run(full(world, State.FAILED))
    document["cause"]["code"] = "struck-by-lightning"

    cause = load_run(document).cause

    assert cause is not None
    assert (cause.code.value, cause.text) == ("internal", "it went wrong")


def test_load_quarantine_leaves_out_what_names_no_image(world: World) -> None:
    document = dump_run(full(world, State.STAGED))
    document["quarantine"].append({"cause": None})

    assert len(load_run(document).quarantine) == 2


def test_load_plan_that_breaks_the_protocol_is_no_plan(world: World) -> None:
    document = dump_run(full(world, State.STAGED))
    document["plan"]["answer"]["osProfileUpdateSource"]["osImageSha"] = "no hash"

    assert load_run(document).plan == replace(Run().plan)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["schema", "state", "url", "image_id", "cause", "at", "code", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(dump_run(Run()))), JSON))
def test_load_never_fails(document: dict[str, Any]) -> None:
    assert isinstance(load_run(document), Run)

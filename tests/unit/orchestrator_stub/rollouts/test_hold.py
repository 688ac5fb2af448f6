# SPDX-License-Identifier: Apache-2.0
"""Why a rollout keeps an image from an instance, in words."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from orchestrator_stub.records import Instance, OSResource
from orchestrator_stub.rollouts import follow
from orchestrator_stub.rollouts.gate import Gate
from orchestrator_stub.rollouts.hold import Hold, hold
from orchestrator_stub.vocabulary import MemberState
from tests.unit.orchestrator_stub.maintenance.fleet import Edge
from tests.unit.orchestrator_stub.rollouts.staged import StagedFleet

NAME = "edge 2.0"


def held(fleet: StagedFleet, edge: Edge) -> Hold | None:
    with fleet.database.reading() as session:
        instance = session.get_one(Instance, edge.instance_id)
        image = session.scalars(select(OSResource).where(OSResource.image_id == "2.0")).one()
        assert image.name == NAME
        return hold(session, instance, image)


def test_policy_without_waves_holds_nothing(fleet: StagedFleet) -> None:
    (edge,) = fleet.enrolled(1, fleet.policy())
    assert held(fleet, edge) is None


def test_rollout_before_the_sweep_is_about_to_begin_and_to_take_hosts_in(
    fleet: StagedFleet,
) -> None:
    policy_id = fleet.staged(50, 100)
    (first,) = fleet.enrolled(1, policy_id)
    assert held(fleet, first) == Hold(f"The rollout of {NAME} is about to begin")
    fleet.sweep()
    assert held(fleet, first) is None
    (second,) = fleet.enrolled(1, policy_id)
    assert held(fleet, second) == Hold(f"The rollout of {NAME} is about to take it in")


def test_hosts_that_are_linked_need_not_wait_for_the_sweep(fleet: StagedFleet) -> None:
    policy_id, other_id = fleet.staged(50, 100), fleet.staged(100)
    edges, others = fleet.enrolled(4, policy_id), fleet.enrolled(1, other_id)
    fleet.database.write(lambda session: follow(session, policy_id, fleet.now_s))
    assert fleet.states() == "2 offered, 2 waiting"
    for edge in fleet.with_state(edges, MemberState.OFFERED):
        assert (held(fleet, edge), fleet.gate(edge)) == (None, Gate.OPEN)
    for edge in fleet.with_state(edges, MemberState.WAITING):
        assert held(fleet, edge) == Hold(
            f"It is in wave 2 of the rollout of {NAME}; wave 1 goes on"
        )
    assert held(fleet, others[0]) == Hold(f"The rollout of {NAME} is about to begin")


def test_host_of_the_next_wave_waits_for_the_end_of_the_pause(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(4, fleet.staged(25, 50, 100, pauseSeconds=3600))
    fleet.sweep()
    second, third = fleet.of_wave(edges, 1)[0], fleet.of_wave(edges, 2)[0]
    done_s = fleet.now_s
    fleet.update(*fleet.of_wave(edges, 0))
    fleet.sweep()
    assert fleet.rollout().wave_done_s >= done_s
    assert held(fleet, second) == Hold(
        f"It is in wave 2 of the rollout of {NAME}", at_s=fleet.rollout().wave_done_s + 3600
    )
    assert held(fleet, third) == Hold(
        f"It is in wave 3 of the rollout of {NAME}; wave 2 comes next"
    )


@pytest.mark.parametrize(("most", "words"), [(1, "one host"), (2, "2 hosts")])
def test_host_waits_for_its_turn(fleet: StagedFleet, most: int, words: str) -> None:
    edges = fleet.enrolled(4, fleet.staged(100, maxAtOnce=most))
    fleet.sweep()
    for edge in fleet.with_state(edges, MemberState.WAITING):
        found = held(fleet, edge)
        assert found is not None
        assert found.is_turn
        assert found.text == f"It waits for its turn: at most {words} at a time"


@pytest.mark.parametrize(
    ("wish", "why", "text"),
    [
        ("pause", "", "is paused by ada"),
        ("pause", "the shops call", "is paused by ada: the shops call"),
        ("stop", "it smokes", "is stopped by ada: it smokes"),
    ],
)
def test_rollout_that_stands_still_says_whose_doing_it_is(
    fleet: StagedFleet, wish: str, why: str, text: str
) -> None:
    edges = fleet.enrolled(2, fleet.staged(50, 100))
    fleet.sweep()
    fleet.steer(wish, why)
    for edge in edges:
        assert held(fleet, edge) == Hold(f"The rollout of {NAME} {text}")
    fleet.steer("resume")
    fleet.sweep()
    assert [held(fleet, edge) for edge in fleet.of_wave(edges, 0)] == [None]


def test_rollout_that_failures_have_stopped_says_how_many(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(4, fleet.staged(50, 100, maxFailed=0))
    fleet.sweep()
    failed, other = fleet.of_wave(edges, 0)
    fleet.fail(failed)
    fleet.sweep()
    assert held(fleet, failed) == Hold(f"{NAME} failed here", has_failed=True)
    assert held(fleet, other) == Hold(
        f"The rollout of {NAME} is stopped: 1 of 2 hosts of wave 1 failed; the policy allows 0"
    )


def test_host_that_was_released_waits_again(fleet: StagedFleet) -> None:
    (edge,) = fleet.enrolled(1, fleet.staged(100))
    fleet.sweep()
    fleet.fail(edge)
    fleet.change(edge, released=[fleet.published["edge 2.0"].file_hash])
    assert held(fleet, edge) is None

# SPDX-License-Identifier: Apache-2.0
"""What an operator does with a rollout, and with an image that has failed."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Instance, OSResource, Policy, Project, Rollout
from orchestrator_stub.rollouts import control
from orchestrator_stub.rollouts.gate import Gate
from orchestrator_stub.vocabulary import RolloutState
from tests.unit.orchestrator_stub.maintenance.fleet import PROJECT, Edge
from tests.unit.orchestrator_stub.rollouts.staged import StagedFleet

RUNNING, PAUSED = RolloutState.RUNNING, RolloutState.PAUSED
STOPPED, DONE = RolloutState.STOPPED, RolloutState.DONE


@pytest.fixture
def edges(fleet: StagedFleet) -> list[Edge]:
    """Two hosts, one of them in the wave that has begun."""
    found = fleet.enrolled(2, fleet.staged(50))
    fleet.sweep()
    return found


@pytest.mark.parametrize(
    ("before", "wish", "after"),
    [
        (RUNNING, "pause", PAUSED),
        (PAUSED, "pause", None),
        (STOPPED, "pause", None),
        (DONE, "pause", None),
        (RUNNING, "resume", None),
        (PAUSED, "resume", RUNNING),
        (STOPPED, "resume", RUNNING),
        (DONE, "resume", None),
        (RUNNING, "stop", STOPPED),
        (PAUSED, "stop", STOPPED),
        (STOPPED, "stop", None),
        (DONE, "stop", None),
    ],
)
def test_wish_that_makes_no_sense_is_refused(
    fleet: StagedFleet,
    edges: list[Edge],
    before: RolloutState,
    wish: str,
    after: RolloutState | None,
) -> None:
    with fleet.database.writing() as session:
        session.get_one(Rollout, fleet.rollout().id).state = before
    if after is None:
        stands = before.removeprefix("ROLLOUT_STATE_").lower()
        with pytest.raises(OrchestratorError, match=f"cannot be .*: it is {stands}") as refused:
            fleet.steer(wish)
        assert refused.value.code is Code.FAILED_PRECONDITION
    else:
        fleet.steer(wish)
    assert fleet.rollout().state is (after or before)


def test_every_wish_raises_the_revision(fleet: StagedFleet, edges: list[Edge]) -> None:
    seen = []
    for wish in ("pause", "resume", "stop", "resume"):
        fleet.steer(wish)
        with fleet.database.reading() as session:
            seen.append(session.get_one(Project, PROJECT).revision)
    assert seen == sorted(set(seen))


def test_reason_is_kept_and_says_whose_it_is(fleet: StagedFleet, edges: list[Edge]) -> None:
    fleet.steer("pause", "  too many\n calls ")
    assert fleet.rollout().reason == "Paused by ada: too many calls"
    fleet.steer("stop")
    assert fleet.rollout().reason == "Stopped by ada"
    assert fleet.rollout().end_s > 0
    fleet.steer("resume")
    assert (fleet.rollout().reason, fleet.rollout().end_s) == ("", 0)


@pytest.mark.parametrize("reason", ["x" * 201, "bell \a"])
def test_reason_that_no_page_could_show_is_refused(
    fleet: StagedFleet, edges: list[Edge], reason: str
) -> None:
    with pytest.raises(OrchestratorError, match="one line of text") as refused:
        fleet.steer("stop", reason)
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert fleet.rollout().state is RUNNING


def test_rollout_of_an_image_that_is_not_wanted_cannot_be_resumed(
    fleet: StagedFleet, edges: list[Edge]
) -> None:
    fleet.publish("3.0")
    fleet.sweep()
    with pytest.raises(OrchestratorError, match=r"the policy wants 3\.0 now"):
        fleet.steer("resume")


def test_of_two_operators_at_once_one_is_told_to_look_again(
    fleet: StagedFleet, edges: list[Edge]
) -> None:
    if fleet.database.dialect == "sqlite":
        fleet.steer("pause")  # its writers go one by one: the second sees what the first did
        with pytest.raises(OrchestratorError, match="it is paused"):
            fleet.steer("pause")
        return

    def stop_what_was_running() -> None:
        with fleet.database.writing() as session:
            row = session.get_one(Rollout, fleet.rollout().id)
            fleet.steer("pause")
            control.stop(session, row, "ada")

    with pytest.raises(OrchestratorError) as refused:
        stop_what_was_running()
    assert refused.value.code is Code.ABORTED


def test_paused_rollout_begins_no_wave(fleet: StagedFleet, edges: list[Edge]) -> None:
    fleet.steer("pause")
    (first,) = fleet.of_wave(edges, 0)
    assert fleet.gate(first) is Gate.HELD
    with fleet.database.writing() as session:
        session.get_one(Rollout, fleet.rollout().id).state = RUNNING
    fleet.update(first)
    fleet.steer("pause")
    fleet.sweep()
    assert fleet.rollout().wave == 0
    fleet.steer("resume")
    fleet.sweep()
    assert fleet.rollout().wave == 1


def release(fleet: StagedFleet, edge: Edge, file_hash: str) -> None:
    with fleet.database.writing() as session:
        control.release(session, session.get_one(Instance, edge.instance_id), file_hash)


def release_everywhere(fleet: StagedFleet, version: str = "2.0") -> int:
    with fleet.database.writing() as session:
        wanted = select(OSResource).where(OSResource.image_id == version)
        return control.release_everywhere(session, session.scalars(wanted).one())


def test_released_host_takes_its_turn_again(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(2, fleet.staged(100, maxAtOnce=1, maxFailed=5))
    fleet.sweep()
    (edge,) = [one for one in edges if fleet.gate(one) is Gate.OPEN]
    fleet.fail(edge)
    fleet.sweep()
    file_hash = fleet.published["edge 2.0"].file_hash
    release(fleet, edge, file_hash)
    assert fleet.instance(edge).released == [file_hash]
    assert fleet.states() == "1 offered, 1 waiting"
    assert fleet.say_failed(edge).clear_quarantine == (file_hash,)
    (other,) = [one for one in edges if one != edge]
    fleet.update(other)
    fleet.sweep()
    assert fleet.poll(edge, "UP_TO_DATE", quarantine=()).offer is not None
    fleet.update(edge)
    fleet.sweep()
    assert fleet.rollout().state is DONE


def test_hash_that_did_not_fail_there_is_not_released(
    fleet: StagedFleet, edges: list[Edge]
) -> None:
    for file_hash in (fleet.published["edge 2.0"].file_hash, "0" * 64):
        with pytest.raises(OrchestratorError, match=f"{file_hash} has failed on") as refused:
            release(fleet, edges[0], file_hash)
        assert refused.value.code is Code.FAILED_PRECONDITION


def test_hash_of_no_image_is_released_where_a_node_has_it_in_quarantine(
    fleet: StagedFleet, edges: list[Edge]
) -> None:
    fleet.change(edges[0], quarantine=["0" * 64])
    release(fleet, edges[0], "0" * 64)
    release(fleet, edges[0], "0" * 64)
    assert fleet.instance(edges[0]).released == ["0" * 64]


def test_image_is_released_everywhere_at_once(fleet: StagedFleet) -> None:
    file_hash = fleet.published["edge 2.0"].file_hash
    edges = fleet.enrolled(6, fleet.staged(100))
    fleet.sweep()
    told, untold, healed, other, more, _ = edges
    fleet.fail(told, untold, healed, more)
    fleet.change(untold, quarantine=[])
    fleet.poll(healed, "UPDATED", os_image_id="2.0", quarantine=())
    fleet.change(other, quarantine=["1" * 64])
    fleet.change(more, released=["1" * 64])
    versions = {edge: fleet.instance(edge).version for edge in edges}
    assert release_everywhere(fleet) == 3
    found = [fleet.instance(edge).released for edge in edges]
    both = ["1" * 64, file_hash]
    assert found == [[file_hash], [file_hash], [], [], sorted(both), []]
    assert fleet.states() == "2 offered, 1 updated, 3 waiting"
    raised = [fleet.instance(edge).version > versions[edge] for edge in edges]
    assert raised == [True, True, False, False, True, False]
    assert release_everywhere(fleet, "1.0") == 0


def test_image_is_released_everywhere_without_any_rollout(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(3, fleet.policy())
    fleet.fail(*edges[:2])
    assert release_everywhere(fleet) == 2
    assert fleet.say_failed(edges[0]).clear_quarantine != ()


def test_rollouts_of_a_policy_are_forgotten_once_nobody_has_it(
    fleet: StagedFleet, edges: list[Edge]
) -> None:
    policy_id = fleet.rollout().policy_id

    def forget() -> None:
        with fleet.database.writing() as session:
            policy = session.get_one(Policy, policy_id)
            control.forget(session, policy)
            session.delete(policy)

    with pytest.raises(OrchestratorError, match="it is linked to an instance"):
        forget()
    for edge in edges:
        fleet.link(edge, None)
    forget()
    assert fleet.rollouts() == {}

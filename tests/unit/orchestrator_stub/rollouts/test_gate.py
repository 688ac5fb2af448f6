# SPDX-License-Identifier: Apache-2.0
"""What an instance is told of an image while its rollout goes on."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from orchestrator_stub.records import Instance, Rollout, RolloutMember
from orchestrator_stub.rollouts.gate import Gate
from orchestrator_stub.vocabulary import Indication, MemberState, RolloutState
from tests.unit.orchestrator_stub.maintenance.fleet import Edge
from tests.unit.orchestrator_stub.rollouts.staged import StagedFleet

OPEN, HELD, CLOSED = Gate.OPEN, Gate.HELD, Gate.CLOSED


@pytest.fixture
def edge(fleet: StagedFleet) -> Edge:
    """The only member of a rollout."""
    (only,) = fleet.enrolled(1, fleet.staged(100))
    fleet.sweep()
    return only


@pytest.mark.parametrize(
    ("member", "started", "gates"),
    [
        (MemberState.WAITING, False, (CLOSED, CLOSED, CLOSED, CLOSED)),
        (MemberState.WAITING, True, (CLOSED, CLOSED, CLOSED, CLOSED)),
        (MemberState.OFFERED, False, (OPEN, HELD, CLOSED, OPEN)),
        (MemberState.OFFERED, True, (OPEN, OPEN, OPEN, OPEN)),
        (MemberState.UPDATED, False, (OPEN, HELD, CLOSED, OPEN)),
        (MemberState.FAILED, False, (CLOSED, CLOSED, CLOSED, CLOSED)),
    ],
)
def test_gate_follows_rollout_and_member(
    fleet: StagedFleet,
    edge: Edge,
    member: MemberState,
    started: bool,
    gates: tuple[Gate, ...],
) -> None:
    indication = Indication.IN_PROGRESS if started else Indication.IDLE
    fleet.change(edge, update_status_indicator=indication)
    found = []
    for state in ("RUNNING", "PAUSED", "STOPPED", "DONE"):
        with fleet.database.writing() as session:
            session.execute(update(RolloutMember).values(state=member))
            session.execute(update(Rollout).values(state=RolloutState(f"ROLLOUT_STATE_{state}")))
        found.append(fleet.gate(edge))
    assert tuple(found) == gates


def test_instance_in_no_rollout_is_not_offered_the_image_yet(fleet: StagedFleet) -> None:
    (edge,) = fleet.enrolled(1, fleet.staged(100))
    assert fleet.gate(edge) is CLOSED
    assert fleet.poll(edge, "UP_TO_DATE").offer is None
    fleet.sweep()
    offer = fleet.poll(edge, "UP_TO_DATE").offer
    assert offer is not None
    assert offer.image_id == "2.0"


def test_policy_without_waves_asks_no_rollout(fleet: StagedFleet) -> None:
    (edge,) = fleet.enrolled(1, fleet.policy())
    with fleet.queries() as queries:
        assert fleet.gate(edge) is OPEN
    assert not any("FROM rollout" in query for query in queries)


def test_gate_answers_from_one_query_and_writes_nothing(fleet: StagedFleet, edge: Edge) -> None:
    with fleet.queries() as queries, fleet.writes() as writes:
        fleet.gate(edge)
    assert len([query for query in queries if "rollout" in query and "JOIN" in query]) >= 1
    assert len([query for query in queries if "FROM rollout" in query]) == 1
    assert writes == []


def test_polls_in_steady_state_write_nothing(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(4, fleet.staged(50))
    fleet.sweep()
    for edge in edges:
        fleet.poll(edge, "UP_TO_DATE")
    fleet.later()
    with fleet.writes() as writes:
        for edge in edges:
            fleet.poll(edge, "UP_TO_DATE")
    assert writes == []


def test_paused_rollout_tells_the_image_and_no_window(fleet: StagedFleet, edge: Edge) -> None:
    told = fleet.poll(edge, "UP_TO_DATE")
    assert told.schedules.single is not None
    fleet.steer("pause")
    told = fleet.poll(edge, "UP_TO_DATE")
    assert told.offer is not None
    assert told.schedules.single is None
    fleet.steer("resume")
    told = fleet.poll(edge, "UP_TO_DATE")
    assert told.schedules.single is not None


def test_stopped_rollout_offers_nothing_and_cancels_what_has_not_started(
    fleet: StagedFleet, edge: Edge
) -> None:
    fleet.poll(edge, "DOWNLOADING")
    fleet.steer("stop")
    assert fleet.poll(edge, "DOWNLOADING").offer is None
    assert fleet.run(edge).status == "Cancelled: the rollout does not offer it now"


@pytest.mark.parametrize("wish", ["pause", "stop"])
def test_host_that_has_started_goes_on_to_its_end(
    fleet: StagedFleet, edge: Edge, wish: str
) -> None:
    fleet.poll(edge, "DOWNLOADING")
    fleet.poll(edge, "STARTED")
    fleet.steer(wish)
    fleet.sweep()
    told = fleet.poll(edge, "STARTED")
    assert told.offer is not None
    assert told.schedules.single is not None
    fleet.poll(edge, "UPDATED", os_image_id="2.0")
    assert fleet.states() == "1 updated"
    assert fleet.run(edge).status == "Update completed"


def test_host_whose_image_was_stopped_just_before_it_said_started_goes_on(
    fleet: StagedFleet, edge: Edge
) -> None:
    fleet.poll(edge, "DOWNLOADING")
    fleet.steer("stop")
    assert fleet.poll(edge, "STARTED").offer is not None
    fleet.poll(edge, "UPDATED", os_image_id="2.0")
    assert fleet.states() == "1 updated"


def test_host_that_failed_is_not_offered_the_image_again(fleet: StagedFleet, edge: Edge) -> None:
    fleet.fail(edge)
    assert fleet.states() == "1 failed"
    assert fleet.say_failed(edge).offer is None
    fleet.sweep()
    assert fleet.say_failed(edge).offer is None


def test_later_word_corrects_how_a_run_ended(fleet: StagedFleet, edge: Edge) -> None:
    fleet.poll(edge, "DOWNLOADING")
    fleet.poll(edge, "STARTED")
    fleet.later(2 * 3600)
    fleet.sweep()
    assert fleet.states() == "1 failed"  # it did not come back
    fleet.poll(edge, "UPDATED", os_image_id="2.0")
    assert fleet.states() == "1 updated"


def test_image_released_straight_in_the_record_lets_its_host_wait_again(
    fleet: StagedFleet, edge: Edge
) -> None:
    fleet.fail(edge)
    file_hash = fleet.published["edge 2.0"].file_hash
    with fleet.database.writing() as session:
        session.get_one(Instance, edge.instance_id).released = [file_hash]
    assert fleet.say_failed(edge).clear_quarantine == (file_hash,)
    assert fleet.states() == "1 waiting"
    fleet.sweep()
    assert fleet.states() == "1 offered"
    assert fleet.poll(edge, "UP_TO_DATE", quarantine=()).offer is not None

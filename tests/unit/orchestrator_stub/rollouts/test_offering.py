# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is: so many at once, and what becomes of hosts that are silent."""

from __future__ import annotations

import pytest

from orchestrator_stub.rollouts import ledger
from orchestrator_stub.vocabulary import MemberState, RolloutState
from tests.unit.orchestrator_stub.rollouts.staged import StagedFleet

HOUR_S = 3600
RUNNING, DONE = RolloutState.RUNNING, RolloutState.DONE


def test_silent_host_does_not_hold_up_its_wave_and_follows_when_it_is_back(
    fleet: StagedFleet,
) -> None:
    edges = fleet.enrolled(4, fleet.staged(50))
    fleet.sweep()
    first, silent = fleet.of_wave(edges, 0)
    fleet.later(2 * HOUR_S)
    fleet.seen([edge for edge in edges if edge != silent])
    fleet.sweep()
    assert fleet.rollout().wave == 0  # nothing is known of this wave
    fleet.update(first)
    fleet.sweep()
    assert fleet.rollout().wave == 1
    fleet.update(*fleet.of_wave(edges, 1))
    fleet.sweep()
    assert fleet.rollout().state is RUNNING
    fleet.update(silent)
    fleet.sweep()
    assert fleet.rollout().state is DONE


def test_silence_while_no_server_ran_does_not_count(
    fleet: StagedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    edges = fleet.enrolled(4, fleet.staged(50))
    fleet.sweep()
    fleet.update(fleet.of_wave(edges, 0)[0])
    fleet.later(2 * HOUR_S)
    monkeypatch.setattr(ledger, "_STARTED_S", fleet.now_s - 60)
    fleet.sweep()
    assert fleet.rollout().wave == 0


def test_so_many_at_once_and_the_next_when_one_has_ended(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(6, fleet.staged(100, maxAtOnce=2))
    fleet.sweep()
    seen = [fleet.states()]
    for _ in range(6):
        fleet.update(fleet.with_state(edges, MemberState.OFFERED)[0])
        fleet.sweep()
        seen.append(fleet.states())
    assert seen == [
        "2 offered, 4 waiting",
        "2 offered, 1 updated, 3 waiting",
        "2 offered, 2 updated, 2 waiting",
        "2 offered, 3 updated, 1 waiting",
        "2 offered, 4 updated",
        "1 offered, 5 updated",
        "6 updated",
    ]
    assert fleet.rollout().state is DONE


def test_turn_is_told_to_a_node_that_is_answered_from_memory(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(2, fleet.staged(100, maxAtOnce=1))
    fleet.sweep()
    (waiting,) = fleet.with_state(edges, MemberState.WAITING)
    for _ in range(3):
        fleet.later()
        assert fleet.poll(waiting, "UP_TO_DATE").offer is None
    assert fleet.manager.tally.remembered > 0
    before = fleet.revision()
    fleet.update(*fleet.with_state(edges, MemberState.OFFERED))
    fleet.sweep()
    assert fleet.poll(waiting, "UP_TO_DATE").offer is not None
    assert fleet.revision() == before  # nobody else is asked again


def test_turns_are_for_hosts_whose_window_is_open_or_opens_soon(fleet: StagedFleet) -> None:
    policy = fleet.staged(100, maxAtOnce=1)
    never, later, soon = (fleet.enrol() for _ in range(3))
    fleet.single(fleet.now_s + 5 * HOUR_S, fleet.now_s + 6 * HOUR_S, host_id=later.host_id)
    fleet.single(fleet.now_s + 1800, fleet.now_s + 2 * HOUR_S, host_id=soon.host_id)
    fleet.single(fleet.now_s - 5, status="MAINTENANCE", host_id=never.host_id)
    for edge in (never, later, soon):
        fleet.link(edge, policy)
    for passed_s, offered in [(0, [soon]), (3 * HOUR_S, []), (2 * HOUR_S, [later])]:
        fleet.later(passed_s)
        fleet.seen([never, later, soon])
        fleet.sweep()
        assert fleet.with_state([never, later, soon], MemberState.OFFERED) == offered


def test_host_that_has_started_keeps_its_turn_when_its_window_closes(fleet: StagedFleet) -> None:
    policy = fleet.staged(100, maxAtOnce=1)
    edges = [fleet.enrol() for _ in range(2)]
    for edge in edges:
        fleet.single(fleet.now_s, fleet.now_s + 600, host_id=edge.host_id)
        fleet.link(edge, policy)
    fleet.seen(edges)
    fleet.sweep()
    (edge,) = fleet.with_state(edges, MemberState.OFFERED)
    fleet.poll(edge, "DOWNLOADING")
    fleet.poll(edge, "STARTED")
    fleet.later(601)
    fleet.sweep()
    assert fleet.with_state(edges, MemberState.OFFERED) == [edge]


def test_host_that_started_as_its_turn_was_taken_counts_among_those_at_once(
    fleet: StagedFleet,
) -> None:
    policy = fleet.staged(100, maxAtOnce=1)
    edges = [fleet.enrol() for _ in range(2)]
    for edge in edges:
        fleet.single(fleet.now_s, fleet.now_s + 600, host_id=edge.host_id)
        fleet.link(edge, policy)
    fleet.seen(edges)
    fleet.sweep()
    (edge,) = fleet.with_state(edges, MemberState.OFFERED)
    fleet.poll(edge, "DOWNLOADING")
    fleet.later(601)
    fleet.seen(edges)
    for one in edges:  # new windows, so that the other one could begin
        fleet.single(fleet.now_s + 2 * HOUR_S, host_id=one.host_id)
    with fleet.database.writing() as session:
        ledger.sweep(session, fleet.now_s)
    assert fleet.states() == "2 waiting"
    fleet.poll(edge, "STARTED")
    fleet.later(2 * HOUR_S)
    fleet.seen(edges)
    with fleet.database.writing() as session:
        ledger.sweep(session, fleet.now_s)
    assert fleet.with_state(edges, MemberState.OFFERED) == [edge]


def test_silent_host_gives_its_turn_back(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(2, fleet.staged(100, maxAtOnce=1))
    fleet.sweep()
    (silent,) = fleet.with_state(edges, MemberState.OFFERED)
    fleet.later(2 * HOUR_S)
    others = [edge for edge in edges if edge != silent]
    fleet.seen(others)
    fleet.sweep()
    assert fleet.with_state(edges, MemberState.OFFERED) == others

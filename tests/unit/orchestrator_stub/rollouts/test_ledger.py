# SPDX-License-Identifier: Apache-2.0
"""Rollouts in the records: made, moved on, ended, and taken up again."""

from __future__ import annotations

from collections import Counter

import pytest

from orchestrator_stub.records import Host, Policy
from orchestrator_stub.rollouts.gate import Gate
from orchestrator_stub.vocabulary import HostState, RolloutState
from puad.core.wire import OSType
from tests.unit.orchestrator_stub.maintenance.fleet import new_manager, os_profile
from tests.unit.orchestrator_stub.rollouts.staged import StagedFleet

HOUR_S = 3600
RUNNING, PAUSED = RolloutState.RUNNING, RolloutState.PAUSED
STOPPED, DONE = RolloutState.STOPPED, RolloutState.DONE


def test_image_reaches_everybody_wave_by_wave(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(10, fleet.staged(10, 50, 100, pauseSeconds=60))
    fleet.sweep()
    assert Counter(row.wave for row in fleet.members().values()) == {0: 1, 1: 4, 2: 5}
    for wave in range(3):
        mine = fleet.of_wave(edges, wave)
        assert [fleet.gate(edge) for edge in mine] == [Gate.OPEN] * len(mine)
        later = [edge for edge in edges if fleet.members()[edge.instance_id].wave > wave]
        assert {fleet.gate(edge) for edge in later} <= {Gate.CLOSED}
        fleet.update(*mine)
        fleet.sweep()
        fleet.later(59)
        fleet.sweep()
        assert fleet.rollout().wave == wave
        fleet.later(1)
        fleet.sweep()
    assert (fleet.rollout().state, fleet.rollout().end_s > 0) == (DONE, True)
    assert fleet.states() == "10 updated"


def test_sweep_that_finds_nothing_new_writes_nothing(fleet: StagedFleet) -> None:
    fleet.enrolled(4, fleet.staged(50, maxAtOnce=1))
    fleet.sweep()
    fleet.sweep()
    before = fleet.revision()
    with fleet.writes() as writes:
        fleet.sweep()
    assert writes == []
    assert fleet.revision() == before


def test_restart_in_the_middle_changes_nothing(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(10, fleet.staged(20, 100, maxAtOnce=3))
    fleet.sweep()
    before = {one: (row.wave, row.state) for one, row in fleet.members().items()}
    fleet.manager = new_manager(fleet.database)
    fleet.sweep()
    assert {one: (row.wave, row.state) for one, row in fleet.members().items()} == before
    fleet.update(*fleet.of_wave(edges, 0))
    fleet.manager = new_manager(fleet.database)
    fleet.sweep()
    assert fleet.states() == "3 offered, 2 updated, 5 waiting"


def test_rollout_stops_by_itself_when_too_many_fail(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(20, fleet.staged(20, 100, maxFailed=1))
    fleet.sweep()
    first, second, *others = fleet.of_wave(edges, 0)
    fleet.fail(first)
    fleet.sweep()
    assert fleet.rollout().state is RUNNING
    fleet.fail(second)
    fleet.sweep()
    stopped = fleet.rollout()
    assert (stopped.state, stopped.wave) == (STOPPED, 0)
    assert stopped.reason == "2 of 4 hosts of wave 1 failed; the policy allows 1"
    assert {fleet.gate(edge) for edge in others} == {Gate.CLOSED}
    assert fleet.poll(others[0], "UP_TO_DATE").offer is None


def test_resumed_rollout_stops_again_only_by_new_failures(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(20, fleet.staged(20, 100, maxFailed=0))
    fleet.sweep()
    first, second, *_ = fleet.of_wave(edges, 0)
    fleet.fail(first)
    fleet.sweep()
    assert fleet.rollout().state is STOPPED
    fleet.steer("resume")
    fleet.sweep()
    assert (fleet.rollout().state, fleet.rollout().reason) == (RUNNING, "")
    assert fleet.gate(second) is Gate.OPEN
    fleet.fail(second)
    fleet.sweep()
    assert fleet.rollout().state is STOPPED


def test_newer_image_begins_a_rollout_and_ends_the_one_before(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(4, fleet.staged(50))
    fleet.sweep()
    fleet.update(*fleet.of_wave(edges, 0)[:1])
    fleet.publish("3.0")
    fleet.sweep()
    assert fleet.rollouts() == {"2.0": STOPPED, "3.0": RUNNING}
    assert fleet.rollout("2.0").reason == "Superseded: the policy wants 3.0 now"
    assert fleet.rollout("2.0").end_s == fleet.now_s
    assert len(fleet.members("3.0")) == 4


@pytest.mark.parametrize(("wish", "state"), [(None, RUNNING), ("pause", PAUSED)])
def test_image_that_is_wanted_again_goes_on_where_it_was(
    fleet: StagedFleet, wish: str | None, state: RolloutState
) -> None:
    edges = fleet.enrolled(4, fleet.staged(50))
    fleet.sweep()
    if wish:
        fleet.steer(wish, "let us see")
    reason = fleet.rollout().reason
    fleet.update(*fleet.of_wave(edges, 0)[:1])
    fleet.publish("3.0")
    fleet.sweep()
    fleet.withdraw("3.0")
    fleet.sweep()
    assert fleet.rollouts() == {"2.0": state, "3.0": STOPPED}
    assert fleet.rollout("3.0").reason == "Withdrawn: it breaks"
    assert (fleet.rollout().reason, fleet.rollout().end_s) == (reason, 0)
    assert fleet.states() == "1 offered, 1 updated, 2 waiting"


def test_rollout_that_an_operator_stopped_is_not_taken_up_again(fleet: StagedFleet) -> None:
    fleet.enrolled(2, fleet.staged(50))
    fleet.sweep()
    fleet.steer("stop", "Superseded: not at all")
    fleet.publish("3.0")
    fleet.sweep()
    fleet.withdraw("3.0")
    fleet.sweep()
    assert fleet.rollouts()["2.0"] is STOPPED


def test_withdrawn_target_ends_its_rollout(fleet: StagedFleet) -> None:
    fleet.enrolled(2, fleet.staged(50, target="2.0"))
    fleet.sweep()
    fleet.withdraw("2.0")
    fleet.sweep()
    assert (fleet.rollout().state, fleet.rollout().reason) == (STOPPED, "Withdrawn: it breaks")


def test_mutable_target_begins_no_rollout(fleet: StagedFleet) -> None:
    fleet.published["edge 8.0"] = os_profile("edge", "8.0", os_type=OSType.MUTABLE)
    fleet.publish()
    fleet.enrolled(2, fleet.staged(50, target="8.0"))
    fleet.sweep()
    assert fleet.rollouts() == {}


def test_hosts_that_are_linked_later_share_the_waves_that_have_not_begun(
    fleet: StagedFleet,
) -> None:
    policy = fleet.staged(10, 50, 100)
    edges = fleet.enrolled(10, policy)
    fleet.sweep()
    first = fleet.of_wave(edges, 0)
    edges += fleet.enrolled(10, policy)
    fleet.sweep()
    assert fleet.of_wave(edges, 0) == first
    assert Counter(row.wave for row in fleet.members().values()) == {0: 1, 1: 9, 2: 10}


def test_hosts_that_are_linked_after_the_end_take_the_rollout_up_again(fleet: StagedFleet) -> None:
    policy = fleet.staged(50, maxAtOnce=1)
    fleet.update(*fleet.enrolled(1, policy))
    (edge,) = fleet.enrolled(1, policy)
    fleet.sweep()
    fleet.update(edge)
    fleet.sweep()
    assert fleet.rollout().state is DONE
    later = fleet.enrolled(3, policy)
    assert fleet.gate(later[0]) is Gate.CLOSED
    fleet.sweep()
    assert (fleet.rollout().state, fleet.rollout().end_s) == (RUNNING, 0)
    assert fleet.states() == "1 offered, 1 updated, 2 waiting"


def test_unlinked_hosts_leave_but_failures_stay(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(4, fleet.staged(100))
    fleet.sweep()
    failed, started, _, _ = edges
    fleet.fail(failed)
    fleet.poll(started, "DOWNLOADING")
    fleet.poll(started, "STARTED")
    for edge in edges:
        fleet.link(edge, None)
    fleet.sweep()
    assert fleet.states() == "1 failed, 1 offered"
    fleet.poll(started, "UPDATED", os_image_id="2.0")
    assert fleet.states() == "1 failed, 1 updated"


def test_rollout_that_everybody_has_left_begins_anew(fleet: StagedFleet) -> None:
    policy = fleet.staged(50)
    edges = fleet.enrolled(4, policy)
    fleet.sweep()
    for edge in edges:
        fleet.link(edge, None)
    fleet.sweep()
    assert fleet.rollout().state is RUNNING
    assert fleet.members() == {}
    for edge in edges:
        fleet.link(edge, policy)
    fleet.sweep()
    assert fleet.states() == "2 offered, 2 waiting"


def test_host_that_comes_to_the_image_by_other_ways_has_updated(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(2, fleet.staged(50))
    fleet.sweep()
    fleet.poll(fleet.of_wave(edges, 1)[0], "UP_TO_DATE", os_image_id="2.0")
    fleet.sweep()
    assert fleet.states() == "1 offered, 1 updated"


def test_only_hosts_that_the_image_is_for_take_part(fleet: StagedFleet) -> None:
    policy = fleet.staged(100)
    fleet.publish("2.0", profile="other")
    old, untrusted, newer, other, runs_it = (
        fleet.enrol(),
        fleet.enrol(),
        fleet.enrol("2.1"),
        fleet.enrol("1.0", "another"),
        fleet.enrol("2.0"),
    )
    for edge in (old, untrusted, newer, other, runs_it):
        fleet.link(edge, policy)
    with fleet.database.writing() as session:
        session.get_one(Host, untrusted.host_id).state = HostState.UNTRUSTED
    fleet.sweep()
    assert list(fleet.members()) == [old.instance_id]


def test_each_profile_of_a_latest_policy_has_its_own_rollout(fleet: StagedFleet) -> None:
    policy = fleet.staged(50)
    fleet.publish("1.0", "7.0", profile="other")
    fleet.enrolled(2, policy)
    fleet.link(fleet.enrol("1.0", "other"), policy)
    fleet.sweep()
    assert fleet.rollouts() == {"2.0": RUNNING, "7.0": RUNNING}
    fleet.publish("8.0", profile="other")
    fleet.sweep()
    assert fleet.rollouts() == {"2.0": RUNNING, "7.0": STOPPED, "8.0": RUNNING}


def test_policy_without_hosts_makes_no_rollout(fleet: StagedFleet) -> None:
    fleet.staged(50)
    fleet.link(fleet.enrol(), fleet.policy())
    fleet.sweep()
    assert fleet.rollouts() == {}


def test_rules_that_cannot_be_read_stop_only_their_own_policy(fleet: StagedFleet) -> None:
    broken = fleet.staged(50)
    with fleet.database.writing() as session:
        session.get_one(Policy, broken).rollout = {"waves": "all"}
    (edge,) = fleet.enrolled(1, broken)
    fleet.enrolled(2, fleet.staged(50))
    fleet.sweep()
    assert fleet.gate(edge) is Gate.CLOSED
    assert fleet.states() == "1 offered, 1 waiting"


def test_image_that_had_failed_before_has_failed_and_does_not_count(fleet: StagedFleet) -> None:
    (edge,) = fleet.enrolled(1, fleet.policy())
    fleet.fail(edge)
    policy = fleet.staged(100, maxFailed=0)
    fleet.link(edge, policy)
    fleet.enrolled(1, policy)
    fleet.sweep()
    assert fleet.states() == "1 failed, 1 offered"
    assert fleet.rollout().state is RUNNING
    assert fleet.gate(edge) is Gate.CLOSED

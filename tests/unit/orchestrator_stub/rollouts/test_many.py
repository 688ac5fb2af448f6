# SPDX-License-Identifier: Apache-2.0
"""Ten thousand hosts, and several server processes on one database."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import lazyload

from orchestrator_stub.database import Database
from orchestrator_stub.records import Host, Instance, Rollout, RolloutMember
from orchestrator_stub.rollouts.gate import Gate, note
from orchestrator_stub.vocabulary import InstanceState, MemberState, RolloutState
from tests.unit.orchestrator_stub.maintenance.fleet import PROFILE, PROJECT, new_manager
from tests.unit.orchestrator_stub.rollouts.staged import StagedFleet

HOSTS = 10_000


def add_hosts(fleet: StagedFleet, policy_id: str, number: int = HOSTS) -> None:
    hosts = [
        {
            "id": f"host-{one:08x}",
            "project_uuid": PROJECT,
            "name": f"host {one}",
            "uuid": f"00000000-0000-0000-0000-{one:012x}",
            "last_seen_s": fleet.now_s,
        }
        for one in range(number)
    ]
    instances = [
        {
            "id": f"inst-{one:08x}",
            "project_uuid": PROJECT,
            "host_id": f"host-{one:08x}",
            "name": f"host {one}",
            "state": InstanceState.RUNNING,
            "profile_name": PROFILE,
            "image_id": "1.0",
            "policy_id": policy_id,
        }
        for one in range(number)
    ]
    with fleet.database.writing() as session:
        session.execute(insert(Host), hosts)
        session.execute(insert(Instance), instances)


def offered(fleet: StagedFleet) -> list[str]:
    with fleet.database.reading() as session:
        wanted = select(RolloutMember.instance_id).where(RolloutMember.state == MemberState.OFFERED)
        return list(session.scalars(wanted))


def end_runs(fleet: StagedFleet, instance_ids: list[str], outcome: MemberState) -> None:
    with fleet.database.writing() as session:
        for instance_id in instance_ids:
            instance = session.get_one(Instance, instance_id, options=[lazyload("*")])
            note(session, instance, "2.0", outcome, fleet.now_s)
            if outcome is MemberState.UPDATED:
                instance.image_id = "2.0"


def test_bad_image_at_ten_thousand_hosts_stops_in_the_first_wave(fleet: StagedFleet) -> None:
    add_hosts(fleet, fleet.staged(1, 10, 50, 100, maxFailedPercent=5))
    fleet.sweep()
    first = offered(fleet)
    assert len(first) == HOSTS // 100
    end_runs(fleet, first[:5], MemberState.FAILED)
    fleet.sweep()
    assert fleet.rollout().state is RolloutState.RUNNING
    end_runs(fleet, first[5:6], MemberState.FAILED)
    fleet.sweep()
    stopped = fleet.rollout()
    assert (stopped.state, stopped.wave) == (RolloutState.STOPPED, 0)
    assert stopped.reason.endswith("6 of 100 hosts of wave 1 failed; the policy allows 5 %")
    members = fleet.members()
    reached = {one for one, row in members.items() if row.state is not MemberState.WAITING}
    assert reached == set(first)
    fleet.later(86_400)
    fleet.sweep()
    assert {row.state for one, row in fleet.members().items() if one not in reached} == {
        MemberState.WAITING
    }


def test_good_image_reaches_ten_thousand_hosts(fleet: StagedFleet) -> None:
    add_hosts(fleet, fleet.staged(1, 10, 50))
    sizes = []
    for _ in range(4):
        fleet.sweep()
        sizes.append(len(offered(fleet)))
        with fleet.database.writing() as session:
            now = select(RolloutMember.instance_id).where(
                RolloutMember.state == MemberState.OFFERED
            )
            run_it = update(Instance).where(Instance.id.in_(now)).values(image_id="2.0")
            session.execute(run_it.execution_options(synchronize_session=False))
    fleet.sweep()
    assert sizes == [100, 900, 4000, 5000]
    assert fleet.rollout().state is RolloutState.DONE


@pytest.mark.parametrize("rules", [{}, {"maxAtOnce": 7}])
def test_several_processes_run_each_wave_once(fleet: StagedFleet, rules: dict[str, int]) -> None:
    paced = {"waves": [{"percent": 25}], "pauseSeconds": 10}
    fleet.enrolled(40, fleet.policy(rollout={**paced, **rules}))
    url = fleet.database._engines.url.render_as_string(hide_password=False)
    databases = [Database(url) for _ in range(4)]
    managers = [new_manager(database) for database in databases]
    most = 0
    with ThreadPoolExecutor(len(managers)) as pool:
        for _ in range(60):
            list(pool.map(lambda manager: manager.sweep(fleet.now_s), managers))
            now = offered(fleet)
            most = max(most, len(now))
            waves = Counter(row.wave for row in fleet.members().values())
            assert waves == {0: 10, 1: 30}
            end_runs(fleet, now[:5], MemberState.UPDATED)
            fleet.later(6)
            if fleet.rollout().state is RolloutState.DONE:
                break
    for database in databases:
        database.close()
    with fleet.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Rollout)) == 1
    assert fleet.states() == "40 updated"
    assert most <= rules.get("maxAtOnce", 30)


def test_polls_and_sweeps_at_once_lose_nothing(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(12, fleet.staged(50, 100, maxAtOnce=4))
    managers = [new_manager(fleet.database) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(60):
            sweeps = [pool.submit(manager.sweep, fleet.now_s) for manager in managers]
            open_now = [edge for edge in edges if fleet.gate(edge) is Gate.OPEN]
            todo = [edge for edge in open_now if fleet.instance(edge).image_id != "2.0"]
            polls = [pool.submit(fleet.update, edge) for edge in todo]
            for done in [*sweeps, *polls]:
                done.result()
            fleet.later(1)
            if fleet.states() == "12 updated":
                break
    fleet.sweep()
    assert fleet.states() == "12 updated"
    assert fleet.rollout().state is RolloutState.DONE
    assert {fleet.run(edge).status for edge in edges} == {"Update completed"}

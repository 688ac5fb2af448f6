# SPDX-License-Identifier: Apache-2.0
"""The fleet in numbers: as each host's own state says, in one statement, and seldom."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from sqlalchemy import select, text

from orchestrator_stub.database import Database
from orchestrator_stub.maintenance.host_status import (
    BOOTING_FOR_S,
    SILENT_AFTER_S,
    status_of_host,
)
from orchestrator_stub.maintenance.status import UPDATE_STATUS
from orchestrator_stub.observability import fleet as fleet_metrics
from orchestrator_stub.observability.fleet import STATES, Fleet, Numbers, count
from orchestrator_stub.records import Host, Instance, Operator, OperatorSession, Project
from orchestrator_stub.vocabulary import HostState, InstanceState
from puad.core.wire import StatusType

PROJECT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
NOW_S = 1_800_000_000


@pytest.fixture
def database(database: Database) -> Database:
    with database.writing() as session:
        session.add(Project(uuid=PROJECT, name="default"))
    return database


def add_host(
    database: Database, number: int, *, update_status: str | None, **fields: object
) -> None:
    with database.writing() as session:
        host = Host(project_uuid=PROJECT, name=f"edge-{number}", uuid=f"u-{number}", **fields)
        session.add(host)
        session.flush()
        if update_status is not None:
            session.add(
                Instance(
                    project_uuid=PROJECT,
                    host_id=host.id,
                    name="",
                    profile_name="edge",
                    state=InstanceState.RUNNING,
                    update_status=update_status,
                )
            )


def read(fleet: Fleet) -> dict[str, float]:
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in fleet.collect()
        for sample in family.samples
    }


def test_hosts_are_counted_as_the_state_of_each_says(database: Database) -> None:
    """Around every limit, with and without an instance."""
    random = Random(20_261_128)
    ages = [None, -5, 0]
    for limit_s in (SILENT_AFTER_S, BOOTING_FOR_S):
        ages += [limit_s - 1, limit_s, limit_s + 1]
    statuses = [None, *(status.text for status in UPDATE_STATUS.values())]
    for number in range(120):
        age_s = random.choice(ages)
        add_host(
            database,
            number,
            update_status=random.choice(statuses),
            last_seen_s=None if age_s is None else NOW_S - age_s,
            state=random.choice([HostState.ONBOARDED] * 4 + [HostState.UNTRUSTED]),
        )
    with database.reading() as session:
        hosts = session.scalars(select(Host)).unique().all()
        expected = Counter(status_of_host(host, NOW_S).text for host in hosts)
        assert count(session, NOW_S).hosts == {state: expected[state] for state in STATES}
    assert all(expected.values())
    assert set(expected) == set(STATES)


def test_only_live_sessions_count(database: Database) -> None:
    with database.writing() as session:
        operator = Operator(name="ann", password_hash="x")
        session.add(operator)
        session.flush()
        for number, ends_s in enumerate((NOW_S - 1, NOW_S, NOW_S + 1, NOW_S + 1000)):
            session.add(
                OperatorSession(
                    token_hash=f"{number}",
                    operator_id=operator.id,
                    csrf_token="x",
                    used_s=0,
                    expires_s=ends_s,
                )
            )
    with database.reading() as session:
        assert count(session, NOW_S).sessions == 2


def test_database_without_hosts_has_every_state_at_zero(database: Database) -> None:
    with database.reading() as session:
        assert count(session, NOW_S) == Numbers(dict.fromkeys(STATES, 0), 0)


def test_asking_often_reads_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(database)
    assert read(fleet)["puad_hostsunknown"] == 0
    add_host(database, 1, update_status=UPDATE_STATUS[StatusType.UP_TO_DATE].text)
    assert read(fleet)["puad_hostsunknown"] == 0
    monkeypatch.setattr(fleet_metrics, "KEPT_S", 0)
    assert read(fleet)["puad_hostsunknown"] == 1


def test_lost_database_is_told_and_nothing_is_made_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_metrics, "KEPT_S", 0)
    fleet = Fleet(database)
    assert read(fleet)["puad_database_up"] == 1
    with database.writing() as session:
        session.execute(text("ALTER TABLE host RENAME TO lost"))
    assert read(fleet) == {"puad_database_up": 0}
    with database.writing() as session:
        session.execute(text("ALTER TABLE lost RENAME TO host"))
    assert read(fleet)["puad_database_up"] == 1

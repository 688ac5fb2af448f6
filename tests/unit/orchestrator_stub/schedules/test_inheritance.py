# SPDX-License-Identifier: Apache-2.0
"""Which schedules apply to a host, against a walk through the records."""

from __future__ import annotations

import random
import uuid

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from orchestrator_stub.database import Database
from orchestrator_stub.records import (
    Host,
    Project,
    Region,
    RepeatedSchedule,
    SingleSchedule,
    Site,
)
from orchestrator_stub.schedules.inheritance import Windows, for_host, for_hosts
from orchestrator_stub.vocabulary import ScheduleStatus

PROJECT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"


def walk(session: Session, host: Host) -> set[str]:
    """The ids of the schedules that apply, found step by step."""
    places = [SingleSchedule.host_id == host.id]
    if host.site is not None:
        places.append(SingleSchedule.site_id == host.site.id)
        region = host.site.region
        while region is not None:
            places.append(SingleSchedule.region_id == region.id)
            region = region.parent
    return {
        row.id for place in places for row in session.scalars(select(SingleSchedule).where(place))
    }


@pytest.fixture
def places(database: Database) -> Database:
    """Forty hosts, some without a site, in a tree of regions; schedules everywhere."""
    rng = random.Random(5)
    with database.writing() as session:
        session.add(Project(uuid=PROJECT, name="default"))
        session.flush()
        regions: list[Region] = []
        for number in range(12):
            parent = rng.choice([None, *regions])
            region = Region(
                project_uuid=PROJECT, name=f"r{number}", parent_id=parent.id if parent else None
            )
            session.add(region)
            session.flush()
            regions.append(region)
        sites = [
            Site(project_uuid=PROJECT, name=f"s{number}", region_id=rng.choice(regions).id)
            for number in range(8)
        ] + [Site(project_uuid=PROJECT, name="nowhere")]
        session.add_all(sites)
        session.flush()
        hosts = []
        for number in range(40):
            site = rng.choice([None, *sites])
            hosts.append(
                Host(
                    project_uuid=PROJECT,
                    name=f"h{number}",
                    uuid=str(uuid.uuid4()),
                    site_id=site.id if site else None,
                )
            )
        session.add_all(hosts)
        session.flush()
        for number in range(60):
            target = rng.choice(
                [
                    {"host_id": rng.choice(hosts).id},
                    {"site_id": rng.choice(sites).id},
                    {"region_id": rng.choice(regions).id},
                ]
            )
            status = rng.choice(list(ScheduleStatus))
            session.add(
                SingleSchedule(
                    project_uuid=PROJECT, start_s=number, schedule_status=status, **target
                )
            )
    return database


def ids(windows: Windows) -> set[str]:
    return {row.id for row in windows.single}


def test_each_host_has_the_union_of_its_own_and_its_places(places: Database) -> None:
    with places.reading() as session:
        hosts = session.scalars(select(Host)).unique().all()
        together = for_hosts(session, hosts)
        for host in hosts:
            assert ids(for_host(session, host)) == ids(together[host.id]) == walk(session, host)
        assert any(len(ids(windows)) > 3 for windows in together.values())


def test_many_hosts_take_as_few_queries_as_one(places: Database) -> None:
    statements: list[str] = []

    def note(_c: object, _u: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    with places.reading() as session:
        hosts = session.scalars(select(Host)).unique().all()
        event.listen(places._engines.plain, "before_cursor_execute", note)
        found = for_hosts(session, hosts)
        assert all(row.start_s >= 0 for windows in found.values() for row in windows.single)
        event.remove(places._engines.plain, "before_cursor_execute", note)
    assert len(statements) == 3


def test_ring_of_regions_ends(places: Database) -> None:
    with places.writing() as session:
        first, second = session.scalars(select(Region).limit(2)).all()
        session.execute(update(Region).where(Region.id == first.id).values(parent_id=second.id))
        session.execute(update(Region).where(Region.id == second.id).values(parent_id=first.id))
        session.execute(update(Site).values(region_id=first.id))
    with places.reading() as session:
        hosts = session.scalars(select(Host).where(Host.site_id.is_not(None))).unique().all()
        assert for_hosts(session, hosts).keys() == {host.id for host in hosts}


def test_repeated_schedules_are_inherited_too(places: Database) -> None:
    with places.writing() as session:
        host = (
            session.scalars(select(Host).where(Host.site_id.is_not(None)).limit(1)).unique().one()
        )
        row = RepeatedSchedule(
            project_uuid=PROJECT,
            site_id=host.site_id,
            schedule_status=ScheduleStatus.MAINTENANCE,
            duration_s=60,
            cron_minutes="0",
            cron_hours="0",
            cron_day_month="*",
            cron_month="*",
            cron_day_week="*",
        )
        session.add(row)
        session.flush()
        assert [one.id for one in for_host(session, host).repeated] == [row.id]


def test_no_hosts_have_no_schedules(places: Database) -> None:
    with places.reading() as session:
        assert for_hosts(session, []) == {}

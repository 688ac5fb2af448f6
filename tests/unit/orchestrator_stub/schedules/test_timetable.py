# SPDX-License-Identifier: Apache-2.0
"""The timetable of a project, against what `schedules.inheritance` asks for each host."""

from __future__ import annotations

import random
import uuid

import pytest
from sqlalchemy import select, update

from orchestrator_stub.database import Database
from orchestrator_stub.records import (
    Host,
    Project,
    Region,
    RepeatedSchedule,
    SingleSchedule,
    Site,
)
from orchestrator_stub.schedules.inheritance import Windows, for_hosts
from orchestrator_stub.schedules.timetable import Timetable
from orchestrator_stub.schedules.windows import repeated_schedule, single_schedule
from orchestrator_stub.vocabulary import ScheduleStatus

PROJECT, OTHER = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
NOW_S = 1_000
CRON = {"cron_day_month": "*", "cron_month": "*", "cron_day_week": "*"}


@pytest.fixture
def places(database: Database) -> Database:
    """Two projects with hosts in a tree of regions, and schedules of every status everywhere."""
    chance = random.Random(11)
    with database.writing() as session:
        session.add_all([Project(uuid=PROJECT, name="one"), Project(uuid=OTHER, name="two")])
        session.flush()
        for project in (PROJECT, OTHER):
            regions: list[Region] = []
            for number in range(9):
                parent = chance.choice([None, *regions])
                parent_id = parent.id if parent else None
                regions.append(Region(project_uuid=project, name=f"r{number}", parent_id=parent_id))
                session.add(regions[-1])
                session.flush()
            sites = [
                Site(project_uuid=project, name=f"s{n}", region_id=chance.choice(regions).id)
                for n in range(7)
            ]
            sites.append(Site(project_uuid=project, name="nowhere"))
            session.add_all(sites)
            session.flush()
            hosts = [
                Host(
                    project_uuid=project,
                    name=f"h{n}",
                    uuid=str(uuid.uuid4()),
                    site_id=chance.choice([None, *(site.id for site in sites)]),
                )
                for n in range(30)
            ]
            session.add_all(hosts)
            session.flush()
            targets = [
                *({"host_id": one.id} for one in hosts[:10]),
                *({"site_id": one.id} for one in sites),
                *({"region_id": one.id} for one in regions),
            ]
            for number in range(120):
                common = {
                    "project_uuid": project,
                    "schedule_status": chance.choice(list(ScheduleStatus)),
                    "created_s": chance.randrange(50),
                    **chance.choice(targets),
                }
                if number % 2:
                    end_s = chance.choice([0, NOW_S - 1, NOW_S, NOW_S + 1, 9_000])
                    session.add(SingleSchedule(start_s=number, end_s=end_s, **common))
                else:
                    clock = {"cron_minutes": str(number % 60), "cron_hours": "3"}
                    session.add(RepeatedSchedule(duration_s=60, **clock, **CRON, **common))
    return database


def check(database: Database) -> int:
    """Compare the two for every host of a project: how many schedules were found."""
    with database.reading() as session:
        hosts = session.scalars(select(Host).where(Host.project_uuid == PROJECT)).unique().all()
        timetable = Timetable(session, PROJECT, NOW_S)
        asked = for_hosts(session, hosts)
        for host in hosts:
            windows = asked[host.id]
            single, repeated = wanted(windows)
            assert list(timetable.single(host.id, host.site_id)) == single
            assert list(timetable.repeated(host.id, host.site_id)) == repeated
        return sum(len(one.single) + len(one.repeated) for one in asked.values())


def wanted(windows: Windows) -> tuple[list[object], list[object]]:
    updates = ScheduleStatus.OS_UPDATE
    single: list[object] = [
        single_schedule(row)
        for row in windows.single
        if row.schedule_status is updates and (row.end_s == 0 or row.end_s > NOW_S)
    ]
    repeated: list[object] = [
        repeated_schedule(row) for row in windows.repeated if row.schedule_status is updates
    ]
    return single, repeated


def test_each_host_has_what_is_asked_for_it_in_the_same_order(places: Database) -> None:
    assert check(places) > 100


def test_ring_of_regions_ends(places: Database) -> None:
    with places.writing() as session:
        mine = select(Region).where(Region.project_uuid == PROJECT).limit(2)
        first, second = session.scalars(mine).all()
        session.execute(update(Region).where(Region.id == first.id).values(parent_id=second.id))
        session.execute(update(Region).where(Region.id == second.id).values(parent_id=first.id))
        inside = update(Site).where(Site.project_uuid == PROJECT).values(region_id=first.id)
        session.execute(inside)
    assert check(places) > 0


def test_host_or_site_that_came_later_has_no_windows(places: Database) -> None:
    with places.reading() as session:
        timetable = Timetable(session, PROJECT, NOW_S)
    assert timetable.single("host-new", "site-new") == ()
    assert timetable.repeated("host-new", None) == ()

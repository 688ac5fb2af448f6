# SPDX-License-Identifier: Apache-2.0
"""Where a window is open or opens soon: by host, by site, and by every region around a site."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import update

from orchestrator_stub.records import Region, RepeatedSchedule, Site
from orchestrator_stub.rollouts import places
from orchestrator_stub.rollouts.places import AHEAD_S
from tests.unit.orchestrator_stub.maintenance.fleet import PROJECT
from tests.unit.orchestrator_stub.rollouts.staged import StagedFleet


def hold(fleet: StagedFleet, host_id: str = "", site_id: str | None = None) -> bool:
    with fleet.database.reading() as session:
        return places.soon(session, PROJECT, fleet.now_s).hold(host_id, site_id)


def test_single_schedule_counts_from_some_time_ahead_to_its_end(fleet: StagedFleet) -> None:
    host = fleet.enrol().host_id
    start_s = fleet.now_s + 2 * AHEAD_S
    fleet.single(start_s, start_s + 600, host_id=host)
    found = []
    for now_s in (start_s - AHEAD_S - 1, start_s - AHEAD_S, start_s + 599, start_s + 600):
        fleet.now_s = now_s
        found.append(hold(fleet, host))
    assert found == [False, True, True, False]
    assert not hold(fleet, "host-other")


def test_repeated_schedule_counts_from_some_time_ahead(fleet: StagedFleet) -> None:
    host = fleet.enrol().host_id
    fleet.repeated(hour="2", host_id=host)
    found = []
    for hour in (0, 1, 2, 3):
        fleet.now_s = int(datetime(2030, 5, 5, hour, 30, tzinfo=UTC).timestamp())
        found.append(hold(fleet, host))
    assert found == [False, True, True, False]


def test_only_schedules_for_updates_count(fleet: StagedFleet) -> None:
    host = fleet.enrol().host_id
    fleet.single(fleet.now_s - 1, status="MAINTENANCE", host_id=host)
    fleet.single(fleet.now_s - 1, status="UNSPECIFIED", host_id=host)
    assert not hold(fleet, host)


def test_schedule_that_no_node_could_read_opens_nothing(fleet: StagedFleet) -> None:
    host = fleet.enrol().host_id
    fleet.repeated(host_id=host)
    with fleet.database.writing() as session:
        session.execute(update(RepeatedSchedule).values(cron_hours="nonsense"))
    assert not hold(fleet, host)


def test_sites_inherit_from_every_region_around_them(fleet: StagedFleet) -> None:
    outer = fleet.add(Region(project_uuid=PROJECT, name="outer"))
    inner = fleet.add(Region(project_uuid=PROJECT, name="inner", parent_id=outer))
    far = fleet.add(Region(project_uuid=PROJECT, name="far"))
    near, away, alone = (
        fleet.add(Site(project_uuid=PROJECT, name=f"site {region}", region_id=region))
        for region in (inner, far, None)
    )
    fleet.single(fleet.now_s - 1, region_id=outer)
    assert [hold(fleet, site_id=site) for site in (near, away, alone)] == [True, False, False]
    fleet.single(fleet.now_s - 1, site_id=alone)
    assert [hold(fleet, site_id=site) for site in (near, away, alone)] == [True, False, True]
    assert not hold(fleet, "host-of-no-site", None)

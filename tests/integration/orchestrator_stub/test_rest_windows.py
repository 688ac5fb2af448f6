# SPDX-License-Identifier: Apache-2.0
"""Which schedules a list has: by host with what it inherits, by site, by region, by time."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.orchestrator_stub.running import Node, Orchestrator

NOW = int(time.time())
DAY_S = 86_400
# 2031-03-05 is a Wednesday
MOMENT = int(datetime(2031, 3, 5, 2, 30, tzinfo=UTC).timestamp())


def made(orchestrator: Orchestrator, path: str, **document: object) -> str:
    return str(orchestrator.create(path, document)["resourceId"])


def single(orchestrator: Orchestrator, **document: object) -> str:
    fields = {"scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE", "startSeconds": NOW + DAY_S}
    return made(orchestrator, "compute/schedules/single", **{**fields, **document})


def repeated(orchestrator: Orchestrator, **document: object) -> str:
    fields = {
        "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
        "durationSeconds": 3600,
        "cronMinutes": "0",
        "cronHours": "2",
        "cronDayMonth": "*",
        "cronMonth": "*",
        "cronDayWeek": "*",
    }
    return made(orchestrator, "compute/schedules/repeated", **{**fields, **document})


def listed(orchestrator: Orchestrator, query: str, path: str = "compute/schedules") -> set[str]:
    answer = orchestrator.get(f"{path}?{query}")
    rows = [*answer.get("singleSchedules", ()), *answer.get("repeatedSchedules", ())]
    assert answer["totalElements"] == len(rows)
    return {row["resourceId"] for row in rows}


@pytest.fixture
def places(orchestrator: Orchestrator, node: Node) -> dict[str, str]:
    """The node's host at a site in a region in a region."""
    name = uuid.uuid4().hex[:8]
    outer = made(orchestrator, "compute/regions", name=f"outer {name}")
    inner = made(orchestrator, "compute/regions", name=f"inner {name}", parentId=outer)
    site = made(orchestrator, "compute/sites", name=name, regionId=inner)
    orchestrator.rest("PATCH", f"compute/hosts/{node.host_id}", {"siteId": site})
    return {"Region": outer, "inner": inner, "Site": site, "Host": node.host_id}


def test_host_has_its_own_schedules_and_those_of_every_place_around_it(
    orchestrator: Orchestrator, places: dict[str, str]
) -> None:
    of_host = single(orchestrator, targetHostId=places["Host"])
    of_site = repeated(orchestrator, targetSiteId=places["Site"])
    of_inner = single(orchestrator, targetRegionId=places["inner"])
    of_outer = repeated(orchestrator, targetRegionId=places["Region"])
    single(orchestrator, targetHostId=orchestrator.enrol().host_id)
    everything = {of_host, of_site, of_inner, of_outer}
    assert listed(orchestrator, f"hostId={places['Host']}") == everything
    assert listed(orchestrator, f"hostId={places['Host']}", "schedules") == everything
    assert listed(orchestrator, f"siteId={places['Site']}") == {of_site}
    assert listed(orchestrator, f"regionId={places['inner']}") == {of_inner}
    assert listed(orchestrator, f"regionId={places['Region']}") == {of_outer}
    by_kind = f"hostId={places['Host']}"
    assert listed(orchestrator, by_kind, "compute/schedules/single") == {of_host, of_inner}
    assert listed(orchestrator, by_kind, "compute/schedules/repeated") == {of_site, of_outer}


def test_host_without_a_site_inherits_nothing_and_an_unknown_one_has_nothing(
    orchestrator: Orchestrator, node: Node, places: dict[str, str]
) -> None:
    single(orchestrator, targetSiteId=places["Site"])
    assert listed(orchestrator, f"hostId={orchestrator.enrol().host_id}") == set()
    assert listed(orchestrator, "hostId=host-00000000") == set()


@pytest.mark.parametrize("target", ["Host", "Site", "Region"])
def test_schedule_has_one_target_and_a_new_one_takes_its_place(
    orchestrator: Orchestrator, places: dict[str, str], target: str
) -> None:
    schedule = single(orchestrator, **{f"target{target}Id": places[target]})
    path = f"compute/schedules/single/{schedule}"
    shown = orchestrator.get(path)
    assert shown[f"target{target}"]["resourceId"] == places[target]
    other = "Site" if target == "Host" else "Host"
    moved = orchestrator.rest("PATCH", path, {f"target{other}Id": places[other]}).json()
    assert f"target{target}" not in moved
    assert moved[f"target{other}"]["resourceId"] == places[other]
    both = {f"target{kind}Id": places[kind] for kind in ("Host", "Site")}
    refused = orchestrator.rest("PATCH", path, both)
    assert (refused.status_code, refused.json()["detail"]) == (
        400,
        "the schedule has more than one target",
    )


def test_masked_patch_of_a_schedule_changes_only_what_it_names(
    orchestrator: Orchestrator, node: Node
) -> None:
    schedule = repeated(orchestrator, targetHostId=node.host_id, name="night")
    path = f"compute/schedules/repeated/{schedule}"
    sent = {"cronHours": "4", "durationSeconds": 60, "name": "left out"}
    changed = orchestrator.rest("PATCH", f"{path}?fieldMask=cronHours", sent).json()
    assert (changed["cronHours"], changed["durationSeconds"], changed["name"]) == (
        "4",
        3600,
        "night",
    )
    assert orchestrator.rest("PATCH", f"{path}?fieldMask=name", {}).json()["name"] == ""
    assert orchestrator.rest("PATCH", f"{path}?fieldMask=cronHours", {}).status_code == 400


@pytest.mark.parametrize(
    ("fields", "at_s", "is_open"),
    [
        ({"start": -10, "end": 10}, 0, True),
        ({"start": 0, "end": 10}, 0, True),
        ({"start": 1, "end": 10}, 0, False),
        ({"start": -10, "end": 0}, 0, True),
        ({"start": -10, "end": -1}, 0, False),
        ({"start": -10}, 0, True),
        ({"start": 1}, 0, False),
    ],
)
def test_single_schedule_is_listed_while_its_window_is_open(
    orchestrator: Orchestrator, node: Node, fields: dict[str, int], at_s: int, is_open: bool
) -> None:
    document: dict[str, Any] = {"startSeconds": MOMENT + fields["start"]}
    if "end" in fields:
        document["endSeconds"] = MOMENT + fields["end"]
    schedule = single(orchestrator, targetHostId=node.host_id, **document)
    found = listed(orchestrator, f"hostId={node.host_id}&unixEpoch={MOMENT + at_s}")
    assert found == ({schedule} if is_open else set())


@pytest.mark.parametrize(
    ("fields", "at_s", "is_open"),
    [
        ({}, 0, True),  # 02:30 is within 02:00 and an hour
        ({}, -1800, True),
        ({}, -1801, False),
        ({}, 1800, True),
        ({}, 1801, False),
        ({"cronDayWeek": "3"}, 0, True),
        ({"cronDayWeek": "4"}, 0, False),
        ({"cronDayMonth": "6", "cronDayWeek": "3"}, 0, True),  # either day is enough
        ({"cronMonth": "4"}, 0, False),
        ({"cronDayMonth": "31", "cronMonth": "2"}, 0, False),  # a date that never comes
        ({"cronHours": "3", "durationSeconds": 86_400}, 0, True),  # since yesterday
        ({"cronMinutes": "30", "durationSeconds": 1}, 0, True),
        ({"cronMinutes": "30", "durationSeconds": 1}, 1, True),
        ({"cronMinutes": "30", "durationSeconds": 1}, 2, False),
    ],
)
def test_repeated_schedule_is_listed_while_its_window_is_open(
    orchestrator: Orchestrator, node: Node, fields: dict[str, Any], at_s: int, is_open: bool
) -> None:
    schedule = repeated(orchestrator, targetHostId=node.host_id, **fields)
    found = listed(orchestrator, f"hostId={node.host_id}&unixEpoch={MOMENT + at_s}")
    assert found == ({schedule} if is_open else set())


def test_open_windows_are_paged_and_filtered_as_all_lists(
    orchestrator: Orchestrator, node: Node
) -> None:
    names = ["c", "a", "b", "shut"]
    for name in names:
        hours = "4" if name == "shut" else "2"
        repeated(orchestrator, targetHostId=node.host_id, name=name, cronHours=hours)
    query = f"hostId={node.host_id}&unixEpoch={MOMENT}&orderBy=name&pageSize=2"
    first = orchestrator.get(f"compute/schedules/repeated?{query}")
    assert [row["name"] for row in first["repeatedSchedules"]] == ["a", "b"]
    assert (first["totalElements"], first["hasNext"]) == (3, True)
    second = orchestrator.get(f"compute/schedules/repeated?{query}&offset=2")
    assert [row["name"] for row in second["repeatedSchedules"]] == ["c"]
    assert second["hasNext"] is False
    narrow = orchestrator.get(f"compute/schedules/repeated?{query}&filter=name!=a")
    assert [row["name"] for row in narrow["repeatedSchedules"]] == ["b", "c"]


@pytest.mark.parametrize("query", ["unixEpoch=-1", "unixEpoch=x", "unixEpoch=4294967296"])
def test_wrong_moment_is_refused(orchestrator: Orchestrator, query: str) -> None:
    response = orchestrator.rest("GET", f"compute/schedules?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_argument")

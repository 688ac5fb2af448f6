# SPDX-License-Identifier: Apache-2.0
"""Sites and regions over REST: a tree without cycles, and nothing deleted that is used."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

import pytest

from orchestrator_stub.locations import MAX_DEPTH
from tests.integration.orchestrator_stub.running import Node, Orchestrator

REGIONS, SITES = "compute/regions", "compute/sites"


def name(kind: str) -> str:
    return f"{kind} {uuid.uuid4().hex[:8]}"


def region(orchestrator: Orchestrator, parent: str = "") -> str:
    made = orchestrator.create(REGIONS, {"name": name("region"), "parentId": parent})
    return str(made["resourceId"])


def site(orchestrator: Orchestrator, region_id: str = "") -> str:
    made = orchestrator.create(SITES, {"name": name("site"), "regionId": region_id})
    return str(made["resourceId"])


def refusal(
    orchestrator: Orchestrator, method: str, path: str, document: object = None
) -> tuple[int, str]:
    response = orchestrator.rest(method, path, document)
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.status_code, response.json()["code"]


def test_place_is_read_with_the_regions_around_it(orchestrator: Orchestrator) -> None:
    outer = region(orchestrator)
    inner = region(orchestrator, outer)
    found = orchestrator.get(f"{SITES}/{site(orchestrator, inner)}")
    assert found["siteID"] == found["resourceId"]
    assert found["region"]["regionID"] == inner
    assert found["region"]["parentRegion"]["resourceId"] == outer
    assert "parentRegion" not in found["region"]["parentRegion"]


def test_place_is_changed_by_put_and_by_patch(orchestrator: Orchestrator) -> None:
    outer = region(orchestrator)
    for path, key, shown in (
        (f"{REGIONS}/{region(orchestrator, outer)}", "parentId", "parentRegion"),
        (f"{SITES}/{site(orchestrator, outer)}", "regionId", "region"),
    ):
        renamed = orchestrator.rest("PATCH", path, {"name": name("x")}).json()
        assert renamed[shown]["resourceId"] == outer
        assert shown not in orchestrator.rest("PATCH", path, {key: ""}).json()
        moved = orchestrator.rest("PUT", path, {"name": renamed["name"], key: outer}).json()
        assert (moved["name"], moved[shown]["resourceId"]) == (renamed["name"], outer)
        assert shown not in orchestrator.rest("PUT", path, {"name": renamed["name"]}).json()


def test_region_cannot_lie_within_itself(orchestrator: Orchestrator) -> None:
    outer = region(orchestrator)
    middle = region(orchestrator, outer)
    inner = region(orchestrator, middle)
    for parent in (outer, middle, inner):
        change = {"parentId": parent}
        assert refusal(orchestrator, "PATCH", f"{REGIONS}/{outer}", change) == (
            400,
            "invalid_argument",
        )
    assert orchestrator.rest("PATCH", f"{REGIONS}/{inner}", {"parentId": outer}).status_code == 200


def test_regions_are_nested_only_so_deep_however_they_are_put_together(
    orchestrator: Orchestrator,
) -> None:
    chain = [region(orchestrator)]
    for _ in range(MAX_DEPTH - 1):
        chain.append(region(orchestrator, chain[-1]))
    deeper = {"name": name("region"), "parentId": chain[-1]}
    assert refusal(orchestrator, "POST", REGIONS, deeper) == (400, "invalid_argument")
    lower = region(orchestrator)
    region(orchestrator, lower)
    assert refusal(orchestrator, "PATCH", f"{REGIONS}/{lower}", {"parentId": chain[-2]}) == (
        400,
        "invalid_argument",
    )
    moved = orchestrator.rest("PATCH", f"{REGIONS}/{lower}", {"parentId": chain[-3]})
    assert moved.status_code == 200


def test_two_who_move_two_regions_into_each_other_make_no_cycle(
    orchestrator: Orchestrator,
) -> None:
    for _ in range(5):
        pair = region(orchestrator), region(orchestrator)
        answers: list[int] = []

        def move(
            inner: str, outer: str, answers: list[int] = answers
        ) -> None:  # each its own connection
            with orchestrator.new_session() as session:
                answers.append(
                    orchestrator.rest(
                        "PATCH", f"{REGIONS}/{inner}", {"parentId": outer}, session=session
                    ).status_code
                )

        threads = [threading.Thread(target=move, args=way) for way in (pair, pair[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(answers) == [200, 400]


def test_place_that_is_used_is_not_deleted(orchestrator: Orchestrator, node: Node) -> None:
    outer = region(orchestrator)
    inner = region(orchestrator, outer)
    shop = site(orchestrator, inner)
    window = {
        "scheduleStatus": "SCHEDULE_STATUS_MAINTENANCE",
        "startSeconds": int(time.time()) + 3600,
    }
    schedules = [
        orchestrator.create("compute/schedules/single", {**window, key: place})["resourceId"]
        for key, place in (("targetRegionId", inner), ("targetSiteId", shop))
    ]
    orchestrator.rest("PATCH", f"compute/hosts/{node.host_id}", {"siteId": shop})
    refused = (400, "failed_precondition")
    for place in (f"{REGIONS}/{outer}", f"{REGIONS}/{inner}", f"{SITES}/{shop}"):
        assert refusal(orchestrator, "DELETE", place) == refused
    orchestrator.rest("PATCH", f"compute/hosts/{node.host_id}", {"siteId": ""})
    assert refusal(orchestrator, "DELETE", f"{SITES}/{shop}") == refused
    orchestrator.rest("DELETE", f"compute/schedules/single/{schedules[1]}")
    assert orchestrator.rest("DELETE", f"{SITES}/{shop}").json() == {}
    assert refusal(orchestrator, "DELETE", f"{REGIONS}/{inner}") == refused
    orchestrator.rest("DELETE", f"compute/schedules/single/{schedules[0]}")
    assert orchestrator.rest("DELETE", f"{REGIONS}/{inner}").json() == {}
    assert orchestrator.rest("DELETE", f"{REGIONS}/{outer}").json() == {}
    assert refusal(orchestrator, "GET", f"{REGIONS}/{outer}") == (404, "not_found")


def test_name_belongs_to_one_place_of_a_kind(orchestrator: Orchestrator) -> None:
    taken = name("place")
    for path in (REGIONS, SITES):
        made = orchestrator.create(path, {"name": taken})
        assert refusal(orchestrator, "POST", path, {"name": taken}) == (409, "already_exists")
        other = orchestrator.create(path, {"name": name("place")})
        place = f"{path}/{other['resourceId']}"
        assert refusal(orchestrator, "PATCH", place, {"name": taken}) == (409, "already_exists")
        same = orchestrator.rest("PUT", f"{path}/{made['resourceId']}", {"name": taken})
        assert same.status_code == 200


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"name": ""},
        {"name": "n" * 51},
        {"name": "<script>"},
        {"name": "a\nb"},
        {"name": 5},
        {"name": "a", "colour": "red"},
        {"name": "a", "parentId": 5, "regionId": 5},
    ],
)
def test_wrong_place_is_refused(orchestrator: Orchestrator, document: dict[str, Any]) -> None:
    for path in (REGIONS, SITES):
        assert refusal(orchestrator, "POST", path, document) == (400, "invalid_argument")


def test_place_in_an_unknown_region_is_not_found(orchestrator: Orchestrator) -> None:
    for path, key in ((REGIONS, "parentId"), (SITES, "regionId")):
        document = {"name": name("place"), key: "region-00000000"}
        assert refusal(orchestrator, "POST", path, document) == (404, "not_found")

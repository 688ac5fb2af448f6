# SPDX-License-Identifier: Apache-2.0
"""The operator's REST API: policies, schedules, lists, and their rules."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from sqlalchemy import select

from orchestrator_stub.records import Project
from puad.core.model import RepeatedSchedule, SingleSchedule
from tests.integration.orchestrator_stub.running import Node, Orchestrator

DAILY = {
    "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
    "durationSeconds": 3600,
    "cronMinutes": "0,30",
    "cronHours": "2",
    "cronDayMonth": "*",
    "cronMonth": "*",
    "cronDayWeek": "1,5",
}


def in_future(seconds: int = 3600) -> int:
    return int(time.time()) + seconds


def single(node: Node, **changes: object) -> dict[str, object]:
    return {
        "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
        "targetHostId": node.host_id,
        "startSeconds": in_future(),
        **changes,
    }


def refusal(
    orchestrator: Orchestrator, method: str, path: str, document: object
) -> tuple[int, str]:
    response = orchestrator.rest(method, path, document)
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.status_code, response.json()["detail"]


# --- policies


def test_target_policy_offers_its_os_even_when_it_runs_or_is_older(
    orchestrator: Orchestrator, node: Node
) -> None:
    orchestrator.publish(node.profile, "0.9", "1.0")
    for version in ("1.0", "0.9"):
        os_id = orchestrator.os_id(node.profile, version)
        assert node.link(orchestrator.policy("TARGET", targetOsId=os_id)).status_code == 200
        offer = node.poll("UP_TO_DATE", os_image_id="1.0").offer
        assert offer is not None
        assert (offer.image_id, offer.profile_name) == (version, node.profile)
        assert offer.url == f"{node.profile}/{version}/{node.profile}-{version}.raw.zst"


def test_latest_policy_follows_version_order_and_never_goes_down(
    orchestrator: Orchestrator, node: Node
) -> None:
    node.link(orchestrator.policy("LATEST"))
    orchestrator.publish(node.profile, "3.0.20250717.0732", "3.0.20250717.1000", "2.9")
    answer = node.poll("UP_TO_DATE", os_image_id="1.0")
    assert answer.offer is not None
    assert answer.offer.image_id == "3.0.20250717.1000"
    assert node.poll("UP_TO_DATE", os_image_id="4.0").offer is None
    assert node.instance()["osUpdateAvailable"] == ""


def test_withdrawn_release_is_offered_to_nobody(orchestrator: Orchestrator, node: Node) -> None:
    orchestrator.publish(node.profile, "2.0", "3.0")
    target = orchestrator.policy("TARGET", targetOsId=orchestrator.os_id(node.profile, "3.0"))
    orchestrator.publish(node.profile, "2.0", withdrawn=("3.0",))
    node.link(orchestrator.policy("LATEST"))
    offer = node.poll("UP_TO_DATE", os_image_id="1.0").offer
    assert offer is not None
    assert offer.image_id == "2.0"
    assert node.instance()["osUpdateAvailable"] == f"{node.profile} 2.0"
    node.link(target)
    assert node.poll("UP_TO_DATE", os_image_id="1.0").offer is None
    os_path = f"compute/operating_systems/{orchestrator.os_id(node.profile, '3.0')}"
    assert orchestrator.get(os_path)["withdrawnReason"] == "it breaks"
    warned = orchestrator.get(f"os_update_policy/{target}")
    assert warned["targetOs"]["withdrawnReason"] == "it breaks"


def test_no_policy_offers_nothing_but_still_the_schedules(
    orchestrator: Orchestrator, node: Node
) -> None:
    orchestrator.publish(node.profile, "2.0")
    orchestrator.create("compute/schedules/single", single(node))
    answer = node.poll("UP_TO_DATE", os_image_id="1.0")
    assert answer.offer is None
    assert answer.schedules.single is not None
    assert node.instance()["updateStatus"] == "No new updates available"


def test_policy_taken_away_offers_nothing(orchestrator: Orchestrator, node: Node) -> None:
    orchestrator.publish(node.profile, "2.0")
    node.link(orchestrator.policy("LATEST"))
    assert node.poll("UP_TO_DATE", os_image_id="1.0").offer is not None
    assert node.link("").status_code == 200
    assert "updatePolicy" not in node.instance()
    assert node.poll("UP_TO_DATE", os_image_id="1.0").offer is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "OS Update Policy type cannot be unspecified"),
        (
            {"updatePolicy": "UPDATE_POLICY_UNSPECIFIED"},
            "OS Update Policy type cannot be unspecified",
        ),
        (
            {"updatePolicy": "UPDATE_POLICY_LATEST", "targetOsId": "os-00000000"},
            "With Policy LATEST, no fields should be set",
        ),
        (
            {"updatePolicy": "UPDATE_POLICY_LATEST", "updateKernelCommand": "quiet"},
            "With Policy LATEST, no fields should be set",
        ),
        (
            {
                "updatePolicy": "UPDATE_POLICY_TARGET",
                "targetOsId": "os-00000000",
                "updatePackages": "vim",
            },
            "Fields for mutable and immutable OSes are mutually exclusive",
        ),
        (
            {
                "updatePolicy": "UPDATE_POLICY_TARGET",
                "targetOsId": "os-00000000",
                "updateSources": ["Types: deb"],
            },
            "Fields for mutable and immutable OSes are mutually exclusive",
        ),
        (
            {"updatePolicy": "UPDATE_POLICY_TARGET"},
            "With Policy TARGET, at least one field must be set",
        ),
    ],
)
def test_policy_that_breaks_a_rule_is_refused_with_its_message(
    orchestrator: Orchestrator, fields: dict[str, Any], message: str
) -> None:
    document = {"name": "p", **fields}
    assert refusal(orchestrator, "POST", "os_update_policy", document) == (400, message)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 51}, "name"),
        ({"name": 5}, "name"),
        ({"description": "d" * 201}, "description"),
        ({"updatePolicy": "LATEST"}, "updatePolicy"),
        ({"targetOsId": "../etc"}, "targetOsId"),
        ({"updateKernelCommand": "quiet; reboot"}, "updateKernelCommand"),
        ({"updatePolice": "typo"}, "updatePolice"),
        ({"updateSources": "no list"}, "updateSources"),
    ],
)
def test_policy_with_a_wrong_field_is_refused_by_name(
    orchestrator: Orchestrator, fields: dict[str, Any], named: str
) -> None:
    document = {"name": "p", "updatePolicy": "UPDATE_POLICY_LATEST", **fields}
    status, detail = refusal(orchestrator, "POST", "os_update_policy", document)
    assert status == 400
    assert detail.startswith(f"{named}")


def test_policy_for_unknown_os_is_not_found(orchestrator: Orchestrator) -> None:
    document = {"name": "p", "updatePolicy": "UPDATE_POLICY_TARGET", "targetOsId": "os-00000000"}
    assert refusal(orchestrator, "POST", "os_update_policy", document)[0] == 404


def test_policy_of_another_profile_is_not_linked(orchestrator: Orchestrator, node: Node) -> None:
    orchestrator.publish("other-profile", "2.0")
    os_id = orchestrator.os_id("other-profile", "2.0")
    policy = orchestrator.policy("TARGET", targetOsId=os_id)
    path = f"compute/instances/{node.instance_id}"
    status, detail = refusal(orchestrator, "PATCH", path, {"osUpdatePolicyID": policy})
    assert status == 400
    assert "other-profile" in detail
    assert "updatePolicy" not in node.instance()


def test_policy_for_mutable_os_is_not_linked(orchestrator: Orchestrator, node: Node) -> None:
    response = node.link(orchestrator.policy("TARGET", updatePackages="vim"))
    assert (response.status_code, response.json()["code"]) == (400, "failed_precondition")


def test_unknown_policy_is_not_linked(node: Node) -> None:
    assert node.link("osupdatepolicy-00000000").status_code == 404


def test_policy_is_deleted_only_when_nothing_refers_to_it(
    orchestrator: Orchestrator, node: Node
) -> None:
    policy = orchestrator.policy("LATEST")
    path = f"os_update_policy/{policy}"
    node.link(policy)
    assert refusal(orchestrator, "DELETE", path, None)[0] == 400
    node.poll("DOWNLOADING")
    node.link("")
    status, detail = refusal(orchestrator, "DELETE", path, None)
    assert status == 400
    assert "an update run refers to it" in detail
    node.poll("UP_TO_DATE")
    run_id = node.runs()[0]["resourceId"]
    assert orchestrator.rest("DELETE", f"os_update_run/{run_id}").status_code == 200
    assert orchestrator.rest("DELETE", path).json() == {}
    assert orchestrator.rest("GET", path).status_code == 404
    assert orchestrator.rest("PUT", path, {}).status_code == 405


# --- schedules


def test_single_schedule_of_os_update_reaches_the_node(
    orchestrator: Orchestrator, node: Node
) -> None:
    start_s = in_future()
    made = orchestrator.create(
        "compute/schedules/single", single(node, startSeconds=start_s, endSeconds=start_s + 60)
    )
    assert made["resourceId"].startswith("singlesche-")
    assert made["singleScheduleID"] == made["resourceId"]
    assert made["targetHost"]["resourceId"] == node.host_id
    assert node.poll("UP_TO_DATE").schedules.single == SingleSchedule(start_s, start_s + 60)


def test_open_ended_single_schedule_has_no_end(orchestrator: Orchestrator, node: Node) -> None:
    made = orchestrator.create("compute/schedules/single", single(node))
    assert "endSeconds" not in made
    opening = node.poll("UP_TO_DATE").schedules.single
    assert opening is not None
    assert opening.end_s == 0


def test_maintenance_schedules_do_not_reach_the_node(
    orchestrator: Orchestrator, node: Node
) -> None:
    other = {"scheduleStatus": "SCHEDULE_STATUS_MAINTENANCE", "targetHostId": node.host_id}
    orchestrator.create("compute/schedules/single", {**single(node), **other})
    orchestrator.create("compute/schedules/repeated", {**DAILY, **other})
    schedules = node.poll("UP_TO_DATE").schedules
    assert schedules.single is None
    assert schedules.repeated == ()


def test_schedule_of_another_host_does_not_reach_the_node(
    orchestrator: Orchestrator, node: Node
) -> None:
    orchestrator.create("compute/schedules/single", single(orchestrator.enrol()))
    assert node.poll("UP_TO_DATE").schedules.single is None


def test_all_repeated_and_the_closest_single_reach_the_node(
    orchestrator: Orchestrator, node: Node
) -> None:
    near_s = in_future(100)
    for start_s in (near_s + 1000, near_s, near_s + 9000):
        orchestrator.create("compute/schedules/single", single(node, startSeconds=start_s))
    for hours in ("2", "3"):
        document = {**DAILY, "cronHours": hours, "targetHostId": node.host_id}
        orchestrator.create("compute/schedules/repeated", document)
    schedules = node.poll("UP_TO_DATE").schedules
    assert schedules.single == SingleSchedule(near_s)
    assert {r.cron_hours for r in schedules.repeated} == {"2", "3"}
    assert RepeatedSchedule(3600, "0,30", "2", "*", "*", "1,5") in schedules.repeated


def test_edited_and_deleted_schedule_takes_effect(orchestrator: Orchestrator, node: Node) -> None:
    made = orchestrator.create("schedules/single", single(node))
    path = f"compute/schedules/single/{made['resourceId']}"
    start_s = in_future(7200)
    assert orchestrator.rest("PATCH", path, {"startSeconds": start_s}).status_code == 200
    assert node.poll("UP_TO_DATE").schedules.single == SingleSchedule(start_s)
    whole = single(node, startSeconds=start_s, endSeconds=start_s + 5)
    assert orchestrator.rest("PUT", path, whole).status_code == 200
    assert orchestrator.get(path)["endSeconds"] == start_s + 5
    assert "endSeconds" not in orchestrator.rest("PATCH", path, {"endSeconds": None}).json()
    assert orchestrator.rest("DELETE", path).json() == {}
    assert orchestrator.rest("GET", path).status_code == 404
    assert node.poll("UP_TO_DATE").schedules.single is None


def test_open_window_can_be_lengthened_but_not_moved_into_the_past(
    orchestrator: Orchestrator, node: Node
) -> None:
    start_s = in_future(2)
    made = orchestrator.create(
        "compute/schedules/single", single(node, startSeconds=start_s, endSeconds=start_s + 60)
    )
    path = f"compute/schedules/single/{made['resourceId']}"
    while time.time() <= start_s:
        time.sleep(0.2)
    assert orchestrator.rest("PATCH", path, {"endSeconds": start_s + 600}).status_code == 200
    status, detail = refusal(orchestrator, "PATCH", path, {"startSeconds": start_s - 1})
    assert (status, detail) == (400, "Scheduled start time cannot be in the past")


def test_repeated_schedule_is_read_changed_and_deleted(
    orchestrator: Orchestrator, node: Node
) -> None:
    made = orchestrator.create(
        "compute/schedules/repeated", {**DAILY, "targetHostId": node.host_id, "name": "night"}
    )
    assert made["resourceId"].startswith("repeatedsche-")
    path = f"compute/schedules/repeated/{made['resourceId']}"
    assert orchestrator.get(path) == made
    assert orchestrator.rest("PATCH", path, {"cronHours": "4"}).json()["cronHours"] == "4"
    replaced = {**DAILY, "targetHostId": node.host_id, "durationSeconds": 60}
    assert orchestrator.rest("PUT", path, replaced).json()["name"] == ""
    assert node.poll("UP_TO_DATE").schedules.repeated[0].duration_s == 60
    listed = orchestrator.get(f"compute/schedules?hostId={node.host_id}")
    assert listed["totalElements"] == 1
    assert [row["resourceId"] for row in listed["repeatedSchedules"]] == [made["resourceId"]]
    assert listed["singleSchedules"] == []
    assert orchestrator.rest("DELETE", path).status_code == 200
    assert orchestrator.get(f"schedules/repeated?hostId={node.host_id}")["totalElements"] == 0


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"startSeconds": 1000}, 400, "Scheduled start time cannot be in the past"),
        ({"endSeconds": 1000}, 400, "end cannot be <= than start seconds"),
        ({"startSeconds": 0}, 400, "startSeconds"),
        ({"startSeconds": 1 << 32}, 400, "startSeconds"),
        ({"startSeconds": True}, 400, "startSeconds"),
        ({"startSeconds": "soon"}, 400, "startSeconds"),
        ({"startSeconds": None}, 400, "startSeconds"),
        ({"scheduleStatus": "SCHEDULE_STATUS_UNSPECIFIED"}, 400, "scheduleStatus"),
        ({"scheduleStatus": None}, 400, "scheduleStatus"),
        ({"name": "a<script>"}, 400, "name"),
        ({"name": "n" * 51}, 400, "name"),
        ({"targetSiteId": "site-1"}, 400, "more than one target"),
        ({"targetHostId": ""}, 400, "one of targetHostId, targetSiteId, targetRegionId"),
        ({"targetHostId": "", "targetRegionId": "region-00000000"}, 404, "region-00000000"),
        ({"targetHostId": "", "targetSiteId": "site-1"}, 404, "such record"),
        ({"targetHostId": "host-00000000"}, 404, "host-00000000"),
    ],
)
def test_wrong_single_schedule_is_refused(
    orchestrator: Orchestrator, node: Node, changes: dict[str, Any], status: int, words: str
) -> None:
    document = single(node, **changes)
    seen, detail = refusal(orchestrator, "POST", "compute/schedules/single", document)
    assert seen == status
    assert words in detail


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"durationSeconds": 0}, "durationSeconds"),
        ({"durationSeconds": 86_401}, "durationSeconds"),
        ({"cronMinutes": ""}, "cron fields must all be set"),
        ({"cronMinutes": "60"}, "cronMinutes"),
        ({"cronMinutes": "*/5"}, "cronMinutes"),
        ({"cronHours": "1-3"}, "cronHours"),
        ({"cronHours": "24"}, "cronHours"),
        ({"cronDayMonth": "0"}, "cronDayMonth"),
        ({"cronMonth": "13"}, "cronMonth"),
        ({"cronDayWeek": "7"}, "cronDayWeek"),
        ({"cronDayWeek": "?"}, "cronDayWeek"),
    ],
)
def test_wrong_repeated_schedule_is_refused(
    orchestrator: Orchestrator, node: Node, changes: dict[str, Any], words: str
) -> None:
    document = {**DAILY, "targetHostId": node.host_id, **changes}
    seen, detail = refusal(orchestrator, "POST", "compute/schedules/repeated", document)
    assert seen == 400
    assert words in detail


def test_wrong_patch_is_refused_and_changes_nothing(orchestrator: Orchestrator, node: Node) -> None:
    made = orchestrator.create("compute/schedules/single", single(node))
    path = f"compute/schedules/single/{made['resourceId']}"
    changes: list[Any] = [{"endSeconds": 5}, {"color": "red"}, {"startSeconds": "x"}, []]
    for change in changes:
        assert refusal(orchestrator, "PATCH", path, change)[0] == 400
    assert orchestrator.get(path) == made


# --- lists and projects


def test_list_is_paged(orchestrator: Orchestrator) -> None:
    profile = "paged"
    orchestrator.publish(profile, *(f"1.{n}" for n in range(7)))
    seen: list[str] = []
    offset = 0
    while True:
        page = orchestrator.get(f"compute/operating_systems?pageSize=3&offset={offset}")
        rows = page["OperatingSystemResources"]
        seen += [row["resourceId"] for row in rows]
        offset += len(rows)
        assert page["hasNext"] == (offset < page["totalElements"])
        if not page["hasNext"]:
            break
    assert len(seen) == len(set(seen)) == page["totalElements"]


@pytest.mark.parametrize("query", ["pageSize=0", "pageSize=101", "pageSize=x", "offset=-1"])
def test_wrong_page_is_refused(orchestrator: Orchestrator, query: str) -> None:
    status, detail = refusal(orchestrator, "GET", f"compute/hosts?{query}", None)
    assert status == 400
    assert detail.startswith(query.partition("=")[0])


def test_project_is_known_by_name_and_by_uuid(orchestrator: Orchestrator, node: Node) -> None:
    with orchestrator.database.reading() as session:
        project_uuid = session.scalars(select(Project.uuid).where(Project.name == "default")).one()
    path = f"compute/hosts/{node.host_id}"
    assert orchestrator.rest("GET", path, project=project_uuid).json()["uuid"] == node.guid


def test_records_of_another_project_are_not_there(orchestrator: Orchestrator, node: Node) -> None:
    other = f"other-{uuid.uuid4()}"
    with orchestrator.database.writing() as session:
        session.add(Project(uuid=str(uuid.uuid4()), name=other))
    response = orchestrator.rest("GET", f"compute/hosts/{node.host_id}", project=other)
    assert response.status_code == 404
    assert orchestrator.rest("GET", "compute/hosts", project=other).json()["hosts"] == []

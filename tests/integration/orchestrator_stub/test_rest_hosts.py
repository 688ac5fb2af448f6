# SPDX-License-Identifier: Apache-2.0
"""Hosts and instances over REST: made, changed, trusted no more, deleted."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from tests.integration.orchestrator_stub.running import Node, Orchestrator

HOSTS = "compute/hosts"


def new_name() -> str:
    return f"host-{uuid.uuid4().hex[:8]}"


def refusal(
    orchestrator: Orchestrator, method: str, path: str, document: object = None
) -> tuple[int, str]:
    response = orchestrator.rest(method, path, document)
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.status_code, response.json()["code"]


def site(orchestrator: Orchestrator) -> str:
    made = orchestrator.create("compute/sites", {"name": f"site {uuid.uuid4().hex[:8]}"})
    return str(made["resourceId"])


# --- made and trusted


def test_registered_host_is_known_but_not_trusted_until_it_is_onboarded(
    orchestrator: Orchestrator,
) -> None:
    guid = str(uuid.uuid4())
    made = orchestrator.create(f"{HOSTS}/register", {"name": new_name(), "uuid": guid.upper()})
    assert (made["uuid"], made["currentState"]) == (guid, "HOST_STATE_REGISTERED")
    assert "instance" not in made
    path = f"{HOSTS}/{made['resourceId']}"
    assert orchestrator.rest("PATCH", f"{path}/onboard").json() == {}
    assert orchestrator.get(path)["currentState"] == "HOST_STATE_ONBOARDED"


def test_host_registered_without_a_name_is_called_by_its_id(orchestrator: Orchestrator) -> None:
    document = {"uuid": str(uuid.uuid4()), "autoOnboard": True, "serialNumber": ""}
    made = orchestrator.create(f"{HOSTS}/register", document)
    assert made["name"] == made["resourceId"]
    assert made["currentState"] == "HOST_STATE_ONBOARDED"


def test_registration_is_changed_until_the_host_is_trusted(orchestrator: Orchestrator) -> None:
    made = orchestrator.create(f"{HOSTS}/register", {"uuid": str(uuid.uuid4())})
    path = f"{HOSTS}/{made['resourceId']}/register"
    name = new_name()
    changed = orchestrator.rest("PATCH", path, {"name": name}).json()
    assert (changed["name"], changed["currentState"]) == (name, "HOST_STATE_REGISTERED")
    changed = orchestrator.rest("PATCH", path, {"autoOnboard": True}).json()
    assert (changed["name"], changed["currentState"]) == (name, "HOST_STATE_ONBOARDED")


def test_created_host_stands_at_its_site(orchestrator: Orchestrator) -> None:
    document = {
        "name": new_name(),
        "uuid": str(uuid.uuid4()),
        "siteId": site(orchestrator),
        "note": "in the <cellar>",
    }
    made = orchestrator.create(HOSTS, document)
    assert made["currentState"] == "HOST_STATE_ONBOARDED"
    assert made["site"]["resourceId"] == document["siteId"]
    assert made["note"] == document["note"]
    assert orchestrator.get(f"{HOSTS}/{made['resourceId']}") == made


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"uuid": "no-uuid"}, (400, "invalid_argument")),
        ({"uuid": None}, (400, "invalid_argument")),
        ({"name": "no space"}, (400, "invalid_argument")),
        ({"name": "n" * 64}, (400, "invalid_argument")),
        ({"name": ""}, (400, "invalid_argument")),
        ({"note": "two\nlines"}, (400, "invalid_argument")),
        ({"note": "nul \0"}, (400, "invalid_argument")),
        ({"siteId": "site-00000000"}, (404, "not_found")),
        ({"siteId": "nul\0"}, (404, "not_found")),
        ({"colour": "red"}, (400, "invalid_argument")),
    ],
)
def test_host_with_a_wrong_field_is_not_made(
    orchestrator: Orchestrator, change: dict[str, Any], code: tuple[int, str]
) -> None:
    document = {"name": new_name(), "uuid": str(uuid.uuid4()), **change}
    assert refusal(orchestrator, "POST", HOSTS, document) == code
    assert orchestrator.get(f'{HOSTS}?filter=uuid="{document["uuid"]}"')["totalElements"] == 0


def test_name_and_uuid_belong_to_one_host(orchestrator: Orchestrator, node: Node) -> None:
    name = orchestrator.get(f"{HOSTS}/{node.host_id}")["name"]
    twin = {"name": new_name(), "uuid": node.guid}
    assert refusal(orchestrator, "POST", HOSTS, twin) == (409, "already_exists")
    assert refusal(orchestrator, "POST", f"{HOSTS}/register", twin) == (409, "already_exists")
    namesake = {"name": name, "uuid": str(uuid.uuid4())}
    assert refusal(orchestrator, "POST", HOSTS, namesake) == (409, "already_exists")
    other = orchestrator.enrol()
    path = f"{HOSTS}/{other.host_id}"
    assert refusal(orchestrator, "PATCH", path, {"name": name}) == (409, "already_exists")


def test_invalidated_host_is_not_onboarded_over_rest(
    orchestrator: Orchestrator, node: Node
) -> None:
    path = f"{HOSTS}/{node.host_id}"
    assert orchestrator.rest("PUT", f"{path}/invalidate?note=stolen").json() == {}
    assert refusal(orchestrator, "PATCH", f"{path}/onboard") == (400, "failed_precondition")
    assert orchestrator.get(path)["currentState"] == "HOST_STATE_UNTRUSTED"


def test_invalidated_instance_has_an_untrusted_host(orchestrator: Orchestrator, node: Node) -> None:
    path = f"compute/instances/{node.instance_id}/invalidate"
    assert orchestrator.rest("PUT", path).json() == {}
    assert orchestrator.get(f"{HOSTS}/{node.host_id}")["currentState"] == "HOST_STATE_UNTRUSTED"
    assert node.post({"hostGuid": node.guid, "updateStatus": {}}).status_code == 401


def test_registered_host_gets_its_instance_and_token_from_enrolment(
    orchestrator: Orchestrator,
) -> None:
    guid = str(uuid.uuid4())
    made = orchestrator.create(f"{HOSTS}/register", {"uuid": guid})
    site_id = site(orchestrator)
    orchestrator.rest("PATCH", f"{HOSTS}/{made['resourceId']}", {"siteId": site_id})
    node = orchestrator.enrol(guid=guid)
    assert node.host_id == made["resourceId"]
    host = orchestrator.get(f"{HOSTS}/{node.host_id}")
    assert (host["currentState"], host["site"]["resourceId"]) == ("HOST_STATE_ONBOARDED", site_id)
    assert host["instance"]["resourceId"] == node.instance_id
    node.poll("UP_TO_DATE")


# --- changed


def test_field_mask_says_what_a_patch_changes(orchestrator: Orchestrator, node: Node) -> None:
    path = f"{HOSTS}/{node.host_id}"
    before = orchestrator.get(path)
    sent = {"name": new_name(), "note": "new", "siteId": site(orchestrator)}
    changed = orchestrator.rest("PATCH", f"{path}?fieldMask=note,siteId", sent).json()
    assert changed["name"] == before["name"]
    assert (changed["note"], changed["site"]["resourceId"]) == ("new", sent["siteId"])
    cleared = orchestrator.rest("PATCH", f"{path}?fieldMask=siteId", {"note": "kept out"}).json()
    assert "site" not in cleared
    assert cleared["note"] == "new"
    assert refusal(orchestrator, "PATCH", f"{path}?fieldMask=uuid", sent) == (
        400,
        "invalid_argument",
    )


def test_answer_can_be_sent_back_and_changes_nothing(
    orchestrator: Orchestrator, node: Node
) -> None:
    for path in (f"{HOSTS}/{node.host_id}", f"compute/instances/{node.instance_id}"):
        before = orchestrator.get(path)
        again = orchestrator.rest("PUT", path, before)
        assert again.status_code == 200, again.text
        assert {**again.json(), "timestamps": 0} == {**before, "timestamps": 0}


def test_put_sets_what_it_leaves_out_to_nothing(orchestrator: Orchestrator, node: Node) -> None:
    path = f"{HOSTS}/{node.host_id}"
    name = new_name()
    orchestrator.rest("PATCH", path, {"siteId": site(orchestrator), "note": "x"})
    replaced = orchestrator.rest("PUT", path, {"name": name}).json()
    assert (replaced["name"], replaced["note"], "site" in replaced) == (name, "", False)
    node.link(orchestrator.policy("LATEST"))
    path = f"compute/instances/{node.instance_id}"
    replaced = orchestrator.rest("PUT", path, {"name": "the OS"}).json()
    assert (replaced["name"], "updatePolicy" in replaced) == ("the OS", False)


def test_host_and_os_of_an_instance_are_only_repeated(
    orchestrator: Orchestrator, node: Node
) -> None:
    path = f"compute/instances/{node.instance_id}"
    repeated = {"hostID": node.host_id, "osID": orchestrator.os_id(node.profile, "1.0")}
    assert orchestrator.rest("PATCH", path, repeated).status_code == 200
    other = {"hostID": orchestrator.enrol().host_id}
    assert refusal(orchestrator, "PATCH", path, other) == (400, "invalid_argument")


# --- deleted


def test_deleted_host_takes_its_history_and_schedules_along_and_its_node_is_refused(
    orchestrator: Orchestrator, node: Node
) -> None:
    node.poll("DOWNLOADING")
    made = orchestrator.create(
        "compute/schedules/single",
        {
            "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
            "targetHostId": node.host_id,
            "startSeconds": int(time.time()) + 3600,
        },
    )
    run_id = node.runs()[0]["resourceId"]
    path = f"{HOSTS}/{node.host_id}"
    assert orchestrator.rest("DELETE", path).json() == {}
    for gone in (
        path,
        f"compute/instances/{node.instance_id}",
        f"os_update_run/{run_id}",
        f"compute/schedules/single/{made['resourceId']}",
    ):
        assert refusal(orchestrator, "GET", gone) == (404, "not_found")
    assert refusal(orchestrator, "DELETE", path) == (404, "not_found")
    assert node.post({"hostGuid": node.guid, "updateStatus": {}}).status_code == 404


def test_host_whose_instance_is_deleted_is_registered_and_its_token_refused(
    orchestrator: Orchestrator, node: Node
) -> None:
    node.poll("DOWNLOADING")
    assert orchestrator.rest("DELETE", f"compute/instances/{node.instance_id}").json() == {}
    host = orchestrator.get(f"{HOSTS}/{node.host_id}")
    assert (host["currentState"], "instance" in host) == ("HOST_STATE_REGISTERED", False)
    assert orchestrator.get(f"os_update_run?hostId={node.host_id}")["totalElements"] == 0
    assert node.post({"hostGuid": node.guid, "updateStatus": {}}).status_code in {401, 404}
    again = orchestrator.enrol(guid=node.guid)
    assert (again.host_id, again.profile != node.profile) == (node.host_id, True)
    again.poll("UP_TO_DATE")
    assert node.post({"hostGuid": node.guid, "updateStatus": {}}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("POST", "compute/instances", "enrol"),
        ("POST", "compute/operating_systems", "release service"),
        ("PUT", "compute/operating_systems/{os}", "release service"),
        ("PATCH", "compute/operating_systems/{os}", "release service"),
        ("DELETE", "compute/operating_systems/{os}", "release service"),
    ],
)
def test_what_is_done_elsewhere_is_not_implemented_and_says_where(
    orchestrator: Orchestrator, node: Node, method: str, path: str, words: str
) -> None:
    place = path.format(os=orchestrator.os_id(node.profile, "1.0"))
    response = orchestrator.rest(method, place, {})
    assert (response.status_code, response.json()["code"]) == (501, "unimplemented")
    assert words in response.json()["detail"]
    if "{os}" in path:
        assert refusal(orchestrator, method, path.format(os="os-00000000"), {})[0] == 404


# --- counted


def test_summary_counts_running_failed_and_unallocated_hosts(orchestrator: Orchestrator) -> None:
    profile = f"edge-{uuid.uuid4().hex[:8]}"
    nodes = [orchestrator.enrol(profile) for _ in range(4)]
    nodes[0].poll("UP_TO_DATE")
    nodes[1].poll("UP_TO_DATE")
    nodes[2].poll("FAILED")
    orchestrator.rest("PATCH", f"{HOSTS}/{nodes[0].host_id}", {"siteId": site(orchestrator)})
    mine = f"filter=instance.profileName={profile}"
    assert orchestrator.get(f"{HOSTS}/summary?{mine}") == {
        "total": 4,
        "running": 2,
        "error": 1,
        "unallocated": 3,
    }
    assert orchestrator.get(f"{HOSTS}/summary?filter=name=nobody")["total"] == 0

# SPDX-License-Identifier: Apache-2.0
"""Filters and orders of every list over HTTP; what they mean is tested in test_filtering.py."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import pytest

from orchestrator_stub.maintenance.host_status import BOOTING_FOR_S, SILENT_AFTER_S
from orchestrator_stub.records import (
    Host,
    Instance,
    RepeatedSchedule,
    SingleSchedule,
)
from orchestrator_stub.rest import fields
from orchestrator_stub.rest.filtering import MOMENT, NUMBER, REFERENCE, TEXT, Field, Words
from orchestrator_stub.vocabulary import HostState
from tests.integration.orchestrator_stub.running import Node, Orchestrator

LISTS: Final[dict[str, Mapping[str, Field]]] = {
    "compute/hosts": fields.hosts(0),
    "compute/instances": fields.INSTANCES,
    "compute/operating_systems": fields.OPERATING_SYSTEMS,
    "compute/regions": fields.REGIONS,
    "compute/sites": fields.SITES,
    "compute/rollouts": fields.ROLLOUTS,
    "compute/schedules": fields.scheduled(SingleSchedule),
    "schedules": fields.scheduled(RepeatedSchedule),
    "compute/schedules/single": fields.SINGLE_SCHEDULES,
    "compute/schedules/repeated": fields.REPEATED_SCHEDULES,
    "os_update_policy": fields.POLICIES,
    "os_update_run": fields.RUNS,
}


def value_for(field: Field) -> str:
    if isinstance(field.kind, Words):
        return min(field.kind.known)
    return {TEXT: '"a*b"', NUMBER: "5", MOMENT: '"2026-01-01T00:00:00Z"', REFERENCE: "*"}[
        field.kind
    ]


@pytest.mark.parametrize("path", LISTS)
def test_every_field_can_be_filtered_and_ordered_by(orchestrator: Orchestrator, path: str) -> None:
    for name, field in LISTS[path].items():
        is_reference = field.kind == REFERENCE
        operator = ":" if is_reference else "!="
        terms = f"NOT has({name}) OR {name}{operator}{value_for(field)}"
        order = "" if is_reference else f"&orderBy={name} desc, {name}"
        response = orchestrator.rest("GET", f"{path}?filter={quote(terms)}{order}")
        assert response.status_code == 200, (name, response.text)


@pytest.mark.parametrize("path", LISTS)
def test_wrong_filter_and_order_say_where(orchestrator: Orchestrator, path: str) -> None:
    for query, detail in (
        ("filter=resourceId=a AND", "filter, character 17: expected "),
        ("filter=color=red", "filter, character 1: there is no such field"),
        ("orderBy=resourceId,color", "orderBy, character 12: there is no such field"),
        (f"filter={'x' * 1001}", "filter: "),
    ):
        response = orchestrator.rest("GET", f"{path}?{query}")
        assert response.status_code == 400
        assert response.json()["code"] == "invalid_argument"
        assert response.json()["detail"].startswith(detail)


@pytest.fixture
def fleet(orchestrator: Orchestrator) -> dict[str, Node]:
    """Four hosts of one profile: a at a site, b linked, c untrusted, d registered only."""
    profile = f"edge-{uuid.uuid4().hex[:8]}"
    orchestrator.publish(profile, "1.0")
    found = {letter: orchestrator.enrol(profile) for letter in "abcd"}
    site = orchestrator.create("compute/sites", {"name": profile})["resourceId"]
    for letter, node in found.items():
        change = {"name": f"{letter}-{profile}", **({"siteId": site} if letter == "a" else {})}
        orchestrator.rest("PATCH", f"compute/hosts/{node.host_id}", change)
    found["a"].poll("UP_TO_DATE", os_image_id="1.0")
    found["b"].link(orchestrator.policy("LATEST", name=f"policy {profile}"[:50]))
    orchestrator.rest("PUT", f"compute/hosts/{found['c'].host_id}/invalidate")
    with orchestrator.database.writing() as session:
        session.delete(session.get_one(Instance, found["d"].instance_id))
        session.get_one(Host, found["d"].host_id).state = HostState.REGISTERED
    return found


@pytest.mark.parametrize(
    ("filter_", "letters"),
    [
        ("currentState=HOST_STATE_ONBOARDED AND has(instance)", "ab"),
        ("currentState=HOST_STATE_ONBOARDED AND NOT has(instance)", ""),
        ("currentState=HOST_STATE_UNSPECIFIED OR currentState=HOST_STATE_REGISTERED", "d"),
        ("NOT has(site) OR NOT has(instance)", "bcd"),
        ("NOT has(site) OR NOT instance.desiredState=INSTANCE_STATE_RUNNING", "bcd"),
        ("has(instance.updatePolicy)", "b"),
        ("instance.updatePolicy.name=policy*", "b"),
        ("instance.os.imageId=1.0", "abc"),
        ("hostStatus=Running", "a"),
        ("hostStatusIndicator=STATUS_INDICATION_UNSPECIFIED", "bd"),
        ("hostStatus=Invalidated", "c"),
        ("hostStatusTimestamp>0", "a"),
        ('name:"a-" OR name=d-*', "ad"),
        ("site.name:edge", "a"),
        ('timestamps.createdAt>"2026-01-01T00:00:00Z"', "abcd"),
        ('timestamps.createdAt>"2126-01-01T00:00:00+01:00"', ""),
    ],
)
def test_hosts_are_filtered_as_the_original_s_page_asks(
    orchestrator: Orchestrator, fleet: dict[str, Node], filter_: str, letters: str
) -> None:
    profile = fleet["a"].profile
    wanted = quote(f"({filter_}) AND name:{profile}")
    answer = orchestrator.get(f"compute/hosts?filter={wanted}&orderBy=name")
    assert [host["name"] for host in answer["hosts"]] == [f"{n}-{profile}" for n in letters]
    assert answer["totalElements"] == len(letters)


def test_order_and_filter_hold_from_page_to_page(
    orchestrator: Orchestrator, fleet: dict[str, Node]
) -> None:
    query = f"filter=name:{fleet['a'].profile}&pageSize=3"
    order = "orderBy=site.name desc, name desc"
    pages: list[Any] = [
        orchestrator.get(f"compute/hosts?{query}&{order}&offset={offset}") for offset in (0, 3)
    ]
    names = [host["name"][0] for page in pages for host in page["hosts"]]
    assert "".join(names) == "adcb"
    assert [page["hasNext"] for page in pages] == [True, False]
    assert [page["totalElements"] for page in pages] == [4, 4]


def test_status_in_sql_is_the_status_that_hosts_show(orchestrator: Orchestrator) -> None:
    profile = f"edge-{uuid.uuid4().hex[:8]}"
    now_s = int(time.time())
    states = ("Updating", "Update completed")
    ages = (None, 0, SILENT_AFTER_S - 60, SILENT_AFTER_S + 60, BOOTING_FOR_S + 60)
    for state, age, trusted in itertools.product(states, ages, (True, False)):
        node = orchestrator.enrol(profile)
        with orchestrator.database.writing() as session:
            host = session.get_one(Host, node.host_id)
            assert host.instance is not None
            host.instance.update_status = state
            host.last_seen_s = None if age is None else now_s - age
            host.state = HostState.ONBOARDED if trusted else HostState.UNTRUSTED
    shown = orchestrator.get(f"compute/hosts?pageSize=100&filter=instance.profileName={profile}")[
        "hosts"
    ]
    assert {host["hostStatus"] for host in shown} == {
        *("Booting", "Invalidated", "No Connection", "Running", "Unknown"),
    }
    for field in ("hostStatus", "hostStatusIndicator"):
        for value in {host[field] for host in shown}:
            wanted = quote(f'instance.profileName={profile} AND {field}="{value}"')
            found = orchestrator.get(f"compute/hosts?pageSize=100&filter={wanted}")["hosts"]
            assert {host["resourceId"] for host in found} == {
                host["resourceId"] for host in shown if host[field] == value
            }

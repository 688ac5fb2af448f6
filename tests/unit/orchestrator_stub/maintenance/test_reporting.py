# SPDX-License-Identifier: Apache-2.0
"""What a report does to its instance."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator_stub.maintenance.status import UPDATE_STATUS
from orchestrator_stub.records import OSResource
from puad.core.model import Assessment, SlotState
from puad.core.wire import SlotReport, StatusType
from tests.unit.orchestrator_stub.maintenance.fleet import START_S, Edge, Fleet, failure

CVES = [{"cve_id": "CVE-2026-1", "priority": "high", "affected_packages": ["openssl"]}]
HASH = "ab" * 32
OTHER = "cd" * 32


@pytest.mark.parametrize("status", [status.name for status in StatusType])
def test_each_status_is_written_once_with_its_time(fleet: Fleet, edge: Edge, status: str) -> None:
    fleet.poll(edge, status)
    fleet.later()
    fleet.poll(edge, status)
    instance, expected = fleet.instance(edge), UPDATE_STATUS[StatusType[status]]
    assert (instance.update_status, instance.update_status_indicator) == (
        expected.text,
        expected.indicator,
    )
    assert instance.update_status_s == START_S


@pytest.mark.parametrize("status", ["UP_TO_DATE", "UPDATED", "FAILED"])
def test_os_follows_a_node_at_rest_with_its_cves(fleet: Fleet, edge: Edge, status: str) -> None:
    with fleet.database.writing() as session:
        session.get_one(OSResource, fleet.os_id("2.0")).existing_cves = CVES
    fleet.poll(edge, status, profile_name="edge", os_image_id="2.0")
    instance = fleet.instance(edge)
    assert (instance.image_id, instance.os_id) == ("2.0", fleet.os_id("2.0"))
    assert instance.existing_cves == CVES
    assert instance.available_os_id is None
    fleet.poll(edge, status, profile_name="edge", os_image_id="1.0", status_detail=failure())
    instance = fleet.instance(edge)
    assert (instance.os_id, instance.existing_cves) == (fleet.os_id("1.0"), [])
    assert instance.available_os_id == fleet.os_id("2.0")


@pytest.mark.parametrize("status", ["DOWNLOADING", "DOWNLOADED", "STARTED", "UNSPECIFIED"])
def test_os_does_not_follow_a_node_at_work(fleet: Fleet, edge: Edge, status: str) -> None:
    fleet.poll(edge, status, os_image_id="2.0")
    assert fleet.instance(edge).image_id == "1.0"


def test_unknown_image_says_so_until_it_is_published(fleet: Fleet, edge: Edge) -> None:
    fleet.poll(edge, "UPDATED", os_image_id="9.9")
    instance = fleet.instance(edge)
    assert (instance.image_id, instance.os_id, instance.existing_cves) == ("9.9", None, [])
    assert instance.detail == "The node runs edge 9.9, which is no OS resource here."
    fleet.publish("9.9")
    fleet.poll(edge, "UP_TO_DATE", os_image_id="9.9")
    instance = fleet.instance(edge)
    assert (instance.os_id, instance.detail) == (fleet.os_id("9.9"), "")


def test_wrong_profile_says_so_and_links_nothing(fleet: Fleet, edge: Edge) -> None:
    fleet.publish("2.0", profile="kiosk")
    fleet.poll(edge, "UPDATED", os_image_id="2.0", profile_name="kiosk")
    instance = fleet.instance(edge)
    assert instance.image_id == "1.0"
    assert instance.detail == (
        "The node runs profile kiosk 2.0, but this instance has profile edge."
    )
    assert fleet.runs(edge) == []


def test_node_without_known_image_says_it_first(fleet: Fleet) -> None:
    edge = fleet.enrol("")
    assert fleet.instance(edge).available_os_id is None
    fleet.poll(edge, "UP_TO_DATE", os_image_id="1.0")
    instance = fleet.instance(edge)
    assert (instance.os_id, instance.available_os_id) == (fleet.os_id("1.0"), fleet.os_id("2.0"))


@pytest.mark.parametrize(
    "detail",
    [
        "plain words",
        "{}",
        '{"UpdateLog": []}',
        '{"update_log": {}}',
        '{"update_log": [{"status": "exploded"}]}',
        '{"update_log": ' + "[" * 50_000,
    ],
)
def test_malformed_detail_is_dropped_and_the_status_is_kept(
    fleet: Fleet, edge: Edge, detail: str
) -> None:
    fleet.poll(edge, "FAILED", status_detail=detail)
    instance = fleet.instance(edge)
    assert (instance.update_status, instance.update_status_detail) == ("Update failed", "")
    assert fleet.run(edge).status_details == ""


def test_detail_of_another_status_is_not_stored(fleet: Fleet, edge: Edge) -> None:
    fleet.poll(edge, "DOWNLOADING", status_detail=failure())
    assert fleet.instance(edge).update_status_detail == ""


def test_detail_is_kept_until_another_failure_is_told(fleet: Fleet, edge: Edge) -> None:
    for detail, kept in (
        (failure("first"), "first"),
        (failure("first, told otherwise"), "first"),
        ("", "first"),
        (failure("second", START_S + 9), "second"),
    ):
        fleet.poll(edge, "FAILED", status_detail=detail)
        found = fleet.instance(edge).update_status_detail
        assert found == failure(kept, START_S if kept == "first" else START_S + 9)


def test_extras_of_the_node_are_kept(fleet: Fleet, edge: Edge) -> None:
    a = SlotReport("a", "1.0", SlotState.BOOTED, Assessment.GOOD)
    fields: dict[str, Any] = {
        "progress_percent": 40,
        "phase": "writing",
        "slots": (a,),
        "quarantine": (HASH,),
    }
    fleet.poll(edge, "DOWNLOADING", **fields)
    instance = fleet.instance(edge)
    assert instance.update_progress_percent == 40
    assert (instance.phase, instance.slots, instance.quarantine) == ("writing", [a.dump()], [HASH])
    fleet.poll(edge, "DOWNLOADED")
    instance = fleet.instance(edge)
    assert instance.update_progress_percent is None
    assert (instance.phase, instance.quarantine) == ("", [])
    assert instance.slots == [a.dump()]  # a node that has just started does not know them yet


def test_released_hash_is_told_until_the_quarantine_has_it_no_more(
    fleet: Fleet, edge: Edge
) -> None:
    fleet.poll(edge, "FAILED", quarantine=(HASH, OTHER))
    fleet.change(edge, released=[HASH])
    for _ in range(2):
        assert fleet.poll(edge, "FAILED", quarantine=(HASH, OTHER)).clear_quarantine == (HASH,)
    assert fleet.poll(edge, "DOWNLOADING", quarantine=(HASH,)).clear_quarantine == (HASH,)
    assert fleet.poll(edge, "FAILED", quarantine=(OTHER,)).clear_quarantine == ()
    assert fleet.poll(edge, "FAILED", quarantine=(OTHER, HASH)).clear_quarantine == ()
    assert fleet.instance(edge).released == []


def test_node_that_tells_no_quarantine_is_told_until_it_moves(fleet: Fleet, edge: Edge) -> None:
    fleet.poll(edge, "FAILED")
    fleet.change(edge, released=[HASH])
    assert fleet.poll(edge, "FAILED").clear_quarantine == (HASH,)
    assert fleet.poll(edge, "DOWNLOADING").clear_quarantine == ()
    assert fleet.poll(edge, "FAILED").clear_quarantine == ()


def test_available_update_is_newer_and_not_only_another(fleet: Fleet) -> None:
    fleet.publish("3.0.20250717.0732", "3.0.20250717.1000")
    edge = fleet.enrol("3.0.20250717.0732")
    newest = fleet.os_id("3.0.20250717.1000")
    assert fleet.instance(edge).available_os_id == newest
    fleet.poll(edge, "UPDATED", os_image_id="3.0.20250717.1000")
    assert fleet.instance(edge).available_os_id is None

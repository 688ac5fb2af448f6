# SPDX-License-Identifier: Apache-2.0
"""What nodes are told to install, and when."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy.orm import Session

from orchestrator_stub.maintenance.plan import closest
from orchestrator_stub.records import Host, Instance, OSResource, Policy, Region, Site
from orchestrator_stub.rollouts.gate import Gate
from orchestrator_stub.vocabulary import PolicyKind
from puad.core.model import SingleSchedule
from puad.core.wire import MAX_SCHEDULES, OSType
from tests.unit.orchestrator_stub.maintenance.fleet import (
    PROJECT,
    START_S,
    Edge,
    Fleet,
    os_profile,
)

NOW_S = 1_000_000


@pytest.mark.parametrize(
    ("singles", "chosen"),
    [
        ([], None),
        ([(NOW_S - 100, NOW_S)], None),
        ([(NOW_S - 100, NOW_S + 1)], 0),
        ([(NOW_S - 100, NOW_S - 1), (NOW_S + 500, 0)], 1),
        ([(NOW_S + 500, 0), (NOW_S + 400, NOW_S + 401)], 1),
        ([(NOW_S - 10_000_000, 0)], 0),
        ([(NOW_S - 10_000, 0), (NOW_S + 100, 0)], 1),
        ([(NOW_S - 50, 0), (NOW_S + 100, 0)], 0),
        ([(NOW_S - 50, 0), (NOW_S + 50, 0)], 0),
    ],
)
def test_closest_single_schedule_that_is_not_over_is_chosen(
    singles: list[tuple[int, int]], chosen: int | None
) -> None:
    schedules = [SingleSchedule(start_s, end_s) for start_s, end_s in singles]
    wanted = None if chosen is None else schedules[chosen]
    for order in itertools.permutations(schedules):
        assert closest(order, NOW_S) == wanted


def offered(fleet: Fleet, edge: Edge) -> str | None:
    fleet.later()
    offer = fleet.poll(edge, "UP_TO_DATE", os_image_id=fleet.instance(edge).image_id).offer
    return offer.image_id if offer else None


def test_no_policy_is_no_offer_and_no_error(fleet: Fleet, edge: Edge) -> None:
    fleet.repeated(host_id=edge.host_id)
    answer = fleet.poll(edge, "UP_TO_DATE")
    assert answer.offer is None
    assert answer.os_type is OSType.IMMUTABLE
    assert len(answer.schedules.repeated) == 1


def test_target_is_offered_even_when_it_runs_or_is_older(fleet: Fleet) -> None:
    old, new = fleet.policy("1.0"), fleet.policy("2.0")
    edge = fleet.enrol("2.0")
    for policy, version in ((new, "2.0"), (old, "1.0")):
        fleet.link(edge, policy)
        assert offered(fleet, edge) == version


def test_offer_has_all_that_the_node_needs(fleet: Fleet, edge: Edge) -> None:
    fleet.link(edge, fleet.policy())
    offer = fleet.poll(edge, "UP_TO_DATE").offer
    profile = os_profile("edge", "2.0")
    assert offer is not None
    assert (offer.url, offer.file_hash) == (profile.image_url, profile.file_hash)
    assert (offer.profile_name, offer.profile_version) == ("edge", "")


@pytest.mark.parametrize(
    ("runs", "published", "version"),
    [
        ("1.0", (), "2.0"),
        ("2.0", (), "2.0"),
        ("3.0", (), None),
        ("", (), "2.0"),
        ("1.0", ("3.0.20250717.0732", "3.0.20250717.1000"), "3.0.20250717.1000"),
    ],
)
def test_latest_is_the_newest_and_never_older(
    fleet: Fleet, runs: str, published: tuple[str, ...], version: str | None
) -> None:
    fleet.publish(*published)
    edge = fleet.enrol(runs)
    fleet.link(edge, fleet.policy())
    assert offered(fleet, edge) == version


def test_latest_knows_no_other_profile_and_no_mutable_os(fleet: Fleet, edge: Edge) -> None:
    fleet.publish("9.0", profile="kiosk")
    fleet.published["edge 8.0"] = os_profile("edge", "8.0", os_type=OSType.MUTABLE)
    fleet.publish()
    fleet.link(edge, fleet.policy())
    assert offered(fleet, edge) == "2.0"


def test_mutable_target_is_offered_to_nobody(fleet: Fleet, edge: Edge) -> None:
    fleet.published["edge 8.0"] = os_profile("edge", "8.0", os_type=OSType.MUTABLE)
    fleet.publish()
    fleet.link(edge, fleet.policy("8.0"))
    assert offered(fleet, edge) is None


def test_withdrawn_is_offered_to_nobody(fleet: Fleet) -> None:
    target, latest = fleet.policy("2.0"), fleet.policy()
    edges = [fleet.enrol(), fleet.enrol()]
    for edge, policy in zip(edges, (target, latest), strict=True):
        fleet.link(edge, policy)
        assert offered(fleet, edge) == "2.0"
    fleet.withdraw("2.0")
    assert [offered(fleet, edge) for edge in edges] == [None, "1.0"]


def test_policy_without_target_offers_nothing(fleet: Fleet, edge: Edge) -> None:
    policy = Policy(
        project_uuid=PROJECT, name="kernel", kind=PolicyKind.TARGET, update_kernel_command="quiet"
    )
    fleet.link(edge, fleet.add(policy))
    assert offered(fleet, edge) is None


def test_only_schedules_for_updates_are_told(fleet: Fleet, edge: Edge) -> None:
    for status in ("MAINTENANCE", "UNSPECIFIED"):
        fleet.single(START_S + 100, status=status, host_id=edge.host_id)
        fleet.repeated(status=status, host_id=edge.host_id)
    schedules = fleet.poll(edge, "UP_TO_DATE").schedules
    assert (schedules.single, schedules.repeated) == (None, ())


def test_schedules_of_every_place_around_the_host_are_told(fleet: Fleet, edge: Edge) -> None:
    earth = fleet.add(Region(project_uuid=PROJECT, name="earth"))
    europe = fleet.add(Region(project_uuid=PROJECT, name="europe", parent_id=earth))
    mars = fleet.add(Region(project_uuid=PROJECT, name="mars"))
    depot = fleet.add(Site(project_uuid=PROJECT, name="depot", region_id=europe))
    other = fleet.add(Site(project_uuid=PROJECT, name="other", region_id=mars))
    targets = {
        "1": {"host_id": edge.host_id},
        "2": {"site_id": depot},
        "3": {"region_id": europe},
        "4": {"region_id": earth},
        "5": {"site_id": other},
        "6": {"region_id": mars},
        "7": {"host_id": fleet.enrol().host_id},
    }
    for hour, target in targets.items():
        fleet.repeated(hour, **target)
    hours = [one.cron_hours for one in fleet.poll(edge, "UP_TO_DATE").schedules.repeated]
    assert hours == ["1"]
    with fleet.database.writing() as session:
        session.get_one(Host, edge.host_id).site_id = depot
    hours = [one.cron_hours for one in fleet.poll(edge, "UP_TO_DATE").schedules.repeated]
    assert sorted(hours) == ["1", "2", "3", "4"]


def test_repeated_schedules_are_as_many_as_the_message_holds(fleet: Fleet, edge: Edge) -> None:
    for _ in range(MAX_SCHEDULES + 2):
        fleet.repeated(host_id=edge.host_id)
    assert len(fleet.poll(edge, "UP_TO_DATE").schedules.repeated) == MAX_SCHEDULES


@pytest.mark.parametrize(
    ("gate", "version", "windows"),
    [(Gate.OPEN, "2.0", 1), (Gate.HELD, "2.0", 0), (Gate.CLOSED, None, 1)],
)
def test_gate_of_a_rollout_decides_what_is_told(
    fleet: Fleet,
    edge: Edge,
    monkeypatch: pytest.MonkeyPatch,
    gate: Gate,
    version: str | None,
    windows: int,
) -> None:
    asked: list[tuple[str, str, int]] = []

    def ask(_session: Session, instance: Instance, wanted: OSResource, now_s: int) -> Gate:
        asked.append((instance.id, wanted.image_id, now_s))
        return gate

    monkeypatch.setattr("orchestrator_stub.maintenance.plan.gate", ask)
    fleet.repeated(host_id=edge.host_id)
    fleet.link(edge, fleet.policy())
    fleet.poll(edge, "UP_TO_DATE")
    assert asked == []
    fleet.link(edge, fleet.policy(rollout={"waves": [{"share": 100}]}))
    answer = fleet.poll(edge, "UP_TO_DATE")
    assert (answer.offer.image_id if answer.offer else None) == version
    assert len(answer.schedules.repeated) == windows
    assert set(asked) == {(edge.instance_id, "2.0", fleet.now_s)}


def test_gate_is_not_asked_of_what_runs_already(
    fleet: Fleet, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator_stub.maintenance.plan.gate", lambda *_: Gate.CLOSED)
    fleet.link(edge, fleet.policy("1.0", rollout={"waves": [{"share": 100}]}))
    assert offered(fleet, edge) == "1.0"

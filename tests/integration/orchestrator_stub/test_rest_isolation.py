# SPDX-License-Identifier: Apache-2.0
"""Projects do not see each other: every route of the document, with ids of another project."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import select

from orchestrator_stub.access import tokens
from orchestrator_stub.enrolment import Candidate, enrol
from orchestrator_stub.records import (
    Base,
    OSResource,
    Policy,
    Project,
    Region,
    RepeatedSchedule,
    Rollout,
    SingleSchedule,
    Site,
    UpdateRun,
)
from orchestrator_stub.vocabulary import Indication, PolicyKind, ScheduleStatus, Scope
from tests.integration.orchestrator_stub.running import Orchestrator

DOCUMENT: Final = json.loads(
    (Path(__file__).resolve().parents[3] / "docs" / "openapi.json").read_text("utf-8")
)
OTHER: Final = "other"
OTHER_UUID: Final = "00000000-0000-0000-0000-00000000000b"

Ids = dict[str, str]


def operations() -> Iterator[Any]:
    for path, methods in DOCUMENT["paths"].items():
        for method in methods:
            yield pytest.param(method.upper(), path, id=f"{method.upper()} {path}")


def with_an_id() -> list[Any]:
    return [case for case in operations() if "_id}" in case.values[1]]


# A valid body of each, so that only the id can be what is refused.
BODIES: Final[dict[str, dict[str, Any]]] = {
    "hosts": {"name": "stolen"},
    "instances": {"name": "stolen"},
    "operating_systems": {},
    "regions": {"name": "stolen"},
    "sites": {"name": "stolen"},
    "single": {
        "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
        "targetHostId": "host-00000000",
        "startSeconds": 4_000_000_000,
    },
    "repeated": {
        "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
        "targetHostId": "host-00000000",
        "durationSeconds": 60,
        **dict.fromkeys(
            ("cronMinutes", "cronHours", "cronDayMonth", "cronMonth", "cronDayWeek"), "*"
        ),
    },
}


def record_of_each(orchestrator: Orchestrator) -> Ids:
    """One record of every kind in the other project: the ids, by the path's parameter and kind."""
    now_s = int(time.time())
    mine: dict[str, Any] = {"project_uuid": OTHER_UUID}
    with orchestrator.database.writing() as session:
        project = session.merge(Project(uuid=OTHER_UUID, name=OTHER))
        session.flush()
        os = OSResource(
            **mine,
            name="os",
            profile_name=uuid.uuid4().hex,
            image_id="1",
            image_url="x",
            file_hash="0" * 64,
            os_type="OS_TYPE_IMMUTABLE",
            os_provider="OS_PROVIDER_KIND_INFRA",
            security_feature="SECURITY_FEATURE_NONE",
        )
        policy = Policy(**mine, name="policy", kind=PolicyKind.LATEST)
        region = Region(**mine, name=uuid.uuid4().hex)
        candidate = Candidate(f"h-{uuid.uuid4().hex[:8]}", str(uuid.uuid4()), "edge")
        host = enrol(session, project, candidate)
        assert host.instance is not None
        site = Site(**mine, name=uuid.uuid4().hex, region=region)
        status = {"schedule_status": ScheduleStatus.OS_UPDATE, "host": host}
        single = SingleSchedule(**mine, **status, start_s=now_s)
        cron = dict.fromkeys(
            ("cron_minutes", "cron_hours", "cron_day_month", "cron_month", "cron_day_week"), "*"
        )
        repeated = RepeatedSchedule(**mine, **status, duration_s=60, **cron)
        run = UpdateRun(
            **mine,
            instance=host.instance,
            number=1,
            name="run",
            description="",
            status="Updating",
            status_indicator=Indication.IN_PROGRESS,
            status_s=now_s,
            start_s=now_s,
        )
        rollout = Rollout(**mine, policy=policy, os=os, wave_start_s=now_s)
        rows: dict[str, Base] = {
            "hosts": host,
            "instances": host.instance,
            "operating_systems": os,
            "os_update_policy": policy,
            "os_update_run": run,
            "regions": region,
            "sites": site,
            "single": single,
            "repeated": repeated,
            "rollouts": rollout,
        }
        session.add_all(rows.values())
        session.flush()
        return {kind: str(row.id) for kind, row in rows.items()}  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def theirs(orchestrator: Orchestrator) -> Ids:
    return record_of_each(orchestrator)


def kind_of(path: str) -> str:
    """Whose record a path has; empty when it has none."""
    return "".join(re.findall(r"/(\w+)/\{\w+_id\}", path))


def place(path: str, ids: Ids) -> str:
    found = re.sub(r"\{\w+_id\}", lambda _: ids[kind_of(path)], path)
    return found.removeprefix("/v1/projects/{project}/")


@pytest.mark.parametrize(("method", "path"), with_an_id())
def test_record_of_another_project_is_not_there(
    orchestrator: Orchestrator, theirs: Ids, method: str, path: str
) -> None:
    body = None if method in {"GET", "DELETE"} else BODIES.get(kind_of(path), {})
    response = orchestrator.rest(method, place(path, theirs), body)
    assert response.status_code == 404, response.text
    assert response.json()["code"] == "not_found"
    assert "project" in response.json()["detail"]


def test_nothing_of_the_other_project_has_changed(orchestrator: Orchestrator, theirs: Ids) -> None:
    for kind, record_id in theirs.items():
        path = next(
            (path for path in DOCUMENT["paths"] if f"/{kind}/{{" in path and path.endswith("_id}")),
            None,
        )
        if path is not None:
            found = orchestrator.rest("GET", place(path, theirs), project=OTHER)
            assert found.status_code == 200, found.text
            assert found.json()["resourceId"] == record_id
            assert "stolen" not in found.text


@pytest.mark.parametrize(
    "path", [path for path, methods in DOCUMENT["paths"].items() if "get" in methods]
)
def test_list_has_nothing_of_another_project(
    orchestrator: Orchestrator, theirs: Ids, path: str
) -> None:
    if path.endswith("}"):
        path = path.rpartition("/")[0]
    answer = orchestrator.get(f"{place(path, theirs)}?pageSize=100")
    for record_id in theirs.values():
        assert record_id not in json.dumps(answer)


@pytest.mark.parametrize(
    ("method", "path", "field", "kind"),
    [
        ("POST", "compute/sites", "regionId", "regions"),
        ("POST", "compute/regions", "parentId", "regions"),
        ("POST", "compute/schedules/single", "targetHostId", "hosts"),
        ("POST", "compute/schedules/single", "targetSiteId", "sites"),
        ("POST", "compute/schedules/repeated", "targetRegionId", "regions"),
        ("POST", "os_update_policy", "targetOsId", "operating_systems"),
        ("PATCH", "compute/hosts/{host}", "siteId", "sites"),
        ("PATCH", "compute/instances/{instance}", "osUpdatePolicyID", "os_update_policy"),
    ],
)
def test_record_of_another_project_cannot_be_referred_to(
    orchestrator: Orchestrator, theirs: Ids, method: str, path: str, field: str, kind: str
) -> None:
    node = orchestrator.enrol()
    body: dict[str, Any] = {}
    if method == "POST":
        body = {**BODIES.get(path.rpartition("/")[2], {"name": uuid.uuid4().hex})}
        body.pop("targetHostId", None)
    if kind == "operating_systems":
        body["updatePolicy"] = "UPDATE_POLICY_TARGET"
    where = path.format(host=node.host_id, instance=node.instance_id)
    response = orchestrator.rest(method, where, {**body, field: theirs[kind]})
    assert (response.status_code, response.json()["code"]) == (404, "not_found"), response.text
    assert (
        orchestrator.rest(method, where, {**body, field: theirs[kind]}, project="nobody").json()[
            "detail"
        ]
        == "there is no such project"
    )


@pytest.mark.parametrize("query", ["hostId={hosts}", "siteId={sites}", "regionId={regions}"])
def test_schedules_of_another_project_s_places_are_not_listed(
    orchestrator: Orchestrator, theirs: Ids, query: str
) -> None:
    answer = orchestrator.get(f"compute/schedules?{query.format(**theirs)}")
    assert answer["totalElements"] == 0


def token_for(orchestrator: Orchestrator, project_uuid: str, scope: Scope) -> str:
    with orchestrator.database.writing() as session:
        project = session.get_one(Project, project_uuid)
        until_s = int(time.time()) + 3600
        return tokens.issue(session, project, uuid.uuid4().hex, scope, until_s).token


@pytest.fixture(scope="module")
def their_token(orchestrator: Orchestrator, theirs: Ids) -> str:
    return token_for(orchestrator, OTHER_UUID, Scope.WRITE)


@pytest.fixture(scope="module")
def reading_token(orchestrator: Orchestrator) -> str:
    with orchestrator.database.reading() as session:
        project_uuid = session.scalars(select(Project.uuid).where(Project.name == "default")).one()
    return token_for(orchestrator, project_uuid, Scope.READ)


@pytest.mark.parametrize(("method", "path"), list(operations()))
def test_token_of_another_project_finds_no_project(
    orchestrator: Orchestrator, theirs: Ids, their_token: str, method: str, path: str
) -> None:
    body = None if method in {"GET", "DELETE"} else BODIES.get(kind_of(path), {})
    response = orchestrator.rest(method, place(path, theirs), body, token=their_token)
    assert (response.status_code, response.json()["detail"]) == (404, "there is no such project")


@pytest.mark.parametrize(("method", "path"), list(operations()))
def test_reading_token_reads_and_does_nothing_else(
    orchestrator: Orchestrator, theirs: Ids, reading_token: str, method: str, path: str
) -> None:
    body = None if method in {"GET", "DELETE"} else BODIES.get(kind_of(path), {})
    response = orchestrator.rest(method, place(path, theirs), body, token=reading_token)
    if method == "GET":
        assert response.status_code == (404 if "_id}" in path else 200)
    else:
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")


@pytest.mark.parametrize(("method", "path"), list(operations()))
def test_every_route_asks_for_a_token(
    orchestrator: Orchestrator, theirs: Ids, method: str, path: str
) -> None:
    where = place(path, theirs) if "_id}" in path else path.removeprefix("/v1/projects/{project}/")
    response = orchestrator.session.request(
        method, f"{orchestrator.url}v1/projects/default/{where}", timeout=60
    )
    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
    assert response.headers["content-type"] == "application/problem+json"

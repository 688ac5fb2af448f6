# SPDX-License-Identifier: Apache-2.0
"""Ten thousand hosts: the list stays small and is read by few statements, whatever is asked."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.engine import Engine

from orchestrator_stub.database import Database
from orchestrator_stub.records import Host, Instance, OSResource, Policy, Project, Site
from orchestrator_stub.services import Services
from orchestrator_stub.vocabulary import Indication, InstanceState, PolicyKind
from tests.databases import Databases
from tests.integration.web.browser import Browser
from tests.integration.web.serving import add_admin, services_over, serving

HOSTS = 10_000
MAX_BYTES = 100 * 1024
"""A bound for a busy machine; the benchmark has the figures."""


@pytest.fixture(scope="module")
def crowd(databases: Databases, dialect: str) -> Iterator[Services]:
    """A project with ten thousand hosts, each with an update and everything that a row can have."""
    with databases.fresh(dialect) as database:
        fill(database)
        yield services_over(database)


def fill(database: Database) -> None:
    project_uuid, now_s = str(uuid.uuid4()), int(time.time())
    with database.writing() as session:
        session.add(Project(uuid=project_uuid, name="default"))
        session.flush()
        add_admin(session)
        sites = [
            Site(project_uuid=project_uuid, name=f"Munich, store number {number:04}")
            for number in range(500)
        ]
        images = [
            OSResource(
                project_uuid=project_uuid,
                name=f"Edge Microvisor Toolkit {version}",
                profile_name="microvisor-nonrt",
                image_id=version,
                image_url="x",
                file_hash="0" * 64,
                os_type="OS_TYPE_IMMUTABLE",
                os_provider="",
                security_feature="",
                withdrawn_reason=None,
            )
            for version in ("3.0.20260602.2200", "3.0.20260801.1010")
        ]
        policy = Policy(
            project_uuid=project_uuid, name="newest of the profile", kind=PolicyKind.LATEST
        )
        session.add_all([*sites, *images, policy])
        session.flush()
        session.execute(
            insert(Host),
            [
                {
                    "id": f"host-{number:08x}",
                    "project_uuid": project_uuid,
                    "name": f"till-in-store-{number:05}",
                    "uuid": str(uuid.UUID(int=number)),
                    "site_id": sites[number % 500].id,
                    "last_seen_s": now_s - number % 400,
                }
                for number in range(HOSTS)
            ],
        )
        session.execute(
            insert(Instance),
            [
                {
                    "id": f"inst-{number:08x}",
                    "project_uuid": project_uuid,
                    "host_id": f"host-{number:08x}",
                    "name": "x",
                    "state": InstanceState.RUNNING,
                    "profile_name": "microvisor-nonrt",
                    "image_id": images[0].image_id,
                    "os_id": images[0].id,
                    "available_os_id": images[1].id,
                    "policy_id": policy.id,
                    "update_status": "Downloading artifacts",
                    "update_status_indicator": Indication.IDLE,
                    "update_status_s": now_s - 60,
                    "update_progress_percent": number % 100,
                }
                for number in range(HOSTS)
            ],
        )


@pytest.fixture(scope="module")
def visitor(crowd: Services) -> Iterator[Browser]:
    """A browser of an operator who has them all."""
    with serving(crowd) as url, Browser(url) as browser:
        browser.log_in()
        yield browser


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("SELECT"):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


QUERIES = (
    "",
    "size=100",
    "size=100&page=100",
    "size=100&sort=-seen",
    "size=100&sort=os",
    "size=100&sort=site&q=store",
    "size=100&status=running&update=going-on&policy=none",
    "size=100&q=no+such+host",
)


@pytest.mark.parametrize("query", QUERIES)
def test_list_of_ten_thousand_stays_small_and_cheap(
    visitor: Browser, statements: list[str], query: str
) -> None:
    visitor.get("/hosts?size=100")  # the first look fills what is kept for the minute
    statements.clear()
    page = visitor.get(f"/hosts?{query}")
    assert page.status == 200
    assert len(page.response.content) <= MAX_BYTES
    of_hosts = [one for one in statements if "FROM host" in one]
    # one for the rows and their number, one for the numbers above them
    assert len(of_hosts) == 2, of_hosts
    assert len(statements) <= 10
    if "no+such" not in query and "policy=none" not in query:
        assert f"{HOSTS:,}" in page.document.text


def test_policy_with_waves_is_linked_to_ten_thousand_at_once(
    crowd: Services, visitor: Browser, statements: list[str]
) -> None:
    with crowd.database.writing() as session:
        project_uuid = session.scalars(select(Project.uuid)).one()
        policy = Policy(
            project_uuid=project_uuid,
            name="in waves",
            kind=PolicyKind.LATEST,
            rollout={"waves": [{"percent": 1}, {"percent": 100}]},
        )
        session.add(policy)
        session.flush()
        policy_id = policy.id
    form = visitor.get("/hosts").form("/hosts/policy")
    page = visitor.submit(form, scope="all", new_policy=policy_id)
    statements.clear()
    page = visitor.submit(page.form("/hosts/policy"))
    assert len(statements) < HOSTS / 10  # not one for each host
    assert page.message == f"Policy in waves is linked to {HOSTS:,} hosts."
    text = visitor.get("/rollouts").document.text
    assert f"0 of {HOSTS:,} hosts finished" in text
    assert "Wave 1, up to 1 % Now 100 0 100 0 0 0" in text


def test_policy_is_taken_from_ten_thousand_at_once(crowd: Services, visitor: Browser) -> None:
    form = visitor.get("/hosts").form("/hosts/policy")
    page = visitor.submit(form, scope="all", new_policy="none")
    assert f"Take the OS update policy away from {HOSTS:,} hosts?" in page.document.text
    page = visitor.submit(page.form("/hosts/policy"))
    assert page.message == f"{HOSTS:,} hosts have no OS update policy any more."
    with crowd.database.reading() as session:
        left = select(Instance.id).where(Instance.policy_id.is_not(None))
        assert session.scalars(left).first() is None


@pytest.mark.parametrize(
    "path", ["/os-resources", "/policies", "/sites", "/schedules", "/rollouts"]
)
def test_other_pages_stay_small_too(visitor: Browser, path: str) -> None:
    page = visitor.get(path)
    assert page.status == 200
    assert len(page.response.content) <= MAX_BYTES

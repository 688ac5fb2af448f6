# SPDX-License-Identifier: Apache-2.0
"""Liveness, readiness, and who may read the metrics."""

from __future__ import annotations

import asyncio
from typing import cast

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from orchestrator_stub.access.access import Access
from orchestrator_stub.app import create_app
from orchestrator_stub.database import Database
from orchestrator_stub.maintenance import MaintenanceManager
from orchestrator_stub.os_resources.manager import ResourceManager
from orchestrator_stub.os_resources.revision import Selection
from orchestrator_stub.release_service import ReleaseService
from orchestrator_stub.services import Services

NEAR = "127.0.0.1"
FAR = "192.0.2.7"
TOKEN = "m" * 40


def application(database: Database, manager: ResourceManager | None = None) -> FastAPI:
    maintenance, access = MaintenanceManager(database), Access(database, "t" * 40)
    services = Services(database, "k" * 64, "t" * 40, maintenance, manager, access=access)
    return create_app(services)


def get(app: FastAPI, path: str, client: str = NEAR, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(client, 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as session:
            raw = {name.encode(): value.encode() for name, value in headers.items()}
            return await session.get(path, headers=raw)

    return asyncio.run(ask())


def test_server_that_works_is_alive_and_ready(database: Database) -> None:
    app = application(database)
    alive, ready = get(app, "/healthz", FAR), get(app, "/readyz", FAR)
    assert (alive.status_code, alive.json()["status"]) == (200, "ok")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")
    assert set(ready.json()["checks"].values()) == {"ok"}
    assert ready.headers["cache-control"] == alive.headers["cache-control"] == "no-store"


def test_lost_database_is_not_ready_and_still_alive(database: Database) -> None:
    app = application(database)
    with database.writing() as session:
        session.execute(text("ALTER TABLE alembic_version RENAME TO lost"))
    answer = get(app, "/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["checks"]["database"] == "it does not answer"
    assert get(app, "/healthz").status_code == 200
    with database.writing() as session:
        session.execute(text("ALTER TABLE lost RENAME TO alembic_version"))
    assert get(app, "/readyz").status_code == 200


def test_tables_of_another_version_are_not_ready(database: Database) -> None:
    app = application(database)
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    answer = get(app, "/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {
        "database": "ok",
        "migrations": "the tables are of another version",
        "release_service": "ok",
    }


def test_release_service_has_to_be_read_once(database: Database) -> None:
    service = cast("ReleaseService", None)
    manager = ResourceManager(database, service, Selection(), 3600)
    app = application(database, manager)
    answer = get(app, "/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["release_service"] == "it has not been read yet"
    with pytest.raises(AttributeError):
        manager.refresh()
    assert get(app, "/readyz").status_code == 503
    with manager.tally.counted():
        pass
    assert get(app, "/readyz").status_code == 200
    metrics = get(app, "/metrics").text
    assert 'puad_os_resource_refreshes_total{result="succeeded"} 1.0' in metrics
    assert 'puad_os_resource_refreshes_total{result="failed"} 1.0' in metrics


@pytest.mark.parametrize("client", ["127.0.0.1", "127.3.2.1", "::1"])
def test_metrics_without_a_token_are_open_to_the_loopback_address(
    database: Database, client: str
) -> None:
    answer = get(application(database), "/metrics", client)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "puad_hosts" in answer.text


@pytest.mark.parametrize("client", [FAR, "2001:db8::1", "testclient"])
def test_metrics_without_a_token_are_closed_to_others(database: Database, client: str) -> None:
    answer = get(application(database), "/metrics", client)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert "puad_" not in answer.text


@pytest.mark.parametrize("header", ["Forwarded", "Via", "X-Forwarded-For"])
def test_metrics_for_somebody_behind_a_proxy_are_closed(database: Database, header: str) -> None:
    answer = get(application(database), "/metrics", NEAR, **{header: NEAR})
    assert answer.status_code == 403


def test_metrics_with_a_token_are_for_whoever_presents_it(database: Database) -> None:
    app = application(database)
    app.state.metrics_token = TOKEN
    for client in (NEAR, FAR):
        answer = get(app, "/metrics", client, Authorization=f"bearer {TOKEN}")
        assert answer.status_code == 200
        for header in ("", f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer é"):
            answer = get(app, "/metrics", client, Authorization=header)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
            assert answer.headers["www-authenticate"] == "Bearer"


def test_metrics_come_in_the_form_that_is_asked_for(database: Database) -> None:
    answer = get(application(database), "/metrics", Accept="application/openmetrics-text")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_metrics_of_two_applications_do_not_mix(database: Database) -> None:
    one, other = application(database), application(database)
    get(one, "/metrics")
    one.state.metrics.poll(200, 0.1)
    assert 'puad_polls_total{code="200"} 1.0' in get(one, "/metrics").text
    assert 'puad_polls_total{code="200"} 0.0' in get(other, "/metrics").text

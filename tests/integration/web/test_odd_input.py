# SPDX-License-Identifier: Apache-2.0
"""What no page expects in an address or a field is refused as such, whatever the database is.

PostgreSQL keeps NUL in no text, and says so like a database that is in trouble.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest

from orchestrator_stub.database import Database
from orchestrator_stub.records import Project
from tests.integration.web.browser import Browser
from tests.integration.web.serving import add_admin, services_over, serving
from tests.integration.web.test_guards import paths

ODD = ["%00", "x%00y", "%FF", "a" * 3000, "%F0%9F%98%80", "-1", "9" * 400, "%0d%0aX"]
QUERIES = (
    *(f"/hosts?{name}=" for name in ("q", "status", "policy", "os", "site", "sort", "page")),
    *(f"/schedules/new?{name}=" for name in ("host", "site", "region")),
    "/hosts?project=",
    "/sites?size=",
    "/login?next=",
)
FIELDS = (
    *("host", "new_policy", "policy", "shown_policy", "file_hash", "sure", "name", "note", "days"),
    *(
        "version",
        "site",
        "region",
        "target",
        "old",
        "new",
        "again",
        "zone",
        "theme",
        "next",
        "page",
    ),
    *(
        "in_waves",
        "waves",
        "pause",
        "target_host",
        "date",
        "at",
        "end_date",
        "end_at",
        "description",
    ),
)
CHOSEN = "kind=UPDATE_POLICY_TARGET&status=SCHEDULE_STATUS_OS_UPDATE&type=once&target_kind=host"


@pytest.fixture
def operator(database: Database) -> Iterator[Browser]:
    """A logged-in browser, on each database."""
    with database.writing() as session:
        session.add(Project(uuid=str(uuid.uuid4()), name="default"))
        session.flush()
        add_admin(session)
    with serving(services_over(database)) as url, Browser(url) as browser:
        browser.log_in()
        yield browser
    assert set(database.errors().values()) == {0}


def filled(path: str, odd: str) -> str:
    path = path.replace("{kind}", "site").replace("{wish}", "stop")
    return re.sub(r"\{\w+\}", odd, path)


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_address_that_no_page_has(operator: Browser, odd: str) -> None:
    addresses = [filled(path, odd) for path in paths("GET") if "{" in path]
    answers = {
        address: operator.client.get(address).status_code
        for address in (*addresses, *(query + odd for query in QUERIES))
    }
    assert {address: status for address, status in answers.items() if status >= 500} == {}


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_field_that_no_form_has(operator: Browser, odd: str) -> None:
    token = operator.get("/hosts").form("/logout").values()["csrf_token"]
    answers = {}
    for path in paths("POST"):
        if path == "/logout":
            continue
        for fields in (FIELDS, ("host",), ("name",)):
            body = "&".join([f"csrf_token={token}", CHOSEN, *(f"{name}={odd}" for name in fields)])
            body += "&new_policy=none&step=save&scope=write" if fields != FIELDS else ""
            answer = operator.client.post(
                filled(path, odd if fields == FIELDS else "host-00000000"),
                content=body,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            answers[f"{path} {fields[0]}"] = answer.status_code
            assert "does not answer" not in operator.get("/hosts").message
    assert {path: status for path, status in answers.items() if status >= 500} == {}

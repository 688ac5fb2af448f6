# SPDX-License-Identifier: Apache-2.0
"""A project without anything in it: each page says what to do next."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from orchestrator_stub.records import Project
from tests.databases import Databases
from tests.integration.web.browser import Browser
from tests.integration.web.serving import add_admin, services_over, serving


@pytest.fixture(scope="module")
def beginner(databases: Databases, dialect: str) -> Iterator[Browser]:
    """A browser in a project that was just made."""
    with databases.fresh(dialect) as database:
        with database.writing() as session:
            session.add(Project(uuid=str(uuid.uuid4()), name="default"))
            session.flush()
            add_admin(session)
        with serving(services_over(database)) as url, Browser(url) as browser:
            browser.log_in()
            yield browser


@pytest.mark.parametrize(
    ("path", "title", "next_step"),
    [
        ("/hosts", "No hosts yet", "puad-orchestrator enrol NAME --guid UUID --profile PROFILE"),
        ("/os-resources", "No OS resources yet", "--release-url"),
        ("/policies", "No OS Update Policies yet", "Make the first policy"),
        ("/schedules", "No schedules yet", "Set the first maintenance window"),
        ("/rollouts", "No rollouts yet", "Make a policy with waves"),
        ("/sites", "No sites yet", "Make the first one below"),
        ("/api-tokens", "No API tokens yet", "needs a token, which may read or also write"),
    ],
)
def test_empty_page_says_what_to_do_next(
    beginner: Browser, path: str, title: str, next_step: str
) -> None:
    page = beginner.get(path)
    assert page.status == 200
    empty = page.document.one("section", class_="empty")
    assert empty.one("h2").text == title
    assert next_step in empty.text
    assert not page.document.all("table")


@pytest.mark.parametrize("path", ["/policies/new", "/schedules/new", "/account"])
def test_forms_work_before_there_is_anything(beginner: Browser, path: str) -> None:
    assert beginner.get(path).status == 200


def test_links_of_empty_pages_lead_somewhere(beginner: Browser) -> None:
    for path in ("/hosts", "/policies", "/schedules", "/rollouts", "/schedules/new"):
        for link in beginner.get(path).document.one("main").all("a"):
            assert beginner.get(link["href"]).status == 200


def test_one_project_needs_no_choice(beginner: Browser) -> None:
    assert "Project" not in beginner.get("/hosts").document.one("header").text


def test_first_window_is_for_a_host_while_there_is_no_site(beginner: Browser) -> None:
    form = beginner.get("/schedules/new").form("/schedules/new")
    assert form.values()["target_kind"] == "host"

# SPDX-License-Identifier: Apache-2.0
"""What no page lets through: forged forms, other projects, readers who write, markup."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import NoReturn

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from orchestrator_stub.database import Database
from orchestrator_stub.records import (
    ApiToken,
    Base,
    Host,
    Instance,
    Membership,
    Operator,
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
from orchestrator_stub.vocabulary import Scope
from orchestrator_stub.web import _PAGES
from tests.integration.web.browser import Browser, Values
from tests.integration.web.fleet import NONRT, Fleet
from tests.integration.web.html import parse
from tests.integration.web.serving import PASSWORD, PASSWORDS, World, services_over, serving
from tests.integration.web.spoiled import SHORT, spoil

READER_PASSWORD = "only to look at it"


def paths(method: str) -> list[str]:
    """Every page's path for a method."""
    return sorted(
        route.path
        for module in _PAGES
        for route in module.router.routes
        if isinstance(route, APIRoute) and method in (route.methods or ())
    )


def filled(path: str, fleet: Fleet) -> str:
    """A path with the ids of a fleet's records."""
    ids = {
        "host_id": fleet.hosts["till-05"].id,
        "os_id": fleet.newest(NONRT).id,
        "policy_id": fleet.policies["hold at June"].id,
        "schedule_id": fleet.schedules["Nights"].id,
        "rollout_id": fleet.rollouts["running"].id,
        "token_id": "apitoken-00000000",
        "wish": "stop",
        "kind": "site",
        "place_id": fleet.sites["Berlin store 3"].id,
    }
    return re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], path)


def everything(session: Session, project_uuid: str) -> list[str]:
    """The records of a project, each as a text that a change changes."""
    tables: tuple[type[Base], ...] = (
        ApiToken, Host, Instance, OSResource, Policy, Region, RepeatedSchedule, Rollout,
        SingleSchedule, Site, UpdateRun,
    )  # fmt: skip
    found = []
    for table in tables:
        columns = [column.name for column in table.__table__.columns]
        mine = table.__table__.columns["project_uuid"] == project_uuid
        rows = session.scalars(select(table).where(mine)).unique()
        found += [f"{table.__name__} {[getattr(row, name) for name in columns]}" for row in rows]
    return sorted(found)


def snapshot(world: World, fleet: Fleet) -> list[str]:
    with world.database.reading() as session:
        return everything(session, fleet.project.uuid)


def fields(fleet: Fleet) -> Values:
    """Fields that would change something wherever they are sent."""
    return {
        "host": fleet.hosts["till-05"].id,
        "new_policy": "none",
        "policy": "none",
        "shown_policy": fleet.policies["newest"].id,
        "file_hash": fleet.newest(NONRT).file_hash,
        "sure": "yes",
        "name": "changed",
        "kind": "UPDATE_POLICY_LATEST",
        "version": "1",
        "scope": "write",
        "days": "30",
        "site": "",
    }


@pytest.mark.parametrize("path", paths("POST"))
@pytest.mark.parametrize("token", ["", "wrong", None])
def test_form_without_the_csrf_token_changes_nothing(
    shared: World, looker: Browser, path: str, token: str | None
) -> None:
    before = snapshot(shared, shared.fleet)
    sent = fields(shared.fleet) if token is None else {**fields(shared.fleet), "csrf_token": token}
    page = looker.post(filled(path, shared.fleet), sent)
    assert page.status == 403
    assert "The form is not of this session. Load the page again" in page.document.text
    assert snapshot(shared, shared.fleet) == before
    assert looker.get("/hosts").title == "Active Hosts"


@pytest.mark.parametrize("path", paths("POST"))
def test_form_that_another_site_sends_changes_nothing_whatever_it_knows(
    shared: World, looker: Browser, path: str
) -> None:
    before = snapshot(shared, shared.fleet)
    token = looker.get("/hosts").form("/logout").values()["csrf_token"]
    sent = {**fields(shared.fleet), "csrf_token": token, "name": "admin", "password": PASSWORD}
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        response = looker.client.post(filled(path, shared.fleet), data=sent, headers=headers)
        assert response.status_code == 403, headers
        assert "comes from another" in response.text
        assert "set-cookie" not in response.headers
    assert snapshot(shared, shared.fleet) == before
    assert looker.get("/hosts").title == "Active Hosts"


def test_csrf_token_of_another_session_is_worth_nothing(shared: World, looker: Browser) -> None:
    with Browser(shared.url) as other:
        other.log_in()
        theirs = other.get("/hosts").form("/logout").values()["csrf_token"]
    assert looker.post("/logout", {"csrf_token": theirs}).status == 403


@pytest.mark.parametrize("path", paths("POST"))
def test_post_without_a_session_leads_to_the_login(shared: World, path: str) -> None:
    with Browser(shared.url) as browser:
        page = browser.post(filled(path, shared.fleet), fields(shared.fleet))
        assert page.title in {"Log in", "Forbidden"}


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "multipart/form-data"])
def test_only_a_form_is_read_as_a_form(shared: World, looker: Browser, content_type: str) -> None:
    token = looker.get("/hosts").form("/logout").values()["csrf_token"]
    response = looker.client.post(
        "/logout", content=f"csrf_token={token}", headers={"Content-Type": content_type}
    )
    assert response.status_code == 415


def test_form_of_too_many_fields_is_refused(looker: Browser) -> None:
    body = "&".join(f"host={number}" for number in range(1001))
    response = looker.client.post(
        "/hosts/policy",
        content=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert response.status_code == 400


@pytest.mark.parametrize("path", [path for path in paths("GET") if "{" in path])
def test_page_of_another_project_is_not_found(shared: World, looker: Browser, path: str) -> None:
    theirs = filled(path, shared.other)
    if path.endswith("/live"):
        with looker.client.stream("GET", theirs) as response:
            assert "event: over" in "".join(response.iter_text())
        return
    page = looker.get(theirs)
    assert page.status == 404
    assert "till-05" not in page.document.one("main").text


@pytest.mark.parametrize("path", [path for path in paths("POST") if "_id}" in path])
def test_form_changes_nothing_of_another_project(shared: World, looker: Browser, path: str) -> None:
    mine, theirs = snapshot(shared, shared.fleet), snapshot(shared, shared.other)
    token = looker.get("/hosts").form("/logout").values()["csrf_token"]
    page = looker.post(filled(path, shared.other), {**fields(shared.other), "csrf_token": token})
    assert page.status in {400, 404} or page.was_refused
    assert snapshot(shared, shared.other) == theirs
    assert snapshot(shared, shared.fleet) == mine


def test_records_of_another_project_cannot_be_referred_to(lively: World, browser: Browser) -> None:
    before = snapshot(lively, lively.fleet)
    other = lively.other
    host = lively.fleet.hosts["till-07"].id
    mine = lively.fleet.sites["Munich store 12"].id
    token = browser.get("/hosts").form("/logout").values()["csrf_token"]
    for path, sent in (
        (f"/hosts/{host}/policy", {"policy": other.policies["newest"].id, "shown_policy": ""}),
        (f"/hosts/{host}/site", {"site": other.sites["Berlin store 3"].id, "shown_site": mine}),
        ("/hosts/policy", {"host": host, "new_policy": other.policies["newest"].id}),
        (
            "/policies",
            {"name": "x", "kind": "UPDATE_POLICY_TARGET", "target": other.newest(NONRT).id},
        ),
        ("/sites/site", {"name": "x", "region": other.regions["Norway"].id}),
    ):
        assert browser.post(path, {**sent, "csrf_token": token}).status == 404, path
    form = browser.get("/schedules/new").form("/schedules/new")
    for target in (
        {"target_kind": "site", "target_site": other.sites["Berlin store 3"].id},
        {"target_kind": "region", "target_region": other.regions["Norway"].id},
        {"target_kind": "host", "target_host": other.hosts["till-05"].id},
    ):
        page = browser.submit(form, step="save", **target)
        assert page.was_refused
    ticked = [other.hosts["till-05"].id]
    page = browser.submit(
        browser.get("/hosts").form("/hosts/policy"), host=ticked, new_policy="none"
    )
    assert page.message.startswith("0 hosts")
    with lively.database.reading() as session:
        instance = session.get_one(Host, other.hosts["till-05"].id).instance
        assert instance is not None
        assert instance.policy_id == other.policies["newest"].id
    assert snapshot(lively, lively.fleet) == before


def test_filters_of_another_project_say_nothing(shared: World, looker: Browser) -> None:
    other = shared.other
    for query in (
        f"policy={other.policies['newest'].id}",
        f"os={other.newest(NONRT).id}",
        f"site={other.sites['Berlin store 3'].id}",
    ):
        page = looker.get(f"/hosts?{query}")
        assert "that is not there" in page.document.one("ul", class_="narrowed").text
        assert not page.document.all("table")


def test_project_is_chosen_and_kept(shared: World, looker: Browser) -> None:
    mine, theirs = shared.fleet.hosts["till-05"].id, shared.other.hosts["till-05"].id
    assert theirs in looker.get("/hosts?project=other&q=till-05").response.text
    assert theirs in looker.get("/hosts?q=till-05").response.text
    text = looker.get(f"/hosts?project={shared.fleet.project.uuid}&q=till-05").response.text
    assert mine in text
    assert theirs not in text


def test_form_changes_the_project_that_its_page_has_shown(lively: World, browser: Browser) -> None:
    form = browser.get("/hosts").form("/hosts/policy")
    sites = browser.get("/sites").form("/sites/site")
    before = snapshot(lively, lively.other)
    for wanted, sent in ((form, {"scope": "all", "new_policy": "none"}), (sites, {"name": "new"})):
        # a link on another site, or another window of the operator's own
        assert browser.get("/hosts?project=other").status == 200
        page = browser.submit(wanted, **sent)
        if page.title != "Sites and regions":
            page = browser.submit(page.form("/hosts/policy"))
            assert page.message.endswith("have no OS update policy any more.")
        assert page.status == 200
    assert page.message == "Site new is made."
    assert page.document.one("nav", aria_label="Pages")
    assert snapshot(lively, lively.other) == before
    assert lively.fleet.hosts["till-05"].id in browser.get("/hosts?q=till-05").response.text


def test_form_of_a_project_that_is_not_the_operators_changes_nothing(
    shared: World, reader: Browser
) -> None:
    token = reader.get("/hosts").form("/logout").values()["csrf_token"]
    before = snapshot(shared, shared.other)
    form: Values = {"csrf_token": token, "project": shared.other.project.uuid, "name": "x"}
    page = reader.post("/sites/site", form)
    assert page.status == 404
    assert snapshot(shared, shared.other) == before


@pytest.mark.parametrize("project", ["nobody's", "00000000-0000-0000-0000-000000000000", "' OR 1"])
def test_project_that_is_not_the_operators_does_not_exist(looker: Browser, project: str) -> None:
    page = looker.get(f"/hosts?project={project}")
    assert page.status == 404
    assert "There is no such project." in page.document.text


@pytest.fixture(scope="module")
def reader(shared: World) -> Iterator[Browser]:
    """The browser of somebody who may read one project, and nothing else."""
    with shared.database.writing() as session:
        operator = Operator(name="reader", password_hash=PASSWORDS.hash_of(READER_PASSWORD))
        operator.memberships = [
            Membership(
                project=session.get_one(Project, shared.fleet.project.uuid), scope=Scope.READ
            )
        ]
        session.add(operator)
    with Browser(shared.url) as opened:
        opened.log_in("reader", READER_PASSWORD)
        yield opened


OWN = ("/logout", "/theme", "/account/time-zone", "/account/password")


def test_reader_sees_every_page_and_nothing_to_press(shared: World, reader: Browser) -> None:
    for path in paths("GET"):
        if path in {"/", "/login"} or path.endswith("/live"):
            continue
        page = reader.get(filled(path, shared.fleet))
        assert page.status == (403 if path.endswith("/new") else 200)
        posts = {one["action"] for one in page.document.all("form") if one.get("method") == "post"}
        assert posts <= set(OWN), path


@pytest.mark.parametrize("path", [path for path in paths("POST") if path not in (*OWN, "/login")])
def test_reader_changes_nothing(shared: World, reader: Browser, path: str) -> None:
    before = snapshot(shared, shared.fleet)
    token = reader.get("/hosts").form("/logout").values()["csrf_token"]
    page = reader.post(filled(path, shared.fleet), {**fields(shared.fleet), "csrf_token": token})
    assert page.status == 403
    assert "You may look at project default, but change nothing in it." in page.document.text
    assert snapshot(shared, shared.fleet) == before


def test_reader_does_not_see_other_projects(shared: World, reader: Browser) -> None:
    assert "other" not in reader.get("/hosts").document.one("header").text
    assert reader.get("/hosts?project=other").status == 404
    assert reader.get(f"/hosts?project={shared.other.project.uuid}").status == 404


def test_operator_without_a_project_is_told_so(lively: World) -> None:
    with lively.database.writing() as session:
        session.add(Operator(name="new", password_hash=PASSWORDS.hash_of(READER_PASSWORD)))
    with Browser(lively.url) as browser:
        page = browser.log_in("new", READER_PASSWORD)
        assert page.status == 403
        assert "You are a member of no project yet." in page.document.text


def test_markup_in_names_stays_text_everywhere(lively: World, browser: Browser) -> None:
    with lively.database.writing() as session:
        spoil(session, lively.fleet.project.uuid)
        session.add(
            ApiToken(
                project_uuid=lively.fleet.project.uuid,
                name=SHORT,
                token_hash=uuid.uuid4().hex,
                scope=Scope.READ,
                expires_s=None,
            )
        )
    seen = 0
    for path in paths("GET"):
        if path in {"/", "/login"} or path.endswith("/live"):
            continue
        page = browser.get(filled(path, lively.fleet))
        assert page.status == 200, path
        scripts = page.document.all("script")
        assert [one["src"].split("?")[0] for one in scripts] == ["/static/live.js"], path
        assert len(page.document.all("img")) == 1, path
        seen += page.document.text.count("<script>alert(1)</script>")
    assert seen > 100


def test_markup_in_names_stays_text_in_live_parts(lively: World, browser: Browser) -> None:
    with lively.database.writing() as session:
        spoil(session, lively.fleet.project.uuid)
    for path in paths("GET"):
        if not path.endswith("/live"):
            continue
        with browser.client.stream("GET", filled(path, lively.fleet)) as response:
            line = next(one for one in response.iter_lines() if one.startswith("data: {"))
        parts = json.loads(line.removeprefix("data: "))
        assert parts, path
        for html in parts.values():
            assert not parse(html).all("script")
            assert not parse(html).all("img")
        text = " ".join(parse(html).text for html in parts.values())
        assert "<script>alert(1)</script>" in text, path


def test_markup_in_messages_and_queries_stays_text(lively: World, browser: Browser) -> None:
    page = browser.submit(browser.get("/sites").form("/sites/site"), name=SHORT)
    assert page.message == f"Site {SHORT} is made."
    page = browser.get("/hosts?q=" + "%3Cscript%3Ealert(1)%3C/script%3E")
    assert page.document.one("input", id="q")["value"] == "<script>alert(1)</script>"
    assert len(page.document.all("script")) == 1
    with Browser(lively.url) as other:
        page = other.get("/login?next=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
        assert len(page.document.all("script")) == 1


def test_message_that_nobody_here_has_written_is_not_shown(browser: Browser) -> None:
    browser.client.cookies.set("puad_message", "WyJkb25lIiwgImhpIl0=.0" * 2, domain="127.0.0.1")
    page = browser.get("/hosts")
    assert page.status == 200
    assert not page.message


def test_message_of_another_session_is_not_shown(lively: World, browser: Browser) -> None:
    with Browser(lively.url) as other:
        other.log_in()
        form = other.get("/sites").form("/sites/site")
        response = other.client.post("/sites/site", data={**form.values(), "name": "x"})
        theirs = response.cookies["puad_message"]
    browser.client.cookies.set("puad_message", theirs, domain="127.0.0.1")
    assert not browser.get("/sites").message


def test_pages_that_are_missing_are_pages_and_interfaces_stay_interfaces(
    shared: World, looker: Browser
) -> None:
    page = looker.get("/nowhere")
    assert page.status == 404
    assert "There is no such page." in page.document.text
    response = looker.client.get("/v1/nowhere")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert looker.client.delete("/hosts").status_code == 405


def test_host_header_that_is_no_address_breaks_nothing(
    lively: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian 13's Starlette makes `url` of what the caller says, and fails over `Host: [`."""

    def fail(self: HTTPConnection) -> NoReturn:
        raise ValueError("Invalid IPv6 URL")

    monkeypatch.setattr(HTTPConnection, "url", property(fail))
    with Browser(lively.url) as browser:
        browser.client.headers["Host"] = "["
        assert browser.get("/login").status == 200
        assert browser.log_in().title == "Active Hosts"
        assert browser.get("/nowhere").status == 404
        assert browser.client.get("/v1/nowhere").json()["code"] == "not_found"
        assert browser.client.delete("/v1/projects/x/compute/hosts").status_code == 405


def test_stranger_is_not_told_where_the_database_is() -> None:
    database = Database("postgresql+psycopg://puad@127.0.0.1:1/inventory")
    headers = {"Cookie": "puad_session=x", "Authorization": "Bearer puad_x"}
    with (
        serving(services_over(database)) as url,
        httpx.Client(base_url=url, timeout=60, trust_env=False, headers=headers) as stranger,
    ):
        for path in ("/hosts", "/v1/projects/default/compute/hosts", "/readyz"):
            response = stranger.get(path)
            assert response.status_code == 503
            assert "does not answer" in response.text
            assert "127.0.0.1" not in response.text

# SPDX-License-Identifier: Apache-2.0
"""Logging in and out, and what a browser without a session gets."""

from __future__ import annotations

import httpx
import pytest

from orchestrator_stub.records import OperatorSession
from tests.integration.web.browser import Browser
from tests.integration.web.serving import PASSWORD, World

PAGES = (
    "/",
    "/hosts",
    "/hosts/host-00000000",
    "/os-resources",
    "/policies",
    "/policies/new",
    "/schedules",
    "/schedules/new",
    "/rollouts",
    "/sites",
    "/account",
    "/api-tokens",
)


@pytest.mark.parametrize("path", PAGES[1:])
def test_page_without_session_leads_to_login_and_back(shared: World, path: str) -> None:
    response = httpx.get(shared.url + path, timeout=60)
    assert response.status_code == 303
    assert response.headers["location"] == f"/login?next={path.replace('/', '%2F')}"


def test_login_leads_to_where_one_wanted_to_go(shared: World) -> None:
    with Browser(shared.url) as browser:
        page = browser.get("/policies?x=1")
        assert page.title == "Log in"
        page = browser.submit(page.form("/login"), name="admin", password=PASSWORD)
        assert page.path == "/policies?x=1"
        assert page.title == "OS Update Policies"


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example/", "/\\evil.example/", "https://evil.example/", "/\n/evil"]
)
def test_login_leads_nowhere_else(shared: World, elsewhere: str) -> None:
    with Browser(shared.url) as browser:
        form = browser.get("/login").form("/login")
        values = {**form.values(), "name": "admin", "password": PASSWORD, "next": elsewhere}
        response = browser.client.post("/login", data=values)
        assert response.headers.get("location", "/hosts") == "/hosts"


@pytest.mark.parametrize(("name", "password"), [("admin", "Pa55-wort"), ("nobody", PASSWORD)])
def test_wrong_login_is_refused_with_the_same_words(
    shared: World, name: str, password: str
) -> None:
    with Browser(shared.url) as browser:
        page = browser.log_in(name, password)
        assert page.status == 401
        assert page.message == "The name or the password is wrong."
        assert page.document.one("input", name="name")["value"] == name
        assert password not in page.response.text
        assert browser.get("/hosts").title == "Log in"


def test_cookie_is_out_of_reach_of_scripts_and_other_sites(shared: World) -> None:
    with Browser(shared.url) as browser:
        form = browser.get("/login").form("/login")
        values = {**form.values(), "name": "admin", "password": PASSWORD}
        response = browser.client.post("/login", data=values)
        cookies = {
            header.partition("=")[0]: header.lower()
            for header in response.headers.get_list("set-cookie")
        }
        assert "httponly" in cookies["puad_session"]
        assert "samesite=lax" in cookies["puad_session"]


def test_planted_session_is_worth_nothing_after_login(lively: World) -> None:
    with Browser(lively.url) as browser:
        browser.client.cookies.set("puad_session", "planted", domain="127.0.0.1")
        browser.log_in()
        mine = browser.client.cookies["puad_session"]
        assert mine != "planted"
    with Browser(lively.url) as other:
        other.client.cookies.set("puad_session", "planted")
        assert other.get("/hosts").title == "Log in"


def test_logging_in_again_ends_the_session_before(lively: World) -> None:
    with Browser(lively.url) as browser:
        browser.log_in()
        before = browser.client.cookies["puad_session"]
        with Browser(lively.url) as second:
            form = second.get("/login").form("/login")
            second.client.cookies.set("puad_session", before)
            second.submit(form, name="admin", password=PASSWORD)
        assert browser.get("/hosts").title == "Log in"


def test_logout_ends_the_session_on_the_server(browser: Browser) -> None:
    cookie = browser.client.cookies["puad_session"]
    page = browser.submit(browser.get("/policies").form("/logout"))
    assert page.title == "Log in"
    assert page.message == "You are logged out."
    browser.client.cookies.set("puad_session", cookie)
    assert browser.get("/hosts").title == "Log in"


def test_session_ends_by_itself(lively: World, browser: Browser) -> None:
    assert browser.get("/hosts").title == "Active Hosts"
    with lively.database.writing() as session:
        for row in session.query(OperatorSession):
            row.expires_s = 1
    assert browser.get("/hosts").title == "Log in"


def test_login_page_of_somebody_who_is_logged_in_goes_on(browser: Browser) -> None:
    assert browser.get("/login?next=/sites").path == "/sites"


def test_first_page_is_the_hosts(browser: Browser) -> None:
    assert browser.get("/").path == "/hosts"


def test_pages_forbid_foreign_parts_and_inline_ones(shared: World) -> None:
    with Browser(shared.url) as browser:
        headers = browser.get("/login").response.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("theme", ["light", "dark", "system"])
def test_theme_is_kept_without_a_script(browser: Browser, theme: str) -> None:
    page = browser.submit(browser.get("/sites").form("/theme"), theme=theme)
    assert page.path == "/sites"
    assert page.document.one("html")["data-theme"] == theme
    pressed = [one.text for one in page.document.all("button", aria_pressed="true")]
    assert pressed == [theme.capitalize()]


def test_unknown_theme_changes_nothing(browser: Browser) -> None:
    page = browser.submit(browser.get("/sites").form("/theme"), theme='"><script>')
    assert page.document.one("html")["data-theme"] == "system"

# SPDX-License-Identifier: Apache-2.0
"""The operator's account, and the API tokens of a project."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import select

from orchestrator_stub.records import ApiToken, Operator
from orchestrator_stub.vocabulary import Scope
from tests.integration.web.browser import Browser
from tests.integration.web.serving import PASSWORD, World

NEW = "a much longer password"


def test_times_are_shown_in_the_operators_zone(lively: World, browser: Browser) -> None:
    page = browser.get("/account")
    assert page.form("/account/time-zone").values()["zone"] == "UTC"
    page = browser.submit(page.form("/account/time-zone"), zone="Asia/Tokyo")
    assert page.message == "Times are shown in Asia/Tokyo time from now on."
    assert page.form("/account/time-zone").values()["zone"] == "Asia/Tokyo"
    assert "JST now." in page.document.text
    host = browser.get(f"/hosts/{lively.fleet.hosts['till-05'].id}")
    assert "JST" in host.document.one("section", id="history").text


@pytest.mark.parametrize("zone", ["", "Mars/Phobos", "../../etc/passwd", "posixrules"])
def test_unknown_zone_is_refused(looker: Browser, zone: str) -> None:
    page = looker.submit(looker.get("/account").form("/account/time-zone"), zone=zone)
    assert page.message == "Time Zone: choose one of the list."


def test_password_is_changed_and_other_sessions_end(lively: World, browser: Browser) -> None:
    with Browser(lively.url) as other:
        other.log_in()
        page = browser.submit(
            browser.get("/account").form("/account/password"), old=PASSWORD, new=NEW, again=NEW
        )
        assert page.message == "The password is changed. Your other sessions have ended."
        assert other.get("/hosts").title == "Log in"
        assert other.log_in().status == 401
        assert other.log_in(password=NEW).title == "Active Hosts"
    assert browser.get("/hosts").title == "Active Hosts"
    with lively.database.reading() as session:
        assert NEW not in session.scalars(select(Operator.password_hash)).one()


@pytest.mark.parametrize(
    ("old", "new", "again", "reason"),
    [
        ("wrong", NEW, NEW, "The present password is wrong."),
        (PASSWORD, NEW, f"{NEW}!", "The new password was not repeated the same."),
        (PASSWORD, "short", "short", "A password has 12 to 256 characters."),
    ],
)
def test_wrong_change_of_the_password_is_refused(
    shared: World, looker: Browser, old: str, new: str, again: str, reason: str
) -> None:
    form = looker.get("/account").form("/account/password")
    page = looker.submit(form, old=old, new=new, again=again)
    assert page.message == reason
    assert NEW not in page.response.text
    with Browser(shared.url) as other:
        assert other.log_in().title == "Active Hosts"


def test_token_is_told_once_and_kept_as_a_hash(lively: World, browser: Browser) -> None:
    form = browser.get("/api-tokens").form("/api-tokens")
    page = browser.submit(form, name="ci", scope=Scope.READ, days="30")
    shown = page.document.one("section", aria_labelledby="issued")
    assert shown.one("h2").text == "Token ci"
    token = shown.one("pre").text
    assert len(token) > 40
    with lively.database.reading() as session:
        row = session.scalars(select(ApiToken)).one()
        assert row.token_hash == hashlib.sha256(token.encode()).hexdigest()
        assert row.scope is Scope.READ
        assert row.project_uuid == lively.fleet.project.uuid
    page = browser.get("/api-tokens")
    assert token not in page.response.text
    (listed,) = page.table("1 token of project default").rows()
    assert (listed["Name"], listed["May"]) == ("ci", "Read")
    assert listed["Ends"].endswith("UTC")


def test_sending_the_form_again_makes_no_second_token(lively: World, browser: Browser) -> None:
    form = browser.get("/api-tokens").form("/api-tokens")
    browser.submit(form, name="ci")
    page = browser.submit(form, name="ci")
    assert page.status == 409
    assert page.message.startswith("Project default has a token ci already.")
    with lively.database.reading() as session:
        assert len(session.scalars(select(ApiToken)).all()) == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "no spaces"}, "A token's name is 1 to 64 letters"),
        ({"name": ""}, "A token's name is 1 to 64 letters"),
        ({"scope": "root"}, "Scope: choose one of the list."),
        ({"days": "0"}, "Valid for: it is a whole number from 1 to 3653."),
        ({"days": "forever"}, "Valid for: it is a whole number from 1 to 3653."),
    ],
)
def test_wrong_token_is_refused(looker: Browser, fields: dict[str, str], reason: str) -> None:
    form = looker.get("/api-tokens").form("/api-tokens")
    page = looker.submit(form, **{"name": "ci", **fields})
    assert page.status == 400
    assert reason in page.message
    assert not page.document.all("section", aria_labelledby="issued")


def test_token_is_revoked(
    lively: World, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    page = browser.submit(browser.get("/api-tokens").form("/api-tokens"), name="ci")
    with lively.database.reading() as session:
        token_id = session.scalars(select(ApiToken.id)).one()
    page = browser.submit(page.form(f"/api-tokens/{token_id}/revoke"))
    assert page.message == "Token ci is revoked."
    for done in ("made", "revoked"):
        told = f"operator admin has {done} API token ci ({token_id}) of project default"
        assert caplog.messages.count(told) == 1
    assert page.document.one("section", class_="empty").one("h2").text == "No API tokens yet"


def test_token_that_has_ended_says_so(lively: World, browser: Browser) -> None:
    browser.submit(browser.get("/api-tokens").form("/api-tokens"), name="old")
    with lively.database.writing() as session:
        session.scalars(select(ApiToken)).one().expires_s = 1000
    (listed,) = browser.get("/api-tokens").table("1 token").rows()
    assert listed["Ends"].endswith("Expired")

# SPDX-License-Identifier: Apache-2.0
"""Rollouts: waves with their counts, and steering them."""

from __future__ import annotations

import pytest

from orchestrator_stub.records import Rollout
from orchestrator_stub.vocabulary import RolloutState
from tests.integration.web.browser import Browser, Form, Page
from tests.integration.web.html import Element
from tests.integration.web.serving import World


def card(page: Page, world: World, name: str) -> Element:
    return page.document.one("section", id=world.fleet.rollouts[name].id)


def state(world: World, name: str) -> RolloutState:
    with world.database.reading() as session:
        return session.get_one(Rollout, world.fleet.rollouts[name].id).state


def buttons(found: Element) -> list[str]:
    return [one.text for one in found.all("button")]


def steer(world: World, browser: Browser, name: str, wish: str, why: str = "") -> Page:
    """Press the button of a wish."""
    found = card(browser.get("/rollouts"), world, name)
    path = f"/rollouts/{world.fleet.rollouts[name].id}/{wish}"
    assert [one.get("type") for one in found.all("button", formaction=path)] == [""]
    return browser.post(path, {**Form(found.one("form")).values(), "reason": why})


def test_waves_are_counted(shared: World, looker: Browser) -> None:
    page = looker.get("/rollouts")
    found = card(page, shared, "running")
    assert found.one("h2").text == "Edge Microvisor Toolkit 3.0.20260801.1010"
    assert "Running" in found.text
    assert "Policy newest, began 9 h ago, a pause of 1 d between waves" in found.text
    assert "3 of 7 hosts finished" in found.text
    rows = [list(row.values()) for row in found.one("table").rows()]
    assert rows == [
        ["Wave 1, up to 5 %", "1", "0", "0", "0", "1", "0"],
        ["Wave 2, up to 25 % Now", "4", "0", "1", "1", "1", "1"],
        ["Wave 3, up to 100 %", "2", "2", "0", "0", "0", "0"],
    ]
    failed = found.one("details").one("a")
    assert (failed.text, failed["href"]) == (
        "till-05",
        f"/hosts/{shared.fleet.hosts['till-05'].id}",
    )


def test_rollouts_that_go_on_come_first(shared: World, looker: Browser) -> None:
    sections = looker.get("/rollouts").document.all("section", class_="card")
    assert [one["id"] for one in sections] == [
        shared.fleet.rollouts["running"].id,
        shared.fleet.rollouts["stopped"].id,
    ]
    assert "Stopped: 2 of 2 hosts of wave 1 failed; the policy allows 30 %" in sections[1].text
    assert buttons(sections[0]) == ["Pause", "Stop"]
    assert buttons(sections[1]) == []  # its image was withdrawn


def test_rollout_is_paused_resumed_and_stopped(lively: World, browser: Browser) -> None:
    page = steer(lively, browser, "running", "pause")
    assert page.message == (
        "The rollout of Edge Microvisor Toolkit 3.0.20260801.1010 is paused: no further host "
        "starts an update."
    )
    assert state(lively, "running") is RolloutState.PAUSED
    assert buttons(card(page, lively, "running")) == ["Resume", "Stop"]
    assert "Paused by admin Policy newest" in card(page, lively, "running").text
    page = steer(lively, browser, "running", "resume")
    assert state(lively, "running") is RolloutState.RUNNING
    page = steer(lively, browser, "running", "stop", why="the tills <b>beep</b>")
    assert "is offered to nobody any more" in page.message
    assert state(lively, "running") is RolloutState.STOPPED
    assert buttons(card(page, lively, "running")) == ["Resume"]
    text = card(page, lively, "running").text
    assert "Stopped by admin: the tills <b>beep</b> Policy newest" in text


def test_reason_that_is_too_long_is_refused(lively: World, browser: Browser) -> None:
    page = steer(lively, browser, "running", "pause", why="x" * 201)
    assert page.was_refused
    assert page.message == "Why: it has more than 200 characters."
    assert state(lively, "running") is RolloutState.RUNNING


def test_rollout_that_gave_way_to_a_newer_image_says_so(lively: World, browser: Browser) -> None:
    with lively.database.writing() as session:
        row = session.get_one(Rollout, lively.fleet.rollouts["stopped"].id)
        row.reason = "Superseded: the policy wants 3.0.20260801.1010 now"
    found = card(browser.get("/rollouts"), lively, "stopped")
    assert "Superseded: the policy wants 3.0.20260801.1010 now" in found.text
    assert "Stopped" not in found.text
    assert not found.all("form")


def trust(world: World, name: str) -> None:
    """Take back that the image of a rollout was withdrawn."""
    with world.database.writing() as session:
        session.get_one(Rollout, world.fleet.rollouts[name].id).os.withdrawn_reason = None


def test_rollout_of_an_image_that_was_withdrawn_cannot_go_on(
    lively: World, browser: Browser
) -> None:
    trust(lively, "stopped")
    values = Form(card(browser.get("/rollouts"), lively, "stopped").one("form")).values()
    with lively.database.writing() as session:
        row = session.get_one(Rollout, lively.fleet.rollouts["stopped"].id)
        row.os.withdrawn_reason = "network does not come up"
    path = f"/rollouts/{lively.fleet.rollouts['stopped'].id}/resume"
    page = browser.post(path, values)
    assert page.was_refused
    assert "was withdrawn" in page.message
    assert state(lively, "stopped") is RolloutState.STOPPED


def test_stopped_rollout_can_go_on(lively: World, browser: Browser) -> None:
    trust(lively, "stopped")
    steer(lively, browser, "stopped", "resume")
    assert state(lively, "stopped") is RolloutState.RUNNING


@pytest.mark.parametrize(("name", "wish"), [("stopped", "pause"), ("running", "resume")])
def test_rollout_that_stands_otherwise_is_left_alone(
    lively: World, browser: Browser, name: str, wish: str
) -> None:
    before = state(lively, name)
    token = browser.get("/rollouts").form("/logout").values()["csrf_token"]
    path = f"/rollouts/{lively.fleet.rollouts[name].id}/{wish}"
    assert browser.post(path, {"csrf_token": token}).was_refused
    assert state(lively, name) is before


def test_unknown_wish_is_refused(shared: World, looker: Browser) -> None:
    token = looker.get("/rollouts").form("/logout").values()["csrf_token"]
    path = f"/rollouts/{shared.fleet.rollouts['running'].id}/explode"
    assert looker.post(path, {"csrf_token": token}).status == 400

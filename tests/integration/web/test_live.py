# SPDX-License-Identifier: Apache-2.0
"""Live parts: what is streamed is what a reload would show, to those who may see it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from sqlalchemy import delete

from orchestrator_stub.access import operators
from orchestrator_stub.app import create_app
from orchestrator_stub.records import Host, OperatorSession, Project, RolloutMember
from orchestrator_stub.vocabulary import MemberState, Scope
from orchestrator_stub.web import live
from tests.integration.web.browser import Browser
from tests.integration.web.html import Element, parse
from tests.integration.web.serving import PASSWORD, PASSWORDS, World, services_over, serving

Event = tuple[str, dict[str, str]]


def events(response: httpx.Response) -> Iterator[Event]:
    """The events of a stream; comments are left out."""
    kind = "message"
    for line in response.iter_lines():
        if line.startswith("event:"):
            kind = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            text = line.removeprefix("data:").strip()
            yield kind, json.loads(text) if text else {}
            kind = "message"


def same(shown: Element, streamed: str) -> bool:
    (part,) = [one for one in parse(streamed).children if isinstance(one, Element)]
    assert part.get("id") == shown.get("id")
    return part.text == shown.text


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("/hosts/{host}", {"spoken", "status", "update", "quarantine", "slots", "history"}),
        ("/rollouts", {"{running}", "{stopped}"}),
        ("/hosts?q=till-02", {"{till-02}"}),
    ],
)
def test_stream_begins_with_what_the_page_shows(
    shared: World, looker: Browser, path: str, ids: set[str]
) -> None:
    fleet = shared.fleet
    known = {
        "{running}": fleet.rollouts["running"].id,
        "{stopped}": fleet.rollouts["stopped"].id,
        "{till-02}": fleet.hosts["till-02"].id,
    }
    page = looker.get(path.replace("{host}", fleet.hosts["till-05"].id))
    (part,) = [one for one in page.document.every() if one.get("data-live")]
    with looker.client.stream("GET", part["data-live"]) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        kind, parts = next(events(response))
    assert kind == "message"
    assert set(parts) == {known.get(one, one) for one in ids}
    for name, html in parts.items():
        (shown,) = [one for one in page.document.every() if one.get("id") == name]
        assert same(shown, html), name


def test_only_what_changes_is_sent(lively: World, browser: Browser) -> None:
    host_id = lively.fleet.hosts["till-02"].id
    with browser.client.stream("GET", f"/hosts/{host_id}/live") as response:
        stream = events(response)
        next(stream)
        with lively.database.writing() as session:
            instance = session.get_one(Host, host_id).instance
            assert instance is not None
            instance.update_progress_percent = 57
        _, parts = next(stream)
    assert "57 %" in parts["update"]
    assert "Downloading artifacts, 50 %" in parts["spoken"]
    assert "slots" not in parts


def test_counts_of_a_rollout_follow(lively: World, browser: Browser) -> None:
    rollout_id = lively.fleet.rollouts["running"].id
    with browser.client.stream("GET", "/rollouts/live") as response:
        stream = events(response)
        next(stream)
        with lively.database.writing() as session:
            for member in session.query(RolloutMember).filter_by(rollout_id=rollout_id):
                member.state = MemberState.UPDATED
        _, parts = next(stream)
    assert set(parts) == {rollout_id}
    assert "7 of 7 hosts" in parse(parts[rollout_id]).text


def test_stream_of_whoever_is_logged_out_ends(lively: World, browser: Browser) -> None:
    with browser.client.stream("GET", "/rollouts/live") as response:
        stream = events(response)
        next(stream)
        with lively.database.writing() as session:
            session.execute(delete(OperatorSession))
        assert list(stream)[-1] == ("over", {})


def test_stream_without_a_session_is_over_at_once(shared: World) -> None:
    with httpx.stream("GET", shared.url + "/rollouts/live", timeout=60) as response:
        assert list(events(response)) == [("over", {})]


def test_streams_are_few(shared: World, looker: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_STREAMS", 0)
    assert looker.client.get("/rollouts/live").status_code == 204


def test_one_operator_leaves_streams_for_the_others(
    lively: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_OF_ONE", 2)
    with lively.database.writing() as session:
        project = session.get_one(Project, lively.fleet.project.uuid)
        other = operators.add(session, "other", PASSWORDS.hash_of(PASSWORD))
        operators.admit(session, other, project, Scope.READ)
    with ExitStack() as stack:
        first = [
            stack.enter_context(browser.client.stream("GET", "/rollouts/live")) for _ in range(2)
        ]
        kept = [events(response) for response in first]  # a stream whose reader goes is closed
        assert [next(stream)[0] for stream in kept] == ["message", "message"]
        with browser.client.stream("GET", "/rollouts/live") as response:
            assert list(events(response)) == [("over", {})]
        somebody = stack.enter_context(Browser(lively.url))
        somebody.log_in("other")
        with somebody.client.stream("GET", "/rollouts/live") as response:
            assert next(events(response))[0] == "message"


def test_stream_ends_when_a_server_says_only_once_that_nobody_listens(
    lively: World, browser: Browser
) -> None:
    """uvicorn 0.32 promises an error when it is sent to, and drops what it is sent."""
    app = create_app(services_over(lively.database))
    cookie = "; ".join(f"{name}={value}" for name, value in browser.client.cookies.items())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/rollouts/live",
        "raw_path": b"/rollouts/live",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"x"), (b"cookie", cookie.encode())],
    }
    sent: list[bytes] = []

    async def receive() -> dict[str, Any]:
        if not sent:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    asyncio.run(asyncio.wait_for(app(scope, receive, send), 60))
    assert any(body.startswith(b"data: ") for body in sent)


def test_stream_that_is_left_gives_its_place_back(
    shared: World, looker: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_STREAMS", 1)
    for _ in range(2):
        end = time.monotonic() + 60
        while True:
            with looker.client.stream("GET", "/rollouts/live") as response:
                if response.status_code == 200:
                    next(events(response))
                    break
            assert time.monotonic() < end, "the place is not given back"


def test_stream_ends_by_itself(
    shared: World, looker: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LIFETIME_S", 0.1)
    with looker.client.stream("GET", "/rollouts/live") as response:
        assert len(list(events(response))) == 1


def test_server_ends_at_once_although_somebody_listens(lively: World) -> None:
    listening = threading.Event()

    def listen(url: str) -> None:
        with Browser(url) as browser:
            browser.log_in()
            with browser.client.stream("GET", "/rollouts/live") as response:
                for _ in events(response):
                    listening.set()

    with serving(services_over(lively.database)) as url:
        thread = threading.Thread(target=listen, args=[url])
        thread.start()
        assert listening.wait(60)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    thread.join(60)
    assert not thread.is_alive()

# SPDX-License-Identifier: Apache-2.0
"""Pages of one server show what is said at the other as it happens; a session is one at both."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import select

from orchestrator_stub.records import Operator
from tests.integration.orchestrator_stub.pair import Pair, together
from tests.integration.web.browser import Browser
from tests.integration.web.serving import add_admin
from tests.integration.web.test_live import Event, events


@pytest.fixture
def admin(pair: Pair) -> Pair:
    """Both servers know an operator."""
    with pair.one.database.writing() as session:
        if session.scalars(select(Operator).where(Operator.name == "admin")).first() is None:
            add_admin(session)
    return pair


def until(stream: Iterator[Event], part: str, words: str) -> None:
    """Read on until a part of the page has these words."""
    for kind, parts in stream:
        assert kind == "message"
        if words in parts.get(part, ""):
            return
    pytest.fail(f"the stream ended without {words!r}")


def test_page_of_one_follows_what_a_node_says_to_the_other(admin: Pair) -> None:
    here, there = admin.both(admin.node())
    here.poll("UP_TO_DATE", os_image_id="1.0")
    with Browser(admin.other.url) as browser:
        browser.log_in()
        path = f"/hosts/{here.host_id}/live"
        with browser.client.stream("GET", path) as response:
            stream = events(response)
            until(stream, "status", "Running")
            for percent in (7, 42):
                here.poll("DOWNLOADING", os_image_id="1.0", progress_percent=percent)
                until(stream, "update", f"{percent} %")
            there.poll("STARTED", os_image_id="1.0")
            until(stream, "update", "Updating")
            here.poll("UPDATED", os_image_id="2.0", profile_name=here.profile)
            until(stream, "history", "Update completed")


def test_session_is_one_at_both_and_its_end_ends_the_stream_of_the_other(admin: Pair) -> None:
    with Browser(admin.one.url) as browser, Browser(admin.other.url) as twin:
        browser.log_in()
        twin.client.cookies.update(browser.client.cookies)
        assert twin.get("/hosts").title == browser.get("/hosts").title
        with twin.client.stream("GET", "/rollouts/live") as response:
            stream = events(response)  # of a page without rollouts it says nothing by itself
            browser.submit(browser.get("/hosts").form("/logout"))
            assert list(stream)[-1] == ("over", {})


def test_forms_that_are_sent_to_both_at_once_change_once(admin: Pair) -> None:
    """Twelve times a form of the same page: one is taken, all others come too late."""
    node = admin.node()
    policies = [admin.one.policy("LATEST"), admin.other.policy("LATEST")]
    answers: list[bool] = []
    all_have_the_page = Barrier(4)

    def apply(url: str, policy: str) -> None:
        with Browser(url) as browser:
            browser.log_in()
            form = browser.get(f"/hosts/{node.host_id}").form(f"/hosts/{node.host_id}/policy")
            all_have_the_page.wait(300)
            answers.extend(browser.submit(form, policy=policy).was_refused for _ in range(3))

    urls = (admin.one.url, admin.other.url)
    together(*(partial(apply, urls[n % 2], policies[n // 2]) for n in range(4)))
    linked = node.instance()["updatePolicy"]["resourceId"]
    assert linked in policies
    assert sorted(answers) == [False] + [True] * 11

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from typing import Any

from puad.cli.follower import Follower
from puad.cli.narrator import News, Noted
from puad.render import StatusView
from tests.unit.render.views import ARMED, RUN


class _HeldUp:
    """A daemon whose armed node does not go down."""

    def status(self) -> StatusView:
        return replace(ARMED, run=replace(RUN, state="ARMED"))


class _Listener:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def tell(self, news: News) -> None:
        if isinstance(news, Noted):
            self.notes.append(news.text)


def test_follow_armed_node_that_stays_up_ends_and_says_so() -> None:
    agent: Any = _HeldUp()
    listener = _Listener()
    end = Follower(agent, listener, armed_s=0.0).follow(RUN.id)
    assert (end.state, end.problem) == ("ARMED", None)
    assert end.text == "ARMED 13.2 on slot b with 3 tries, the node reboots"
    assert listener.notes == ["the node has not gone down yet; `puadctl status` tells more"]

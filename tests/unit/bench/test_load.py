# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import cast

from puad.core.wire import StatusType, decode_request
from tests.bench.orchestrator.load import Polls, RestingNode, poll_in_turn, resting_nodes
from tests.simulator.connection import BrokenError, Connection, Origin, Reply
from tests.simulator.enrolments import Enrolled
from tests.simulator.fleet import Identity

GUID = "11111111-2222-3333-4444-555555555555"


@dataclass
class Answers:
    """A connection that takes a while; None is an error."""

    status: int | None = 200
    takes_s: float = 0.0
    at_s: list[float] = field(default_factory=list)
    under_way: int = 0
    most_at_once: int = 0

    async def post(self, _path: str, _token: str, _body: bytes) -> Reply:
        self.at_s.append(time.perf_counter())
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        await asyncio.sleep(self.takes_s)
        self.under_way -= 1
        if self.status is None:
            raise BrokenError("it was reset")
        return Reply(self.status, {}, b"{}")


def node(answers: Answers) -> RestingNode:
    return RestingNode(cast("Connection", answers), "token", b"{}")


def run(nodes: list[RestingNode], rate: float, seconds: float) -> Polls:
    return asyncio.run(poll_in_turn(nodes, rate, seconds))


def test_each_node_polls_in_its_turn_and_so_often_as_was_asked_for() -> None:
    answers = [Answers() for _ in range(4)]
    polls = run([node(one) for one in answers], rate=200.0, seconds=0.05)
    assert polls.count == len(polls.seconds) == 10
    assert [len(one.at_s) for one in answers] == [3, 3, 2, 2]
    times = sorted(at_s for one in answers for at_s in one.at_s)
    assert times[-1] - times[0] >= 9 / 200


def test_load_is_open_and_does_not_wait_for_answers() -> None:
    slow = [Answers(takes_s=0.5) for _ in range(10)]
    polls = run([node(one) for one in slow], rate=100.0, seconds=0.1)
    first = [one.at_s[0] for one in slow]
    assert max(first) - min(first) < 0.5
    assert min(polls.seconds) >= 0.5


def test_poll_that_is_due_while_the_one_before_is_under_way_waits_and_that_counts() -> None:
    slow = Answers(takes_s=0.2)
    polls = run([node(slow)], rate=1000.0, seconds=0.003)
    assert max(polls.seconds) >= 0.58
    assert slow.most_at_once == 1


def test_whatever_holds_a_poll_up_counts() -> None:
    answers = Answers()

    async def poll_late() -> Polls:
        polls = Polls()
        await node(answers).poll(time.perf_counter() - 3.0, polls)
        return polls

    assert asyncio.run(poll_late()).seconds[0] >= 3.0


def test_errors_and_refusals_are_told_and_have_no_time() -> None:
    polls = run([node(Answers(status=None)), node(Answers(status=503))], 1000.0, 0.002)
    assert polls.seconds == []
    assert sorted(polls.errors) == ["HTTP 503", "it was reset"]


def test_node_at_rest_reports_what_a_booted_node_does() -> None:
    identity = Identity("node-1", GUID, "token", "edge", "1.0")
    host = Enrolled(identity, "host-1", "inst-1")
    (resting,) = resting_nodes([host], Origin("127.0.0.1", 1))
    guid, report = decode_request(json.loads(resting.body))
    assert (guid, report.status_type) == (GUID, StatusType.UP_TO_DATE)
    assert (report.profile_name, report.os_image_id) == ("edge", "1.0")
    assert [slot.image_id for slot in report.slots] == ["1.0", ""]
    assert report.quarantine == ()

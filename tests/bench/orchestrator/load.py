# SPDX-License-Identifier: Apache-2.0
"""Load: nodes at rest that poll, each on a connection of its own, in asyncio in this process.

The load is open: a poll is due at its time whether or not those before it were answered, and how
long it took is counted from then. So a server that falls behind shows it, and nothing that holds
this process up is left out.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from puad.core.model import Assessment, SlotState
from puad.core.wire import SlotReport, StatusReport, StatusType, encode_request
from tests.simulator.connection import BrokenError, Connection, Origin
from tests.simulator.enrolments import Enrolled
from tests.simulator.talk import PATH

_OK = 200
_AT_A_TIME = 2000


@dataclass(slots=True)
class Polls:
    """What came of some polls.

    Attributes:
        seconds: How long each answered one took.
        errors: What was wrong with the others.
    """

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many there were."""
        return len(self.seconds) + len(self.errors)


@dataclass(slots=True)
class RestingNode:
    """A node with nothing to do: what it tells is always the same, one poll after the other."""

    connection: Connection
    token: str
    body: bytes
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def poll(self, due_s: float, polls: Polls) -> bool:
        """Poll, and note how long it took since the poll was due.

        Returns:
            Whether it was answered.
        """
        try:
            async with self._turn:
                reply = await self.connection.post(PATH, self.token, self.body)
        except BrokenError as error:
            polls.errors.append(str(error))
            return False
        if reply.status != _OK:
            polls.errors.append(f"HTTP {reply.status}")
            return False
        polls.seconds.append(time.perf_counter() - due_s)
        return True


def resting_nodes(
    hosts: Sequence[Enrolled], origin: Origin, timeout_s: float = 30.0
) -> list[RestingNode]:
    """The nodes of hosts, as they are after their first boot."""
    return [
        RestingNode(Connection(origin, timeout_s), host.identity.token, _body(host))
        for host in hosts
    ]


def _body(host: Enrolled) -> bytes:
    identity = host.identity
    slots = (
        SlotReport("a", identity.image_id, SlotState.BOOTED, Assessment.GOOD),
        SlotReport("b", "", SlotState.INACTIVE, Assessment.INDETERMINATE),
    )
    report = StatusReport(
        StatusType.UP_TO_DATE,
        profile_name=identity.profile,
        os_image_id=identity.image_id,
        slots=slots,
        quarantine=(),
    )
    return json.dumps(encode_request(identity.guid, report)).encode()


async def poll_in_turn(nodes: Sequence[RestingNode], rate: float, seconds: float) -> Polls:
    """Let nodes poll, one after the other, so many each second for so long."""
    polls = Polls()
    started = time.perf_counter()
    under_way: set[asyncio.Task[bool]] = set()
    for number in range(int(rate * seconds)):
        due_s = started + number / rate
        if (early_s := due_s - time.perf_counter()) > 0:
            await asyncio.sleep(early_s)
        task = asyncio.ensure_future(nodes[number % len(nodes)].poll(due_s, polls))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    return polls


async def warm_up(nodes: Sequence[RestingNode], rate: float) -> None:
    """Let every node poll three times: to be written down, to be read, to be remembered.

    The first poll of a node makes its connection and its row, and the second reads them: that is no
    steady state, and slower. Nodes come some at a time, and those that are there poll on meanwhile,
    or the server would close their connections.
    """
    for there in range(0, len(nodes), _AT_A_TIME):
        new = nodes[there : there + _AT_A_TIME]
        await introduce(new, rate)
        await _poll_once(new, rate / 2)
        await _poll_once(nodes[: there + _AT_A_TIME], rate)


async def introduce(nodes: Sequence[RestingNode], rate: float) -> None:
    """Let every node poll for the first time."""
    await _poll_once(nodes, rate / 8)


async def _poll_once(nodes: Sequence[RestingNode], rate: float) -> None:
    polls = await poll_in_turn(nodes, rate, len(nodes) / rate)
    what = f"{len(polls.errors)} of {polls.count} polls of the warm-up, at {rate:g} a second"
    assert not polls.errors, f"{what}: {polls.errors[:3]}"


def close(nodes: Sequence[RestingNode]) -> None:
    """Close their connections."""
    for node in nodes:
        node.connection.close()

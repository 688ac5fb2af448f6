# SPDX-License-Identifier: Apache-2.0
"""Recovery: the server is restarted, and all nodes poll at once the moment it listens.

Each has a new connection, its own patience and the daemon's way to wait after a failure. A node has
a processor of its own, and all of these have one together: so only so many of them connect at a
time that none loses its patience for want of it. It counts until the last node has had its answer,
and until the fleet is steady: that is when a whole poll interval begins in which nearly every poll
is as quick as in steady state, and none fails.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Final

from tests.bench.figures import Figure, percentile, repeated
from tests.bench.orchestrator.load import Polls, RestingNode, close, resting_nodes
from tests.bench.orchestrator.options import Options
from tests.bench.orchestrator.polls import P99_GOAL_MS, meet, resting_stage
from tests.bench.orchestrator.process import Bench
from tests.simulator.connection import Origin
from tests.simulator.enrolments import Enrolled
from tests.simulator.poll_times import PollTimes

STEADY_GOAL_S: Final = 60.0
_WATCHED_S: Final = 100.0
_POLL_S: Final = 20.0
_PERCENT: Final = 99
_AT_A_TIME: Final = 1000


@dataclass(slots=True)
class Herd:
    """What came of the polls after a restart, by the second in which they ended.

    Attributes:
        first_s: When each node had its first answer, seconds after the start.
        answered: How long polls took, by the second in which they were answered.
        failed: How many failed, by second.
    """

    first_s: dict[int, float] = field(default_factory=dict)
    answered: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    failed: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def steady_s(self, nodes: int) -> float:
        """From which second on all is well; infinite when that never comes."""
        if len(self.first_s) < nodes:
            return float("inf")
        earliest = int(max(self.first_s.values())) + 1
        latest = int(_WATCHED_S - _POLL_S)
        steady = (second for second in range(earliest, latest + 1) if self._is_steady(second))
        return float(next(steady, float("inf")))

    def _is_steady(self, begin: int) -> bool:
        interval = range(begin, begin + int(_POLL_S))
        seconds = [one for second in interval for one in self.answered[second]]
        failed = sum(self.failed[second] for second in interval)
        is_quick = bool(seconds) and 1000 * percentile(seconds, _PERCENT) <= P99_GOAL_MS
        return is_quick and not failed


def measure(bench: Bench, options: Options) -> list[Figure]:
    """Restart the server, and let everybody poll."""
    with bench.serving() as orchestrator:
        stage = resting_stage(bench, orchestrator, options.hosts)
        hosts, origin = stage.hosts, bench.origin(orchestrator)
        asyncio.run(meet(bench, origin, stage, options.rate))
    herds = []
    for _ in range(options.repeat):
        with bench.serving():
            herds.append(asyncio.run(_rush(hosts, origin)))
    last = [max(herd.first_s.values(), default=0.0) for herd in herds]
    unheard = sum(len(hosts) - len(herd.first_s) for herd in herds)
    return [
        Figure("nodes that never had an answer", unheard, 0),
        repeated("the last node has its first answer, s", last),
        repeated("steady, s", [herd.steady_s(len(hosts)) for herd in herds], STEADY_GOAL_S),
        repeated("polls that failed", [float(sum(herd.failed.values())) for herd in herds]),
    ]


async def _rush(hosts: Sequence[Enrolled], origin: Origin) -> Herd:
    herd, nodes, crowd = Herd(), resting_nodes(hosts, origin), asyncio.Semaphore(_AT_A_TIME)
    started = time.perf_counter()
    lives = [_live(number, node, started, herd, crowd) for number, node in enumerate(nodes)]
    await asyncio.gather(*lives)
    close(nodes)
    return herd


async def _live(
    number: int, node: RestingNode, started: float, herd: Herd, crowd: asyncio.Semaphore
) -> None:
    times, failures = PollTimes(_POLL_S, random.Random(number).random), 0
    while (now_s := time.perf_counter() - started) < _WATCHED_S:
        if times.at_s > now_s:
            await asyncio.sleep(min(times.at_s, _WATCHED_S) - now_s)
            continue
        polls = Polls()
        async with nullcontext() if number in herd.first_s else crowd:
            is_answered = await node.poll(time.perf_counter(), polls)
        ended_s = time.perf_counter() - started
        if is_answered:
            failures = 0
            herd.first_s.setdefault(number, ended_s)
            herd.answered[int(ended_s)] += polls.seconds
            times.answered(ended_s)
        else:
            failures += 1
            herd.failed[int(ended_s)] += 1
            times.failed(ended_s, failures, 0.0)

# SPDX-License-Identifier: Apache-2.0
"""Polls in steady state: nodes at rest, each poll of which changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from tests.bench.figures import Figure, percentile, repeated
from tests.bench.orchestrator.load import (
    Polls,
    close,
    introduce,
    poll_in_turn,
    resting_nodes,
    warm_up,
)
from tests.bench.orchestrator.options import Options
from tests.bench.orchestrator.process import Bench, Used, used
from tests.integration.orchestrator_stub.running import Orchestrator
from tests.simulator.connection import Origin
from tests.simulator.stage import PROFILE, Stage, set_stage

P99_GOAL_MS: Final = 100.0
_PART_S: Final = 10.0


def measure(bench: Bench, options: Options) -> list[Figure]:
    """Poll for a while, after everybody is known."""
    with bench.serving() as orchestrator:
        stage = resting_stage(bench, orchestrator, options.hosts)
        return asyncio.run(_measure(bench, orchestrator, stage, options))


def resting_stage(bench: Bench, orchestrator: Orchestrator, hosts: int) -> Stage:
    """The hosts of an orchestrator, enrolled when there are none yet."""
    if bench.resting is None:
        bench.resting = _set_resting_stage(orchestrator, hosts)
    return bench.resting


async def meet(bench: Bench, origin: Origin, stage: Stage, rate: float) -> None:
    """See to it that every node has polled before, now or for another part."""
    if bench.has_met:
        return
    nodes = resting_nodes(stage.hosts, origin)
    await introduce(nodes, rate)
    close(nodes)
    bench.has_met = True


def _set_resting_stage(orchestrator: Orchestrator, hosts: int) -> Stage:
    """Hosts with everything that an answer is made from: a policy, a site, windows of two kinds."""
    stage = set_stage(orchestrator, hosts)
    region = orchestrator.create("compute/regions", {"name": "all of it"})["resourceId"]
    (site,) = orchestrator.get("compute/sites")["sites"]
    moved = orchestrator.rest("PATCH", f"compute/sites/{site['resourceId']}", {"regionId": region})
    assert moved.status_code == 200, moved.text
    nightly = {
        "name": "nightly",
        "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
        "targetRegionId": region,
        "durationSeconds": 7200,
        "cronMinutes": "0",
        "cronHours": "2",
        "cronDayMonth": "*",
        "cronMonth": "*",
        "cronDayWeek": "*",
    }
    orchestrator.create("compute/schedules/repeated", nightly)
    stage.link(orchestrator.policy("LATEST"), stage.hosts)
    assert orchestrator.os_id(PROFILE, stage.hosts[0].identity.image_id)
    return stage


async def _measure(
    bench: Bench, orchestrator: Orchestrator, stage: Stage, options: Options
) -> list[Figure]:
    nodes = resting_nodes(stage.hosts, bench.origin(orchestrator))
    await warm_up(nodes, options.rate)
    bench.has_met = True
    before = await asyncio.to_thread(used, orchestrator)
    parts = [
        await poll_in_turn(nodes, options.rate, min(_PART_S, options.seconds))
        for _ in range(max(1, round(options.seconds / _PART_S)))
    ]
    after = await asyncio.to_thread(used, orchestrator)
    close(nodes)
    return _figures(parts, before, after)


def _figures(parts: Sequence[Polls], before: Used, after: Used) -> list[Figure]:
    polls = sum(part.count for part in parts)
    errors = [error for part in parts for error in part.errors]
    seconds = [one for part in parts for one in part.seconds]
    ways = {way: after.ways[way] - before.ways[way] for way in after.ways}
    return [
        Figure("polls", polls),
        Figure("polls that were not answered", len(errors), 0),
        repeated("p50 of 10 s, ms", [1000 * percentile(p.seconds, 50) for p in parts]),
        repeated("p99 of 10 s, ms", [1000 * percentile(p.seconds, 99) for p in parts]),
        Figure("p50, ms", 1000 * percentile(seconds, 50)),
        Figure("p99, ms", 1000 * percentile(seconds, 99), P99_GOAL_MS),
        Figure("longest, ms", 1000 * max(seconds)),
        Figure("polls that wrote", ways["writing"], 0),
        Figure("polls answered from memory, %", 100 * ways["memory"] / polls),
        Figure("CPU of the server for a poll, ms", 1000 * (after.cpu_s - before.cpu_s) / polls),
        Figure("memory of the server, MiB", after.rss_mib),
    ]

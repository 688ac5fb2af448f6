# SPDX-License-Identifier: Apache-2.0
"""The simulator's trials at their full size: many updates at once, and a bad image in waves."""

from __future__ import annotations

import asyncio
from typing import Final

from tests.bench.figures import Figure
from tests.bench.orchestrator.options import Options
from tests.bench.orchestrator.process import Bench, used
from tests.simulator.bad_image import spread_bad_image
from tests.simulator.many_updates import update_many
from tests.simulator.pace import Mishaps, Pace

_PACE: Final = Pace(
    poll_s=20.0,
    first_poll_within_s=20.0,
    download_s=(40.0, 90.0),
    seal_s=(2.0, 5.0),
    boot_s=(5.0, 15.0),
    assess_s=(5.0, 15.0),
    mishaps=Mishaps(lost=0.05, power_cuts=0.02),
)


def measure_updates(bench: Bench, options: Options) -> list[Figure]:
    """So many updates, all at the same time."""
    with bench.serving() as orchestrator:
        outcome = asyncio.run(update_many(orchestrator, options.updates, _PACE, options.patience_s))
        after = used(orchestrator)
    for line in (*outcome.wrong, *outcome.unanswered[:5]):
        print(f"  {line}")
    return [
        Figure("updates", outcome.updates),
        Figure("most at once", outcome.most_at_once),
        Figure("ends that are not as they should be", len(outcome.wrong), 0),
        Figure("polls that were not answered", len(outcome.unanswered)),
        Figure("boots", outcome.boots),
        Figure("until the last end was known, s", outcome.seconds),
        Figure("CPU of the server, s", after.cpu_s),
        Figure("memory of the server, MiB", after.rss_mib),
    ]


def measure_bad_image(bench: Bench, options: Options) -> list[Figure]:
    """A bad image on its way through all hosts."""
    with bench.serving() as orchestrator:
        outcome = asyncio.run(
            spread_bad_image(orchestrator, options.hosts, _PACE, options.patience_s, options.share)
        )
        after = used(orchestrator)
    print(f"  {outcome.reason}")
    for line in outcome.wrong[:10]:
        print(f"  {line}")
    return [
        Figure("hosts", outcome.hosts),
        Figure("hosts that the image has reached", outcome.reached, outcome.allowed),
        Figure("of these, hosts that have booted it", outcome.booted),
        Figure("nodes that are not where they should be", len(outcome.wrong), 0),
        Figure("until the rollout stood, s", outcome.stopped_after_s),
        Figure("memory of the server, MiB", after.rss_mib),
    ]

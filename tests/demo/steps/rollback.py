# SPDX-License-Identifier: Apache-2.0
"""Step 2, a rollback: an image whose health probe fails, and then one that is mended."""

from __future__ import annotations

import time

from tests.demo.versions import FAILING_PROBE, MENDED, UNHEALTHY, UPDATE
from tests.demo.world import World, named

BEGINS_WITH = UPDATE
IMAGES = (UPDATE, UNHEALTHY, MENDED)
TITLE = (
    f"2  A rollback: {UNHEALTHY.version} has a health probe that fails; {MENDED.version} is mended"
)
WATCHED_S = 4
_QUICK = "DOWNLOADED"  # the window is open, so the reboot follows at once


def play(world: World) -> None:
    """Play the step."""
    watch, note = world.watch, world.ledger.note
    world.prepare(UNHEALTHY)
    world.wait_for_report("UP_TO_DATE")
    home, away = world.slots()
    mark = watch.mark()
    world.offer(UNHEALTHY)
    world.prepare(MENDED)
    world.wait_for_end(mark)
    note(
        "2 statuses of the unhealthy one",
        expected="UP_TO_DATE DOWNLOADING STARTED FAILED",
        seen=" ".join(watch.since(mark, _QUICK)),
    )
    cause = world.server.last_cause()
    told = FAILING_PROBE[0] if FAILING_PROBE[0] in cause.get("failure_log", "") else "no probe"
    note(
        "2 cause at the server",
        expected=f"rolledback criticalservices {UNHEALTHY.version} {FAILING_PROBE[0]}",
        seen=" ".join(
            (*(cause.get(k, "?") for k in ("status", "failure_reason", "version")), told)
        ),
    )
    note("2 node is back on", expected=f"slot {home}: {named(UPDATE)}", seen=world.running())
    entry = world.node.disk.entry(away)
    left = "none left" if entry and entry.tries_left == 0 else str(entry)
    note(f"2 tries of slot {away}", expected="none left", seen=left)

    world.puadctl("status")
    world.narration.say(f"watching for {WATCHED_S} s that it is not tried again")
    boots, runs = world.node.boots, len(world.server.runs())
    time.sleep(WATCHED_S)
    boots, runs = world.node.boots - boots, len(world.server.runs()) - runs
    note(
        "2 tried again",
        expected="0 boots, 0 runs, FAILED",
        seen=f"{boots} boots, {runs} runs, {watch.now.status_type}",
    )

    mark = watch.mark()
    world.offer(MENDED)
    world.wait_for_end(mark, "UPDATED")
    note(
        "2 statuses of the mended one",
        expected="FAILED DOWNLOADING STARTED UPDATED",
        seen=" ".join(watch.since(mark, _QUICK)),
    )
    note(
        "2 os-release in the mount", expected=f"slot {away}: {named(MENDED)}", seen=world.running()
    )
    note("2 slot bytes", expected=world.image_hash(MENDED), seen=world.slot_hash(MENDED))

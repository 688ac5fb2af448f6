# SPDX-License-Identifier: Apache-2.0
"""Step 1, an update: policy LATEST, the download ahead of the window, then the window."""

from __future__ import annotations

from tests.demo.sabotage import Sabotage
from tests.demo.versions import START, UPDATE
from tests.demo.waiting import wait_for
from tests.demo.world import World, named

BEGINS_WITH = START
IMAGES = (START, UPDATE)
TITLE = f"1  An update: {START.version} to {UPDATE.version}, as an operator sees it"
WINDOW_IN_S = 600  # no machine is so slow that the download is not over by then
BROUGHT_FORWARD_S = 9
WINDOW_S = 3600


def play(world: World) -> None:
    """Play the step."""
    watch, note = world.watch, world.ledger.note
    world.prepare(UPDATE)
    world.wait_for_report("UP_TO_DATE")
    note("1 node runs", expected=f"slot a: {named(START)}", seen=world.running())
    mark = watch.mark()
    world.offer(UPDATE)
    wait_for("the marker", lambda: watch.now.available, 30)
    note("1 update available", expected=named(UPDATE), seen=watch.now.available)

    world.narration.say(f"operator: policy LATEST, window opens in {WINDOW_IN_S // 60} min")
    world.server.link_latest()
    window = world.server.open_window(WINDOW_IN_S, WINDOW_S)
    world.puadctl("check")
    wait_for("DOWNLOADED", lambda: watch.now.status_type == "DOWNLOADED", 300)
    if world.sabotage is Sabotage.SWAPPED_SLOT:
        _swap_sealed_slot(world)
    world.narration.say(f"operator: the window opens in {BROUGHT_FORWARD_S} s already")
    world.server.move_window(window, BROUGHT_FORWARD_S, WINDOW_S)
    world.wait_for_end(mark)
    note(
        "1 statuses at the server",
        expected="UP_TO_DATE DOWNLOADING DOWNLOADED STARTED UPDATED UP_TO_DATE",
        seen=" ".join(watch.since(mark)),
    )
    note("1 marker afterwards", expected="gone", seen=watch.now.available or "gone")
    note("1 host", expected="Running", seen=watch.now.host)
    note("1 host's OS at the server", expected=named(UPDATE), seen=watch.now.os_name)
    note("1 update run", expected="Update completed", seen=world.server.runs()[0]["status"])
    note("1 os-release in the mount", expected=f"slot b: {named(UPDATE)}", seen=world.running())
    note("1 slot bytes", expected=world.image_hash(UPDATE), seen=world.slot_hash(UPDATE))
    note("1 firmware", expected="b good, first", seen=world.firmware())
    world.puadctl("slots")


def _swap_sealed_slot(world: World) -> None:
    world.narration.say("sabotage: slot b's file is exchanged for another one")
    file = world.node.disk.slot_file("b")
    other = file.with_name("other.img")
    size = file.stat().st_size
    with other.open("wb") as target:
        target.write(world.files[START.version].read_bytes())
        target.truncate(size)
    other.rename(file)

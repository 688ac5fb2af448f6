# SPDX-License-Identifier: Apache-2.0
"""Booting a state: the reference node goes on from a power cut, with the real firmware.

Three things are asked: the firmware chooses what the model said, the update then comes to its end,
and the server's final word is the truth. The firmware's variables are new: they lie outside of the
log, and nothing may depend on them.

A cut in the last boot that the new image gets uses up its tries: the node then stays on the old
slot, the server is told why, and the update comes to its end once an operator has it tried again.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.demo.waiting import wait_for
from tests.powercut.checker import Sight
from tests.powercut.node_recorder import UPDATE
from tests.powercut.recording import Recording, Story
from tests.powercut.states import State
from tests.powercut.write_log import write_request
from tests.vm.harness.bench import FIRST
from tests.vm.harness.guest import GuestAwayError
from tests.vm.harness.machine import Counters
from tests.vm.harness.node import Node

_BOOT_S: Final = 600
_END_S: Final = 1200


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a booted state ended.

    Attributes:
        name: The state.
        expected: The slot that the model said.
        first: The slot that the firmware booted first; empty when none came up.
        end: What became of the node; empty when something was wrong.
        wrong: What was wrong; empty when nothing was.
    """

    name: str
    expected: str
    first: str
    end: str
    wrong: str


def write_disk(recording: Recording, state: State, path: Path) -> None:
    """The whole disk in that state, as a file."""
    command = ["cp", "--sparse=always", str(recording.disk), str(path)]
    subprocess.run(command, check=True)
    with path.open("r+b") as disk:
        for request in itertools.islice(recording.requests, state.flushed):
            if request.place:
                write_request(disk.fileno(), recording.log, request, 0, request.sectors)
        for kept in state.kept:
            request = recording.requests[kept.index]
            if request.place:
                write_request(disk.fileno(), recording.log, request, kept.first, kept.last)


def _first_slot(node: Node) -> str:
    """The slot of the first boot since power-on; empty until the node can be asked.

    A bad image's boot ends before anybody can ask it, so it is the journal that tells.
    """
    if not node.machine.is_settled:
        return ""
    with contextlib.suppress(GuestAwayError, AssertionError):
        return node.slot_of_boot(node.machine.resets)
    return ""


class Booter:
    """Boots states.

    Args:
        idle: The state in which the recording began: its server and releases.
        folder: For disks and logs; a folder for each state.
        counters: What the machines cost.
    """

    def __init__(self, idle: Path, folder: Path, counters: Counters) -> None:
        self._idle = idle
        self._folder = folder
        self._counters = counters

    def boot(self, recording: Recording, state: State, sight: Sight) -> Outcome:
        """Switch the node on in that state and wait for the end of its update."""
        name = f"{recording.name}:{state.name}"
        folder = self._folder / name.replace(":", "-")
        folder.mkdir(parents=True)
        disk = folder / "disk.raw"
        write_disk(recording, state, disk)
        node = Node(folder / "node", self._counters)
        expected, first, end, wrong = sight.booted, "", "", ""
        try:
            self._serve(node, recording.story)
            node.machine.insert(disk)
            node.power_on()
            first = wait_for("a first boot", lambda: _first_slot(node), _BOOT_S, 2)
            if first == expected:
                again = self._try_again(node, recording, sight)
                end = again + self._wait_for_the_end(node, recording)
            else:
                wrong = f"the firmware booted slot {first}, the model said {expected}"
        except Exception as error:  # noqa: BLE001 -- the other states are to be booted as well
            wrong = f"{type(error).__name__}: {error}"
        if wrong:
            node.keep_evidence(folder / "evidence")
        node.close()
        disk.unlink()
        return Outcome(name, expected, first, end, wrong)

    def _serve(self, node: Node, story: Story) -> None:
        """The server as it was before the recording, and everything that it offered by its end."""
        node.server.adopt(self._idle)
        for name in ("release", "keys"):
            shutil.copytree(self._idle / name, node.folder / name)
        node.serve()
        for image_id in sorted({*story.before.values(), story.installed} - {"", FIRST}):
            image = story.images[image_id]
            files = image.boot_files
            node.release.add(image_id, image.root, files["linux"], files["initrd"])
            node.release.publish()
            node.server.find_releases()
        node.server.plan_window(10, 7200)

    def _try_again(self, node: Node, recording: Recording, sight: Sight) -> str:
        """Have an image whose tries are used up tried again, and say so; else nothing."""
        story = recording.story
        used_up = sight.booted != story.target and any(
            entry.startswith(f"puad-{story.target}+0-") for entry in sight.entries
        )
        if recording.name != UPDATE or not used_up:
            return ""
        node.wait_status("FAILED", _END_S)
        cause = node.server.last_cause()
        if (cause.get("version"), cause.get("failure_reason")) != (story.installed, "bootloader"):
            raise RuntimeError(f"the server's last cause is {cause}")
        node.server.command("retry")
        node.ask_server()
        return "then FAILED (bootloader) at the server and tried again, "

    def _wait_for_the_end(self, node: Node, recording: Recording) -> str:
        """Wait until the node runs what it must, and the server knows: its final word."""
        target, installed = recording.story.target, recording.story.installed
        good = recording.name == UPDATE
        slot = target if good else recording.story.protected
        image_id = installed if good else recording.story.before[slot]

        def is_there() -> bool:
            # asked only at rest, and seldom: a slow machine has better things to do
            if not node.machine.is_settled:
                return False
            with contextlib.suppress(GuestAwayError, AssertionError, KeyError):
                is_good = node.slots()[slot]["assessment"] == "good"
                return is_good and node.running().endswith(f" {image_id}")
            return False

        wait_for(f"{image_id} to be good on slot {slot}", is_there, _END_S, 5)
        if good:
            node.wait_status("UP_TO_DATE", _END_S)
            return f"then {image_id} on slot {slot}, UP_TO_DATE at the server"
        node.wait_status("FAILED", _END_S)
        cause = node.server.last_cause()
        if cause.get("version") != installed:
            raise RuntimeError(f"the server's last cause is {cause}")
        return f"then {image_id} on slot {slot}, FAILED at the server"

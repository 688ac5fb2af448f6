# SPDX-License-Identifier: Apache-2.0
"""The node recorder: a whole update and a whole rollback of the reference node, write by write.

The node goes on from the harness' state `idle`; from then on QEMU's `blklogwrites` stands between
machine and disk. Version 2.0 is downloaded, written, sealed, armed, booted and marked good in
slot b. Then version 3.0, whose required probe fails, takes the place of 1.0 in slot a, is armed and
booted, and the node goes back to b. It is one log; the second recording begins where the first one
has come to rest.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.demo.layout import key, tree_key
from tests.powercut.recording import Image, Source, Story, write_recording
from tests.powercut.write_log import WriteLog, write_request
from tests.vm.harness.bench import FIRST, SECOND, Bench, Kind
from tests.vm.harness.machine import Machine
from tests.vm.harness.node import Node
from tests.vm.image.layout import CACHE
from tests.vm.image.recipe import NodeImage

UPDATE: Final = "node-update"
ROLLBACK: Final = "node-rollback"
THIRD: Final = "3.0"
BAD: Final = "required-probe-fails"
KIND: Final = Kind()
_LIMIT_S: Final = 900
_FOLDERS: Final = {
    "store": "var/lib/puad",
    "health": "var/lib/puad-health",
    "control": "var/lib/puad-bootloader",
}


class LoggedMachine(Machine):
    """A machine whose disk writes are logged."""

    __slots__ = ()

    @property
    def log(self) -> Path:
        """The log."""
        return self.folder / "writes.log"

    def _command(self) -> list[str]:
        words = super()._command()
        at = next(i for i, word in enumerate(words) if word.startswith("if=none,id=disk,"))
        cache = "cache.direct=off,cache.no-flush=on"
        disk = [
            "-blockdev", f"driver=file,node-name=disk-file,filename={self.disk},{cache}",
            "-blockdev", f"driver=qcow2,node-name=disk-bare,file=disk-file,{cache}",
            "-blockdev", f"driver=file,node-name=disk-log,filename={self.log},{cache}",
            "-blockdev", "driver=blklogwrites,node-name=disk,file=disk-bare,log=disk-log",
        ]  # fmt: skip
        # merged requests may have as many segments as one write takes, and the log adds its own
        words = [f"{word},request-merging=off" if "drive=disk," in word else word for word in words]
        return [*words[: at - 1], *disk, *words[at + 1 :]]


def images(bench: Bench) -> dict[str, NodeImage]:
    """The images that take part."""
    return {
        FIRST: bench.image(KIND, FIRST),
        SECOND: bench.image(KIND, SECOND),
        THIRD: bench.image(KIND, THIRD, BAD),
    }


def recordings(bench: Bench, say: Callable[[str], None]) -> list[Path]:
    """The two recordings, from the cache where they are there."""
    idle, known = bench.idle(KIND), images(bench)
    here = Path(__file__).parent
    code = tree_key(here / "node_recorder.py", here / "recording.py")
    folder = (
        CACHE / f"powercut-{key(code, idle.name, *(image.root.name for image in known.values()))}"
    )
    if not folder.exists():
        say("recording an update and a rollback of the reference node")
        half = folder.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        _record(bench, idle, known, half)
        half.rename(folder)
    return [folder / UPDATE, folder / ROLLBACK]


def _record(bench: Bench, idle: Path, known: dict[str, NodeImage], half: Path) -> None:
    for name in (UPDATE, ROLLBACK):
        (half / name).mkdir()
    node = Node(half / "work", bench.counters)
    machine = LoggedMachine(node.folder / "machine", counters=bench.counters)
    machine.folder.mkdir(parents=True)
    machine.log.touch()
    node.machine = machine
    try:
        node.adopt(idle)
        _update(node, known[SECOND])
        node.guest_output("sync")
        first = WriteLog(machine.log).entries
        _roll_back(node, known[THIRD])
        node.guest_output("sync")
        node.keep_evidence(half / "evidence")
        machine.cut_power()
    except BaseException:
        node.keep_evidence(CACHE / "failed-powercut")
        raise
    finally:
        node.close()
    machine.log.rename(half / "writes.log")
    _convert(idle / "disk.qcow2", half / UPDATE / "disk.raw")
    _advance(half / UPDATE / "disk.raw", half / "writes.log", first, half / ROLLBACK / "disk.raw")
    described = {version: _describe(image) for version, image in known.items()}
    update = Story("a", "b", described, {"a": FIRST, "b": ""}, SECOND, _FOLDERS)
    rollback = Story("b", "a", described, {"a": FIRST, "b": SECOND}, THIRD, _FOLDERS)
    log = "../writes.log"
    write_recording(half / UPDATE, update, Source("disk.raw", log, last=first))
    write_recording(half / ROLLBACK, rollback, Source("disk.raw", log, first=first))
    shutil.rmtree(half / "work")


def _update(node: Node, image: NodeImage) -> None:
    node.offer(image)
    node.server.plan_window(10, 7200)
    node.ask_server()
    node.wait_good("b", _LIMIT_S)
    node.wait_status("UP_TO_DATE", _LIMIT_S)


def _roll_back(node: Node, image: NodeImage) -> None:
    node.offer(image)
    node.ask_server()
    node.wait_status("FAILED", _LIMIT_S)
    node.wait_good("b", _LIMIT_S)


def _describe(image: NodeImage) -> Image:
    return Image(image.version, image.root, {"linux": image.linux, "initrd": image.initrd})


def _convert(qcow2: Path, raw: Path) -> None:
    command = ["qemu-img", "convert", "-O", "raw", str(qcow2), str(raw)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _advance(before: Path, log_path: Path, count: int, after: Path) -> None:
    """The disk after so many requests of a log."""
    subprocess.run(["cp", "--sparse=always", str(before), str(after)], check=True)
    log = WriteLog(log_path)
    with after.open("r+b") as disk:
        for request in itertools.islice(log.requests(), count):
            if request.place:
                write_request(disk.fileno(), log, request, 0, request.sectors)
    log.close()

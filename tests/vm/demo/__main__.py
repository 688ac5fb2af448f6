# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.vm.demo`: the reference node in a virtual machine, updated and rolled back.

Firmware, boot loader, kernel, systemd and D-Bus are real, and so are orchestrator and release
service. It ends with 0 only when everything held.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

from tests.demo.layout import REPOSITORY
from tests.demo.ledger import Ledger
from tests.demo.narration import Narration
from tests.demo.tool import ToolError
from tests.demo.waiting import NotSeenError, wait_for
from tests.demo.watch import Watch
from tests.vm.harness.bench import Bench, Kind
from tests.vm.harness.machine import Counters
from tests.vm.harness.node import Node
from tests.vm.image.recipe import NodeImage

RUN: Final = REPOSITORY / "build/demo-vm"
_JOURNAL: Final = RUN / "journal.txt"
_BAD: Final = "required-probe-fails"
_SAID: Final = "the application does not answer"
_LIMIT_S: Final = 1200
_QUICK: Final = "DOWNLOADED"  # the window is open, so the reboot follows at once
_CELL_CHARS: Final = 30
_INTERRUPTED: Final = 130


def main() -> int:
    """Play the demo."""
    parser = argparse.ArgumentParser(prog="make demo-vm", description="A real node, in a VM.")
    parser.add_argument("--loader", default="systemd-boot", choices=("systemd-boot", "grub"))
    loader: str = parser.parse_args().loader
    narration = Narration()
    if os.geteuid() != 0:
        narration.plain("The demo makes root images and mounts: run it as root.")
        return os.EX_NOPERM
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _play(narration, Kind(loader))
    except KeyboardInterrupt:
        narration.plain("\nInterrupted; everything is stopped.")
        return _INTERRUPTED
    except ToolError as error:
        narration.plain(f"\n{error}\nLogs: {RUN}")
        return os.EX_SOFTWARE


def _play(narration: Narration, kind: Kind) -> int:
    narration.title("Making images, release service, orchestrator and disk")
    narration.plain("  (the first time also the base, from Debian's packages: some minutes)")
    bench = Bench(narration.say, Counters())
    images = [
        bench.image(kind, version, variant)
        for version, variant in (("1.0", "good"), ("2.0", "good"), ("3.0", _BAD))
    ]
    shutil.rmtree(RUN, ignore_errors=True)
    node = bench.factory(kind, images[0], RUN)
    ledger = Ledger(lambda: 0, narration)
    _tell_addresses(narration, node)
    watch = Watch(node.server.look, narration)
    try:
        _boot(node, narration, ledger)
        _update(node, images[1], watch, ledger)
        _roll_back(node, images[2], watch, ledger)
    except NotSeenError as error:
        ledger.note("the story comes to its end", expected="yes", seen=str(error))
        node.keep_evidence(RUN / "evidence")
    finally:
        watch.close()
        node.close()
    _show(ledger, narration)
    ledger.write(RUN / "summary.json")
    narration.plain("")
    boots = f"{bench.counters.boots} boots"
    narration.say(f"everything held; {boots}" if ledger.held else f"NOT everything held; see {RUN}")
    return os.EX_OK if ledger.held else 1


def _tell_addresses(narration: Narration, node: Node) -> None:
    server = node.server
    narration.say(f"the orchestrator's page: {server.url}/")
    narration.plain(f"            {server.add_operator()}")
    narration.plain(f"            its CA: {_short(server.ca_file)}")
    narration.say(f"the node's console: tail -f {_short(node.machine.console)}")


def _boot(node: Node, narration: Narration, ledger: Ledger) -> None:
    narration.title("1  The node boots for the first time")
    node.machine.processors = os.cpu_count() or 1
    node.power_on()
    node.wait_good("a", _LIMIT_S)
    node.wait_status("UP_TO_DATE", _LIMIT_S)
    ledger.note("1 node runs", expected="slot a: edge 1.0", seen=node.running())
    times = node.guest_output("systemd-analyze", "time").splitlines()[0]
    narration.say(f"  node: {times}")


def _update(node: Node, image: NodeImage, watch: Watch, ledger: Ledger) -> None:
    narration = ledger.narration
    narration.title("2  An update: 1.0 to 2.0, policy LATEST, a window that opens now")
    mark = watch.mark()
    node.server.link_latest()
    node.offer(image)
    node.open_window()
    began = time.monotonic()
    node.wait_updated("b", _LIMIT_S)
    narration.say(f"  from the window's opening to a good slot: {time.monotonic() - began:.0f} s")
    node.wait_status("UP_TO_DATE")
    ledger.note(
        "2 statuses",
        expected="UP_TO_DATE DOWNLOADING STARTED UPDATED UP_TO_DATE",
        seen=" ".join(watch.since(mark, _QUICK)),
    )
    ledger.note("2 node runs", expected="slot b: edge 2.0", seen=node.running())
    ledger.note("2 slots", expected="a good, b good", seen=_assessments(node))
    status = node.server.runs()[0]["status"]
    ledger.note("2 update run", expected="Update completed", seen=status)


def _roll_back(node: Node, image: NodeImage, watch: Watch, ledger: Ledger) -> None:
    narration = ledger.narration
    narration.title("3  A bad image: the health probe of 3.0 fails, the old slot comes back")
    mark = watch.mark()
    node.offer(image)
    wait_for("the failure", lambda: node.server.failure("3.0"), _LIMIT_S, 2)
    node.wait_good("b", _LIMIT_S)
    ledger.note(
        "3 statuses",
        expected="UP_TO_DATE DOWNLOADING STARTED FAILED",
        seen=" ".join(watch.since(mark, _QUICK)),
    )
    cause = node.server.failure("3.0")
    ledger.note(
        "3 cause at the server",
        expected="rolledback criticalservices",
        seen=f"{cause['status']} {cause['failure_reason']}",
    )
    said = _SAID if _SAID in cause["failure_log"] else cause["failure_log"]
    ledger.note("3 last lines at the server", expected=_SAID, seen=said)
    ledger.note("3 node runs", expected="slot b: edge 2.0", seen=node.running())
    history = node.puadctl("history").text
    for line in history.splitlines():
        narration.plain(f"            | {line[:66]}")
    _keep_journal(node)
    narration.say(f"  the same in the node's journal: {_short(_JOURNAL)}")
    runs = len(node.server.runs())
    for _ in range(2):  # what a node begins after one answer it reports with the next
        node.ask_server()
    again = len(node.server.runs()) - runs
    ledger.note("3 tried again", expected="0 runs", seen=f"{again} runs")


def _keep_journal(node: Node) -> None:
    units = (f"--unit={unit}" for unit in ("puad", "puad-bootloader", "puad-health"))
    _JOURNAL.write_text(node.guest_output("journalctl", "--no-pager", *units), encoding="utf-8")


def _assessments(node: Node) -> str:
    slots = node.slots()
    return ", ".join(f"{name} {slots[name]['assessment']}" for name in sorted(slots))


def _show(ledger: Ledger, narration: Narration) -> None:
    narration.title("What was expected and what was seen")
    rows = [
        (
            row.name,
            _cut(row.expected),
            "as expected" if row.held else f"NOT SO: {_cut(row.seen)}",
            f"{row.seconds:.0f}",
        )
        for row in ledger.rows
    ]
    narration.table(("step", "expected", "seen", "s"), rows)


def _cut(text: str) -> str:
    return text if len(text) <= _CELL_CHARS else f"{text[: _CELL_CHARS - 2]} …"


def _short(path: Path) -> Path:
    return path.relative_to(REPOSITORY)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

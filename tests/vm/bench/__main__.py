# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.vm.bench`: what puad costs a node, measured on the reference node.

At rest the node polls every 20 s, as the default says, and has nothing to do. Voluntary switches of
all threads are what wakes a processor; they are counted over ten minutes. An update is timed from
the opening of its window to the new slot's mark, on a node where the image waits sealed.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.vm.harness.bench import Bench, Kind
from tests.vm.harness.machine import Counters
from tests.vm.harness.node import Node
from tests.vm.image.layout import CACHE

_WATCHED_S: Final = 600
_UNITS: Final = ("puad.service", "puad-bootloader.service", "puad-health.service")
_UPDATES: Final = 3
_SLOW_POLL: Final = "[server]\npoll_interval_s = 20\n"


def main() -> int:
    """Measure, and print one line for each figure."""
    parser = argparse.ArgumentParser(prog="make bench-vm", description=__doc__)
    parser.add_argument("--seconds", type=int, default=_WATCHED_S, help="how long to count")
    seconds: int = parser.parse_args().seconds
    bench = Bench(_say, Counters())
    with _node(bench, bench.idle(Kind())) as node:
        _measure_rest(node, seconds)
    updates = []
    for _ in range(_UPDATES):
        with _node(bench, bench.staged(Kind())) as node:
            updates.append(_measure_update(node))
    whole, firmware, kernel = zip(*updates, strict=True)
    _say(f"seconds from the window's opening to the good slot: {_spread(whole)}")
    _say(f"  of these firmware and boot loader: {_spread(firmware)}")
    _say(f"  of these kernel and initial RAM disk: {_spread(kernel)}")
    return 0


@contextlib.contextmanager
def _node(bench: Bench, state: Path) -> Iterator[Node]:
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="work-") as folder:
        node = bench.node(state, Path(folder))
        try:
            yield node
        finally:
            node.close()


def _measure_update(node: Node) -> tuple[float, float, float]:
    """Seconds from window to mark; of these firmware and boot loader, and the kernel."""
    began = time.monotonic()
    node.open_window()
    node.wait_good("b")
    whole = time.monotonic() - began
    up_s = float(node.guest_output("cat", "/proc/uptime").split()[0])
    firmware = time.time() - up_s - node.machine.qmp.last_s("RESET")
    said = node.guest_output("systemd-analyze", "time").splitlines()[0]
    return whole, firmware, _parts_s(said)["kernel"]


def _parts_s(said: str) -> dict[str, float]:
    """The parts of a boot in seconds, from `1min 2.345s (kernel) + 987ms (loader) + …`."""
    found = re.findall(r"(?:(\d+)min )?([\d.]+)(ms|s) \((\w+)\)", said)
    scale = {"ms": 0.001, "s": 1.0}
    return {name: 60 * int(m or 0) + float(n) * scale[unit] for m, n, unit, name in found}


def _spread(figures: Sequence[float]) -> str:
    least, middle, most = min(figures), statistics.median(figures), max(figures)
    return f"{least:.0f} / {middle:.0f} / {most:.0f} (min / median / max of {len(figures)})"


def _measure_rest(node: Node, seconds: int) -> None:
    for unit in _UNITS:
        said = node.guest_output("systemd-analyze", "security", "--no-pager", unit)
        (score,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said)
        _say(f"exposure of {unit}: {score}")
    for line in node.guest_output("systemd-analyze", "time").splitlines()[:1]:
        _say(line)
    node.machine.guest.write("/run/puad/config.d/50-poll.toml", _SLOW_POLL)
    node.guest_output("systemctl", "restart", "puad.service")
    time.sleep(60)
    for unit in _UNITS[:2]:
        pid = node.guest_output("systemctl", "show", "--value", "--property=MainPID", unit)
        status = node.guest_output("cat", f"/proc/{pid}/status")
        (rss,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
        _say(f"idle memory of {unit}: {int(rss) / 1024:.1f} MiB")
    unit = _UNITS[0]
    pid = node.guest_output("systemctl", "show", "--value", "--property=MainPID", unit)
    before, began = _switches(node, pid), time.monotonic()
    time.sleep(seconds)
    after, minutes = _switches(node, pid), (time.monotonic() - began) / 60
    by_thread = {name: (count - before.get(name, 0)) / minutes for name, count in after.items()}
    total = sum(by_thread.values())
    _say(f"wake-ups of {unit}: {total:.1f} a minute, over {seconds} s at a 20 s poll")
    for name, count in sorted(by_thread.items()):
        _say(f"  thread {name}: {count:.1f}")


def _switches(node: Node, pid: str) -> dict[str, int]:
    text = node.guest_output("sh", "-c", f"cat /proc/{pid}/task/*/status")
    names = re.findall(r"(?m)^Name:\s+(.+)$", text)
    numbers = re.findall(r"(?m)^Pid:\s+(\d+)$", text)
    counts = re.findall(r"(?m)^voluntary_ctxt_switches:\s+(\d+)", text)
    threads = zip(names, numbers, counts, strict=True)
    return {f"{name} {number}": int(count) for name, number, count in threads}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

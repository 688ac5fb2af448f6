# SPDX-License-Identifier: Apache-2.0
"""Smoke benchmark: a whole install against `zstd -dc | dd`, and the daemon's memory.

The contenders alternate on the same slot file, in one run; compare their ratio, not their seconds:
a machine's speed swings. puad's time is that of the whole way from DOWNLOADING to STAGED on the
real processes: TUF metadata, HTTP, decompression, chunk hashes, direct writes, boot file, and boot
control's second reading of every byte. `zstd | dd` reads a local file and checks nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.demo.layout import standard
from tests.demo.roots import SECOND, make_roots
from tests.integration.node.fleet import Fleet, running_fleet
from tests.integration.node.rig import REPOSITORY, Releases, Rig, make_image

ROUNDS: Final = 5
MIB: Final = 1 << 20
IDLE_LIMIT_MIB: Final = 64
GROWTH_LIMIT_MIB: Final = 32
SIZES_MIB: Final = (256, 2048)


def main() -> int:
    """Run both parts, print tables, write build/bench/smoke.json."""
    with tempfile.TemporaryDirectory(prefix="puad-bench-") as name:
        folder = Path(name)
        install = bench_install(folder / "install")
        memory = [bench_memory(folder / f"memory-{size}", size) for size in SIZES_MIB]
    lines = lines_of_code()
    show(install, memory, lines)
    place = REPOSITORY / "build/bench/smoke.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    figures = {"install": install, "memory": memory, "lines_of_code": lines}
    place.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


@contextmanager
def fleet_of(folder: Path, image: Path, releases: Releases) -> Iterator[Fleet]:
    """A fleet whose nodes run a small 1.0 and are offered this image as 2.0."""
    small = make_image(folder, "1.0", releases.root_of_trust)
    releases.publish("2.0", image, "--level", "3")
    with running_fleet(folder, releases, {"1.0": small}) as fleet:
        fleet.slot_bytes = image.stat().st_size + 16 * MIB
        yield fleet


def bench_install(folder: Path) -> dict[str, Any]:
    """The demo's second root image, installed again and again, in turn with the peer."""
    folder.mkdir()
    layout = standard()
    layout.logs.mkdir(parents=True, exist_ok=True)
    with layout.filling_cache():
        (root,) = make_roots(layout, [SECOND], print)
    releases = Releases(folder)
    image = make_image(folder, "2.0", releases.root_of_trust, base=root.tree)
    seconds: dict[str, list[float]] = {"puad": [], "zstd | dd": []}
    with fleet_of(folder, image, releases) as fleet:
        for number in range(ROUNDS):
            rig = fleet.node(folder / f"node{number}")
            seconds["puad"].append(installed_in(rig, fleet))
            seconds["zstd | dd"].append(decompressed_in(rig))
            rig.cut_power()
    ratios = [a / b for a, b in zip(seconds["puad"], seconds["zstd | dd"], strict=True)]
    return {
        "image_mib": image.stat().st_size // MIB,
        "seconds": {who: spread(values) for who, values in seconds.items()},
        "ratio": spread(ratios),
    }


def installed_in(rig: Rig, fleet: Fleet) -> float:
    """Seconds from DOWNLOADING to STAGED."""
    be_offered(rig, fleet)
    begin(rig)
    started = time.monotonic()
    wait_staged(rig)
    return time.monotonic() - started


def be_offered(rig: Rig, fleet: Fleet) -> None:
    """Power on with a window an hour away, and settle with the offer."""
    start = int(time.time()) + 3600
    schedule = {
        "name": "later",
        "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
        "startSeconds": start,
        "endSeconds": start + 3600,
        "targetHostId": rig.server.host_id,
    }
    rig.power_on()
    rig.wait(lambda: "health" not in rig.processes, "the node is up")
    rig.server.link(fleet.target("2.0"))
    fleet.orchestrator.create("compute/schedules/single", schedule)
    rig.wait(lambda: rig.status().get("offer"), "the offer is known")


def begin(rig: Rig) -> None:
    """Begin the download on an operator's word."""
    ask = rig.puadctl("run", "--no-wait")
    assert ask.returncode == 0, ask.stderr


def wait_staged(rig: Rig) -> None:
    """Until the slot is sealed; the states after it count as well."""
    done = {"STAGED", "ARMED", "ASSESSING", "DONE"}
    while rig.state() not in done:
        assert rig.state() != "FAILED", rig.logs()
        time.sleep(0.002)


def decompressed_in(rig: Rig) -> float:
    """Seconds that `zstd -dc | dd oflag=direct` takes onto the same slot file."""
    rig.cut_power()
    file = rig.releases.file("edge-2.0.raw.zst")
    slot = rig.machine.slot_file("b")
    started = time.monotonic()
    with subprocess.Popen(["zstd", "-dcq", file], stdout=subprocess.PIPE) as reader:
        dd = ["dd", f"of={slot}", "bs=1M", "iflag=fullblock", "oflag=direct", "conv=notrunc,fsync"]
        subprocess.run(dd, stdin=reader.stdout, check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def bench_memory(folder: Path, size_mib: int) -> dict[str, Any]:
    """Resident memory of puad, idle and at its peak while it installs an image of a size."""
    folder.mkdir()
    image = folder / "2.0.raw"
    with image.open("wb") as file:
        for number in range(size_mib):
            half = MIB // 2
            file.write(os.urandom(half) + bytes([number % 251]) * half)
    with fleet_of(folder, image, Releases(folder)) as fleet:
        rig = fleet.node(folder / "node")
        be_offered(rig, fleet)
        idle = memory_kib(rig, "VmRSS")
        begin(rig)
        wait_staged(rig)
        peak = memory_kib(rig, "VmHWM")
        rig.cut_power()
    return {
        "image_mib": size_mib,
        "idle_mib": round(idle / 1024, 1),
        "peak_mib": round(peak / 1024, 1),
    }


def memory_kib(rig: Rig, field: str) -> int:
    """A figure of /proc/PID/status of puad."""
    pid = rig.processes["puad"].pid
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise RuntimeError(f"puad has no {field}")


def lines_of_code() -> dict[str, int]:
    """Lines that are neither empty nor comments, for each package."""
    counts = {}
    for package in ("puad/core", "puad", "bootloader", "orchestrator_stub"):
        files = (REPOSITORY / package).rglob("*.py")
        lines = [line.strip() for file in files for line in file.read_text("utf-8").splitlines()]
        counts[package] = sum(1 for line in lines if line and not line.startswith("#"))
    return counts


def spread(values: list[float]) -> dict[str, float]:
    """Minimum, median and maximum."""
    figures = {"min": min(values), "median": statistics.median(values), "max": max(values)}
    return {name: round(value, 3) for name, value in figures.items()}


def show(install: dict[str, Any], memory: list[dict[str, Any]], lines: dict[str, int]) -> None:
    """The figures as a person reads them."""
    print(f"\nInstall of {install['image_mib']} MiB, {ROUNDS} rounds     min   median      max")
    rows = [*install["seconds"].items(), ("ratio puad / (zstd | dd)", install["ratio"])]
    for who, row in rows:
        print(f"  {who:<30}{row['min']:>8.2f} {row['median']:>8.2f} {row['max']:>8.2f}")
    print("\nMemory of puad (MiB)                 idle     peak   growth")
    for row in memory:
        growth = row["peak_mib"] - row["idle_mib"]
        size = f"image of {row['image_mib']} MiB"
        print(f"  {size:<30}{row['idle_mib']:>8.1f} {row['peak_mib']:>8.1f} {growth:>8.1f}")
        print(f"  {'limit':<30}{IDLE_LIMIT_MIB:>8} {'':>8} {GROWTH_LIMIT_MIB:>8}")
    print("\nLines of code")
    for package, count in lines.items():
        print(f"  {package:<30}{count:>8}")


if __name__ == "__main__":
    sys.exit(main())

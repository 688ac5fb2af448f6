# SPDX-License-Identifier: Apache-2.0
"""The `boot` command: one power-on of a machine whose images hold a static busybox as pid 1."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bootloader.backend import Entry
from bootloader.simulation.machine import load_machine
from tests.integration.bootloader.conftest import REPOSITORY, running, wait_until

pytestmark = pytest.mark.dbus
ERASED = bytes(4096)
REPORT = """\
exec > /var/lib/report.new
echo slot=$(cat /slot)
echo word=$(cat /run/puad-bootloader/selected)
echo pids=$(ls /proc | grep -c '^[0-9]')
echo root=$(touch /written 2> /dev/null && echo writable || echo read-only)
echo disk=$(ls -A /disk)
echo devices=$(ls /dev)
mv /var/lib/report.new /var/lib/report
"""


@dataclass
class Bench:
    """A machine, and what it has told."""

    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def command(self) -> Sequence[str | Path]:
        config, events = self.folder / "machine.toml", self.folder / "events"
        return (sys.executable, "-m", "bootloader", "boot", "--config", config, "--events", events)

    def boot(self) -> int:
        return subprocess.run(self.command, cwd=REPOSITORY, timeout=120, check=False).returncode

    def events(self) -> list[dict[str, Any]]:
        lines = (self.folder / "events").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def told(self) -> list[str]:
        return [f"{event['event']} {event.get('slot', '')}".strip() for event in self.events()]

    def report(self) -> dict[str, str]:
        lines = (self.folder / "persist/report").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def arm(self, slot: str, tries: int) -> None:
        boot_loader = load_machine(self.folder / "machine.toml").boot_loader()
        boot_loader.arm(slot, tries, Entry(frozenset(), f"puad.slot={slot}"))

    def tries_left(self, slot: str) -> int | None:
        return load_machine(self.folder / "machine.toml").boot_loader().status(slot).tries_left

    def erase(self, slot: str) -> None:
        with (self.folder / f"disk/{slot}.img").open("r+b") as file:
            file.write(ERASED)


def make_image(bench: Bench, slot: str, script: str, *, kind: str = "erofs") -> None:
    """A slot file whose pid 1 runs a script."""
    tree = bench.folder / f"tree-{slot}"
    for name in ("bin", "dev", "proc", "sys", "run", "tmp", "var/lib", "disk", "usr/lib/puad"):
        (tree / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin/busybox")
    for applet in ("sh", "cat", "ls", "grep", "touch", "mv", "sleep", "echo"):
        (tree / "bin" / applet).symlink_to("busybox")
    (tree / "slot").write_text(slot)
    init = tree / "usr/lib/puad/simulated-init"
    init.write_text(f"#!/bin/sh\n{script}\n")
    init.chmod(0o755)
    image = bench.folder / f"disk/{slot}.img"
    if kind == "erofs":
        make: list[str | Path] = ["/usr/bin/mkfs.erofs", image, tree]
    else:
        image.touch()
        os.truncate(image, 16 << 20)
        make = ["/usr/sbin/mkfs.ext4", "-q", "-d", tree, image]
    subprocess.run(make, check=True, capture_output=True)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    for name in ("disk", "persist"):
        (tmp_path / name).mkdir()
    machine = f'disk = "{tmp_path}/disk"\npersist = "{tmp_path}/persist"\n'
    (tmp_path / "machine.toml").write_text(machine)
    init = ["-m", "bootloader", "firmware", "init", "--config", str(tmp_path / "machine.toml")]
    subprocess.run([sys.executable, *init], cwd=REPOSITORY, check=True)
    return Bench(tmp_path)


@pytest.mark.parametrize("kind", ["erofs", "ext4"])
def test_boot_runs_the_slot_read_only_as_a_machine_of_its_own(bench: Bench, kind: str) -> None:
    make_image(bench, "a", REPORT + "exit 0", kind=kind)
    assert bench.boot() == 0
    report = bench.report()
    assert report["slot"] == "a"
    assert json.loads(report["word"])["slot"] == "a"
    assert int(report["pids"]) < 10
    assert report["root"] == "read-only"
    assert "a.img" in report["disk"]
    assert "loop" in report["devices"]
    assert bench.told() == ["try a", "started a", "ended a"]


def test_boot_says_how_the_node_ended(bench: Bench) -> None:
    make_image(bench, "a", "exit 3")
    assert bench.boot() == 3
    make_image_again = bench.folder / "tree-a"
    shutil.rmtree(make_image_again)
    make_image(bench, "a", "exit 1")
    assert bench.boot() == 4
    assert [event["how"] for event in bench.events() if event["event"] == "ended"] == [
        "reboot",
        "crash",
    ]


def test_boot_of_a_corrupt_slot_uses_up_its_tries_and_falls_back(bench: Bench) -> None:
    make_image(bench, "a", REPORT + "exit 0")
    make_image(bench, "b", "exit 0")
    bench.erase("b")
    bench.arm("b", 2)
    assert bench.boot() == 0
    assert bench.told() == [
        "try b",
        "not-booted b",
        "try b",
        "not-booted b",
        "try a",
        "started a",
        "ended a",
    ]
    assert bench.tries_left("b") == 0
    assert bench.report()["slot"] == "a"


def test_boot_without_an_init_counts_as_not_booted(bench: Bench) -> None:
    make_image(bench, "a", REPORT + "exit 0")
    make_image(bench, "b", "exit 0")
    tree = bench.folder / "tree-b"
    (tree / "usr/lib/puad/simulated-init").unlink()
    (bench.folder / "disk/b.img").unlink()
    command: list[str | Path] = ["/usr/bin/mkfs.erofs", bench.folder / "disk/b.img", tree]
    subprocess.run(command, check=True, capture_output=True)
    bench.arm("b", 1)
    assert bench.boot() == 0
    assert bench.report()["slot"] == "a"


def test_boot_counts_before_the_node_runs(bench: Bench) -> None:
    make_image(bench, "a", "exit 0")
    make_image(bench, "b", "cat /disk/firmware > /var/lib/seen; exit 4")
    bench.arm("b", 3)
    assert bench.boot() == 4
    assert b'"tries_left": 2' in (bench.folder / "persist/seen").read_bytes()


def test_boot_with_a_broken_good_slot_and_nothing_else_ends(bench: Bench) -> None:
    make_image(bench, "a", "exit 0")
    bench.erase("a")
    assert bench.boot() == 5
    assert bench.told()[-1] == "stuck a"


def test_boot_without_an_entry_boots_nothing(bench: Bench) -> None:
    make_image(bench, "a", "exit 0")
    load_machine(bench.folder / "machine.toml").boot_loader().disarm("a")
    assert bench.boot() == 5
    assert bench.told() == ["nothing-bootable"]


def test_boot_killed_takes_the_node_with_it(bench: Bench) -> None:
    make_image(bench, "a", "echo up > /var/lib/up; while :; do echo x >> /var/lib/alive; done")
    alive = bench.folder / "persist/alive"

    def is_gone() -> Callable[[], bool]:
        sizes = [alive.stat().st_size]

        def stands_still() -> bool:
            sizes.append(alive.stat().st_size)
            return sizes[-1] == sizes[-2] == sizes[max(0, len(sizes) - 20)] and len(sizes) > 20

        return stands_still

    with running(*bench.command, cwd=REPOSITORY) as power:
        wait_until(alive.exists, "the node runs")
        power.send_signal(signal.SIGKILL)
        power.wait()
    wait_until(is_gone(), "nothing of the node writes any more")

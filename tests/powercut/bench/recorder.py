# SPDX-License-Identifier: Apache-2.0
"""The bench: records whole updates of small disks, with planted faults, in one boot of a machine.

It needs a Debian root with its kernel and initrd, and runs this tree's code in it without systemd:
so one boot of some ten seconds gives every recording, and a fault needs no image of its own. The
machine has one processor: with more, QEMU without KVM now and then runs into a kernel that patches
its own code.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.powercut.bench.factory import (
    BEFORE,
    INSTALLED,
    PARTUUIDS,
    REPOSITORY,
    TIMEOUT_S,
    run_tool,
)
from tests.powercut.bench.faults import FAULTS
from tests.powercut.recording import Source, Story, write_recording
from tests.vm.harness.emulator import emulator

_FAILED: Final = re.compile(r"^failed (\S+): (.*?)\r?$", re.MULTILINE)
_SOURCES: Final = ("puad", "bootloader", "tests/powercut", "tests/unit/bootloader")


@dataclass(frozen=True, slots=True)
class System:
    """What the machine runs: a root image, its kernel and its initrd."""

    root: Path
    kernel: Path
    initrd: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """One recording: what is played, and what is wrong with it.

    Attributes:
        kind: `update`, `rollback`, `undo`, or `resume` for a disk after a power cut.
        fault: A planted fault.
        dirsync: Whether the ESP is mounted so that the kernel syncs its folders as well.
        disk: The disk at its start; None for the factory's.
        name: Its name.
    """

    kind: str
    fault: str = ""
    dirsync: bool = True
    disk: Path | None = None
    name: str = ""


SOUND: Final = (
    Plan("update", name="bench-update"),
    Plan("update", name="bench-update-without-dirsync", dirsync=False),
    Plan("rollback", name="bench-rollback"),
    Plan("undo", name="bench-undo"),
)
# with dirsync the kernel does what a fault in boot control leaves out
PLANTED: Final = tuple(Plan("update", name, dirsync=False, name=name) for name in FAULTS)


def record(folder: Path, story: Story, system: System, plans: Sequence[Plan]) -> list[Path]:
    """Record these plays; the folders of the recordings.

    Args:
        folder: What `make_factory` has filled.
        story: What it gave.
        system: What the machine runs.
        plans: At most twenty plays, each on a disk of its own.
    """
    failed = play(folder, story, system, plans)
    if failed:
        raise RuntimeError(f"the bench failed: {failed}")
    return [folder / plan.name for plan in plans]


def play(folder: Path, story: Story, system: System, plans: Sequence[Plan]) -> dict[str, str]:
    """Play these plays and record them; why some came to no end, by their names."""
    recordings = []
    for plan in plans:
        own = folder / plan.name
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir()
        recordings.append(own)
        disk = plan.disk or folder / "disk.raw"
        backing = ("-F", "raw", "-b", disk.resolve())
        run_tool("qemu-img", "create", "-q", "-f", "qcow2", *backing, own / "after.qcow2")
        (own / "writes.log").touch()
        write_recording(own, story, Source(os.path.relpath(disk, own), "writes.log"))
    _make_source(folder, [_play(plan, number) for number, plan in enumerate(plans)])
    console = _run_machine(folder, system, recordings)
    for own in recordings:
        (own / "after.qcow2").unlink()
    return {found[1]: found[2] for found in _FAILED.finditer(console)}


def _play(plan: Plan, number: int) -> dict[str, Any]:
    options = "umask=0077,errors=continue,nodev,nosuid,noexec"
    return {
        "name": plan.name,
        "kind": plan.kind,
        "fault": plan.fault,
        "esp_options": f"{options},dirsync" if plan.dirsync else options,
        "disk": f"/dev/vd{chr(ord('c') + number)}",
        "target": "b",
        "images": {"a": BEFORE["a"], "b": INSTALLED},
        "partuuids": PARTUUIDS,
    }


def _make_source(folder: Path, plays: list[dict[str, Any]]) -> None:
    tree = folder / "source"
    shutil.rmtree(tree, ignore_errors=True)
    for name in _SOURCES:
        shutil.copytree(REPOSITORY / name, tree / name, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copytree(folder / "release", tree / "release")
    (tree / "plays.json").write_text(json.dumps(plays))
    (folder / "source.erofs").unlink(missing_ok=True)
    run_tool("mkfs.erofs", "-T0", folder / "source.erofs", tree)


def _run_machine(folder: Path, system: System, recordings: list[Path]) -> str:
    """Run everything; what the console said."""
    run = "mount -t erofs -o ro /dev/vdb /mnt && exec python3 -I /mnt/tests/powercut/bench/guest.py"
    line = f'root=/dev/vda ro rootfstype=erofs console=ttyS0 panic=-1 init=/bin/sh -- -c "{run}"'
    argv: list[str | Path] = [
        *emulator(), "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "qemu64",
        "-smp", "1", "-m", "1024", "-nodefaults", "-no-reboot", "-display", "none", "-nic", "none",
        "-kernel", system.kernel, "-initrd", system.initrd, "-append", line,
        "-serial", f"file:{folder}/console.log",
    ]  # fmt: skip
    for name, image in (("root", system.root), ("source", folder / "source.erofs")):
        argv += ["-drive", f"if=none,id={name},file={image},format=raw,readonly=on"]
        argv += ["-device", f"virtio-blk-pci,drive={name}"]
    for number, own in enumerate(recordings):
        argv += _logged_disk(f"d{number}", own)
    subprocess.run(argv, check=True, timeout=TIMEOUT_S, capture_output=True)
    console = (folder / "console.log").read_text(errors="replace")
    if "all played" not in console:
        raise RuntimeError(f"the bench failed\n{console[-6000:]}")
    return console


def _logged_disk(name: str, own: Path) -> list[str]:
    return [
        "-blockdev", f"driver=file,node-name={name}f,filename={own}/after.qcow2",
        "-blockdev", f"driver=qcow2,node-name={name}q,file={name}f",
        "-blockdev", f"driver=file,node-name={name}l,filename={own}/writes.log",
        "-blockdev", f"driver=blklogwrites,node-name={name},file={name}q,log={name}l",
        "-device", f"virtio-blk-pci,drive={name},write-cache=on",
    ]  # fmt: skip

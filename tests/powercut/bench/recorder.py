# SPDX-License-Identifier: Apache-2.0
"""The bench: records whole updates of small disks, with planted faults, in one boot of a machine.

It needs a Debian root with its kernel and initrd, and runs this tree's code in it without systemd:
so one boot of some ten seconds gives every recording, and a fault needs no image of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bootloader.backend import Entry, Setup
from bootloader.backends.systemd_boot import SystemdBoot, SystemdBootOptions
from bootloader.durable import Files
from bootloader.manifest import Manifest
from bootloader.notes import NoteBook, Notes
from bootloader.slot import BootFileKind
from puad.core.run import Run
from puad.daemon.memory import Memory
from puad.store import Store
from tests.powercut.bench.faults import FAULTS
from tests.powercut.recording import FILE_NAME, Image, Story, write_recording

REPOSITORY: Final = Path(__file__).resolve().parents[3]
PROFILE: Final = "edge"
SLOT_MIB: Final = 16
_TIMEOUT_S: Final = 900
_PARTUUID: Final = "6f7c4b1e-0000-4000-8000-00000000000{}"
_LAYOUT: Final = (
    ("esp", "ef00", 20),
    ("rootfs_a", "8304", SLOT_MIB),
    ("rootfs_b", "8304", SLOT_MIB),
    ("persist", "8300", 48),
)
_FOLDERS: Final = {"store": "puad", "health": "puad-health", "control": "puad-bootloader"}
_BEFORE: Final = {"a": "13.1", "b": "13.0"}
_INSTALLED: Final = "13.2"


@dataclass(frozen=True, slots=True)
class System:
    """What the machine runs: a root image, its kernel and its initrd."""

    root: Path
    kernel: Path
    initrd: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """One recording: what is played, with which fault."""

    kind: str
    fault: str = ""

    @property
    def name(self) -> str:
        """Its name."""
        return self.fault or f"bench-{self.kind}"


SOUND: Final = (Plan("update"), Plan("rollback"), Plan("undo"))
PLANTED: Final = tuple(Plan("update", fault) for fault in FAULTS)


def record(folder: Path, system: System, plans: tuple[Plan, ...]) -> list[Path]:
    """Record these plays; the folders of the recordings."""
    folder.mkdir(parents=True, exist_ok=True)
    images = {version: _make_image(folder, version) for version in ("13.0", "13.1", "13.2")}
    _publish(folder, images)
    _make_disk(folder, images)
    story = Story("a", "b", images, _BEFORE, _INSTALLED, _FOLDERS)
    plays, recordings = [], []
    for number, plan in enumerate(plans):
        own = folder / plan.name
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir()
        plays.append(_play(plan, number))
        recordings.append(own)
        _tool("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", folder / "disk.raw",
              own / "after.qcow2")
        (own / "writes.log").touch()
    _make_source(folder, plays)
    _run_machine(folder, system, recordings)
    for own in recordings:
        (own / "after.qcow2").unlink()
        write_recording(own, story, disk="../disk.raw", log="writes.log")
    return recordings


def _play(plan: Plan, number: int) -> dict[str, Any]:
    return {
        "name": plan.name,
        "kind": plan.kind,
        "fault": plan.fault,
        "disk": f"/dev/vd{chr(ord('c') + number)}",
        "target": "b",
        "images": {"a": _BEFORE["a"], "b": _INSTALLED},
        "partuuids": {str(index): _PARTUUID.format(index) for index in range(1, 5)},
    }


def _make_image(folder: Path, version: str) -> Image:
    tree, root = folder / f"tree-{version}", folder / f"{version}.raw"
    own = tree / "usr/lib"
    shutil.rmtree(tree, ignore_errors=True)
    own.mkdir(parents=True)
    (own / "os-release").write_text(f'IMAGE_ID="{PROFILE}"\nIMAGE_VERSION="{version}"\n')
    (own / "payload").write_bytes(os.urandom(5 << 20))
    _tool("mkfs.erofs", "-T0", root, tree)
    shutil.rmtree(tree)
    boot_files = {}
    for kind, size in ((BootFileKind.LINUX, 900_001), (BootFileKind.INITRD, 1_300_000)):
        boot_files[kind.value] = folder / f"{version}.{kind}"
        boot_files[kind.value].write_bytes(os.urandom(size))
    return Image(version, root, boot_files)


def _publish(folder: Path, images: dict[str, Image]) -> None:
    for name in ("repository", "keys", "release"):
        shutil.rmtree(folder / name, ignore_errors=True)
    image = images[_INSTALLED]
    places = ("--repo", folder / "repository", "--keys", folder / "keys")
    program = (sys.executable, "-m", "orchestrator_stub.release")
    _tool(*program, "init", *places)
    kernel, initrd = image.boot_files["linux"], image.boot_files["initrd"]
    named = ("--profile", PROFILE, "--version", _INSTALLED, "--min-version", _BEFORE["a"])
    files = ("--linux", kernel, "--initrd", initrd)
    _tool(*program, "add", image.root, *named, *files, *places[:2])
    _tool(*program, "publish", *places)
    _tool(*program, "export", folder / "release", "--version", _INSTALLED, *places)
    shutil.copy(folder / "repository/metadata/1.root.json", folder / "release/metadata/")


def _make_disk(folder: Path, images: dict[str, Image]) -> None:
    disk = folder / "disk.raw"
    disk.unlink(missing_ok=True)
    total = 2 + sum(size for _, _, size in _LAYOUT)
    with disk.open("wb") as file:
        file.truncate(total << 20)
    argv: list[str | Path] = []
    for number, (name, kind, size) in enumerate(_LAYOUT, 1):
        argv += [f"-n{number}:0:+{size}M", f"-c{number}:{name}", f"-t{number}:{kind}"]
        argv += [f"-u{number}:{_PARTUUID.format(number)}"]
    _tool("sgdisk", *argv, disk)
    esp, persist = _make_esp(folder, images), _make_persist(folder)
    begin = 1
    parts = (esp, images[_BEFORE["a"]].root, images[_BEFORE["b"]].root, persist)
    for part, (_, _, size) in zip(parts, _LAYOUT, strict=True):
        _tool("dd", f"if={part}", f"of={disk}", "bs=1M", f"seek={begin}", "conv=notrunc,sparse")
        begin += size


def _make_esp(folder: Path, images: dict[str, Image]) -> Path:
    tree, image = folder / "esp", folder / "esp.img"
    shutil.rmtree(tree, ignore_errors=True)
    image.unlink(missing_ok=True)
    (tree / "loader/entries").mkdir(parents=True)
    (tree / "EFI/BOOT").mkdir(parents=True)
    (tree / "EFI/BOOT/BOOTX64.EFI").write_bytes(os.urandom(120_000))
    (tree / "loader/loader.conf").write_text("timeout 0\n")
    setup = Setup(("a", "b"), folder, Files())
    loader = SystemdBoot(setup, SystemdBootOptions(esp=tree, efivars=folder / "no-variables"))
    for number, slot in ((3, "b"), (2, "a")):  # the active slot was armed last
        for kind, path in images[_BEFORE[slot]].boot_files.items():
            target = loader.boot_folder(slot) / kind
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        line = f"root=PARTUUID={_PARTUUID.format(number)} ro puad.slot={slot}"
        loader.arm(slot, 1, Entry(frozenset({BootFileKind.LINUX, BootFileKind.INITRD}), line))
        loader.mark_good(slot)
    _tool("mkfs.vfat", "-C", image, str(_LAYOUT[0][2] << 10))
    _tool("mcopy", "-s", "-i", image, *sorted(tree.iterdir()), "::")
    return image


def _make_persist(folder: Path) -> Path:
    tree, image = folder / "persist", folder / "persist.img"
    shutil.rmtree(tree, ignore_errors=True)
    image.unlink(missing_ok=True)
    for name in _FOLDERS.values():
        (tree / name).mkdir(parents=True)
    Memory(Store(tree / "puad")).keep(Run())
    notes = Notes()
    for slot, version in _BEFORE.items():
        notes = notes.with_seal(slot, _manifest(version))
    NoteBook(tree / "puad-bootloader", Files()).write(notes)
    _tool("mkfs.ext4", "-q", "-d", tree, image, f"{_LAYOUT[3][2]}M")
    return image


def _manifest(version: str) -> Manifest:
    from datetime import UTC, datetime

    built_at = datetime(2026, 1, 1, tzinfo=UTC)
    return Manifest(PROFILE, version, 1, "0" * 64, built_at, None, None, {})


def _make_source(folder: Path, plays: list[dict[str, Any]]) -> None:
    tree = folder / "source"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("puad", "bootloader", "tests/powercut", "tests/unit/bootloader"):
        shutil.copytree(REPOSITORY / name, tree / name, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copytree(folder / "release", tree / "release")
    (tree / "plays.json").write_text(json.dumps(plays))
    (folder / "source.erofs").unlink(missing_ok=True)
    _tool("mkfs.erofs", "-T0", folder / "source.erofs", tree)


def _run_machine(folder: Path, system: System, recordings: list[Path]) -> None:
    run = 'mount -t erofs -o ro /dev/vdb /mnt && exec python3 -I /mnt/tests/powercut/bench/guest.py'
    line = f'root=/dev/vda ro rootfstype=erofs console=ttyS0 panic=-1 init=/bin/sh -- -c "{run}"'
    argv: list[str | Path] = [
        "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
        "-smp", "1", "-m", "1024", "-nodefaults", "-no-reboot", "-display", "none", "-nic", "none",
        "-kernel", system.kernel, "-initrd", system.initrd, "-append", line,
        "-serial", f"file:{folder}/console.log",
    ]  # fmt: skip
    for name, image in (("root", system.root), ("source", folder / "source.erofs")):
        argv += ["-drive", f"if=none,id={name},file={image},format=raw,readonly=on"]
        argv += ["-device", f"virtio-blk-pci,drive={name}"]
    for number, own in enumerate(recordings):
        argv += _logged_disk(f"d{number}", own)
    began = time.monotonic()
    subprocess.run(argv, check=True, timeout=_TIMEOUT_S, capture_output=True)
    console = (folder / "console.log").read_text(errors="replace")
    if "all played" not in console:
        raise RuntimeError(f"the bench failed\n{console[-6000:]}")
    print(f"bench: {len(recordings)} plays in {time.monotonic() - began:.0f} s")


def _logged_disk(name: str, own: Path) -> list[str]:
    return [
        "-blockdev", f"driver=file,node-name={name}f,filename={own}/after.qcow2",
        "-blockdev", f"driver=qcow2,node-name={name}q,file={name}f",
        "-blockdev", f"driver=file,node-name={name}l,filename={own}/writes.log",
        "-blockdev", f"driver=blklogwrites,node-name={name},file={name}q,log={name}l",
        "-device", f"virtio-blk-pci,drive={name},write-cache=on",
    ]  # fmt: skip


def _tool(*argv: str | Path) -> None:
    done = subprocess.run(
        list(argv), capture_output=True, text=True, check=False, cwd=REPOSITORY, timeout=_TIMEOUT_S
    )
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")


__all__ = ["FILE_NAME", "PLANTED", "SOUND", "Plan", "System", "record"]

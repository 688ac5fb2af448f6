# SPDX-License-Identifier: Apache-2.0
"""The bench's factory: small images, one signed release, and a disk that was never switched on.

Both slots hold an image, and both entries are good, as on a node that has been updated before: so
that an update has something to disarm.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bootloader.backend import Entry, Setup
from bootloader.backends.systemd_boot import SystemdBoot, SystemdBootOptions
from bootloader.durable import Files
from bootloader.manifest import Manifest
from bootloader.notes import NoteBook, Notes
from bootloader.slot import BootFileKind
from puad.core.run import Run
from puad.daemon.memory import Memory
from puad.store import Store
from tests.powercut.recording import Image, Story

REPOSITORY: Final = Path(__file__).resolve().parents[3]
PROFILE: Final = "edge"
BEFORE: Final = {"a": "13.1", "b": "13.0"}
INSTALLED: Final = "13.2"
TIMEOUT_S: Final = 900
_SLOT_MIB: Final = 16
_PARTUUID: Final = "6f7c4b1e-0000-4000-8000-00000000000{}"
PARTUUIDS: Final = {str(number): _PARTUUID.format(number) for number in range(1, 5)}
_LAYOUT: Final = (
    ("esp", "ef00", 20),
    ("rootfs_a", "8304", _SLOT_MIB),
    ("rootfs_b", "8304", _SLOT_MIB),
    ("persist", "8300", 48),
)
# a torn super block must mount: see docs/power-cut.md
_EXT4_OPTIONS: Final = ("-O", "^metadata_csum")
_FOLDERS: Final = {"store": "puad", "health": "puad-health", "control": "puad-bootloader"}


def make_factory(folder: Path) -> Story:
    """Images, `release` and `disk.raw` in a folder: the story of every update from there."""
    folder.mkdir(parents=True, exist_ok=True)
    images = {version: _make_image(folder, version) for version in (*BEFORE.values(), INSTALLED)}
    _publish(folder, images)
    _make_disk(folder, images)
    return Story("a", "b", images, BEFORE, INSTALLED, _FOLDERS)


def run_tool(*argv: str | Path) -> None:
    """Run a program that must succeed."""
    done = subprocess.run(
        list(argv), capture_output=True, text=True, check=False, cwd=REPOSITORY, timeout=TIMEOUT_S
    )
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def _make_image(folder: Path, version: str) -> Image:
    tree, root = folder / f"tree-{version}", folder / f"{version}.raw"
    own = tree / "usr/lib"
    shutil.rmtree(tree, ignore_errors=True)
    own.mkdir(parents=True)
    (own / "os-release").write_text(f'IMAGE_ID="{PROFILE}"\nIMAGE_VERSION="{version}"\n')
    (own / "payload").write_bytes(os.urandom(5 << 20))
    run_tool("mkfs.erofs", "-T0", root, tree)
    shutil.rmtree(tree)
    boot_files = {}
    for kind, size in ((BootFileKind.LINUX, 900_001), (BootFileKind.INITRD, 1_300_000)):
        boot_files[kind.value] = folder / f"{version}.{kind}"
        boot_files[kind.value].write_bytes(os.urandom(size))
    return Image(version, root, boot_files)


def _publish(folder: Path, images: dict[str, Image]) -> None:
    for name in ("repository", "keys", "release"):
        shutil.rmtree(folder / name, ignore_errors=True)
    image = images[INSTALLED]
    places = ("--repo", folder / "repository", "--keys", folder / "keys")
    program = (sys.executable, "-m", "orchestrator_stub.release")
    run_tool(*program, "init", *places)
    kernel, initrd = image.boot_files["linux"], image.boot_files["initrd"]
    named = ("--profile", PROFILE, "--version", INSTALLED, "--min-version", BEFORE["a"])
    files = ("--linux", kernel, "--initrd", initrd)
    run_tool(*program, "add", image.root, *named, *files, *places[:2])
    run_tool(*program, "publish", *places)
    run_tool(*program, "export", folder / "release", "--version", INSTALLED, *places)
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
    run_tool("sgdisk", *argv, disk)
    esp, persist = _make_esp(folder, images), _make_persist(folder)
    begin = 1
    parts = (esp, images[BEFORE["a"]].root, images[BEFORE["b"]].root, persist)
    for part, (_, _, size) in zip(parts, _LAYOUT, strict=True):
        run_tool("dd", f"if={part}", f"of={disk}", "bs=1M", f"seek={begin}", "conv=notrunc,sparse")
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
        for kind, path in images[BEFORE[slot]].boot_files.items():
            target = loader.boot_folder(slot) / kind
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        line = f"root=PARTUUID={_PARTUUID.format(number)} ro puad.slot={slot}"
        loader.arm(slot, 1, Entry(frozenset({BootFileKind.LINUX, BootFileKind.INITRD}), line))
        loader.mark_good(slot)
    run_tool("mkfs.vfat", "-C", image, str(_LAYOUT[0][2] << 10))
    run_tool("mcopy", "-s", "-i", image, *sorted(tree.iterdir()), "::")
    return image


def _make_persist(folder: Path) -> Path:
    tree, image = folder / "persist", folder / "persist.img"
    shutil.rmtree(tree, ignore_errors=True)
    image.unlink(missing_ok=True)
    for name in _FOLDERS.values():
        (tree / name).mkdir(parents=True)
    Memory(Store(tree / "puad")).keep(Run())
    notes = Notes()
    for slot, version in BEFORE.items():
        notes = notes.with_seal(slot, _manifest(version))
    NoteBook(tree / "puad-bootloader", Files()).write(notes)
    run_tool("mkfs.ext4", "-q", *_EXT4_OPTIONS, "-d", tree, image, f"{_LAYOUT[3][2]}M")
    return image


def _manifest(version: str) -> Manifest:
    built_at = datetime(2026, 1, 1, tzinfo=UTC)
    return Manifest(PROFILE, version, 1, "0" * 64, built_at, None, None, {})

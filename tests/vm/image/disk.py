# SPDX-License-Identifier: Apache-2.0
"""Disk: a whole disk as a file, as a factory would ship it: ESP, both slots, persistent partition."""

from __future__ import annotations

import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bootloader.backend import Entry, Setup, create
from bootloader.slot import BootFileKind
from bootloader.tables import Section
from tests.demo.tool import run_tool
from tests.vm.image.layout import LOG
from tests.vm.image.recipe import NodeImage
from tests.vm.image.roots import TOOLBOX, make_root

MIB = 1 << 20
_TYPES = {"esp": "ef00", "rootfs_a": "8304", "rootfs_b": "8304", "persist": "8300"}
_OWNED = {
    "var/lib/puad": ("puad", 0o751),
    "var/lib/puad/node.d": ("puad", 0o755),
    "var/lib/puad-health": ("puad-health", 0o750),
    "var/lib/puad-bootloader": ("root", 0o700),
    "var/log/journal": ("root", 0o755),
    "ssh": ("root", 0o700),
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of the partitions, in MiB."""

    esp: int = 192
    slot: int = 256
    persist: int = 384


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """What this node alone has, on the persistent partition.

    Attributes:
        config: TOML for /var/lib/puad/node.d/10-node.toml.
        token: Its token at the orchestrator.
        ca: Certificate of the orchestrator, PEM; /var/lib/puad/ca.crt.
    """

    config: str = ""
    token: str = ""
    ca: str = ""


@dataclass(frozen=True, slots=True)
class Disk:
    """A made disk.

    Attributes:
        path: The raw file.
        ids: PARTUUID by partition label.
        offsets: First byte by partition label.
        machine_id: The node's machine-id.
    """

    path: Path
    ids: Mapping[str, str]
    offsets: Mapping[str, int]
    machine_id: str


def make_disk(
    image: NodeImage,
    path: Path,
    *,
    sizes: Sizes | None = None,
    files: NodeFiles | None = None,
    identity: uuid.UUID | None = None,
) -> Disk:
    """A disk that boots the image from slot a, which is good; slot b is empty.

    Args:
        image: What slot a holds.
        path: The file to make.
        sizes: Of the partitions.
        files: The node's own files.
        identity: What every id on the disk comes from; equal ones give equal ids.
    """
    given = sizes or Sizes()
    seed = identity or uuid.uuid4()
    mib = {"esp": given.esp, "rootfs_a": given.slot, "rootfs_b": given.slot}
    mib["persist"] = given.persist
    ids = {label: str(uuid.uuid5(seed, label)) for label in mib}
    machine_id = uuid.uuid5(seed, "machine-id").hex
    offsets, at = {}, 1
    for label, size in mib.items():
        offsets[label], at = at * MIB, at + size
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate((at + 1) * MIB)
    table: list[str] = [f"-U{uuid.uuid5(seed, 'disk')}"]
    for number, (label, size) in enumerate(mib.items(), start=1):
        table.append(f"-n{number}:{offsets[label] // 512}:+{size}M")
        table += [f"-t{number}:{_TYPES[label]}", f"-c{number}:{label}", f"-u{number}:{ids[label]}"]
    run_tool(["sgdisk", "-o", *table, path], LOG)
    disk = Disk(path, ids, offsets, machine_id)
    _copy_in(image.root, disk, "rootfs_a")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        work = Path(folder)
        _make_esp(image, disk, work, given.esp)
        _make_persist(image, disk, work, given.persist, files or NodeFiles())
    return disk


def _copy_in(source: Path, disk: Disk, label: str) -> None:
    seek = f"seek={disk.offsets[label] // MIB}"
    run_tool(
        ["dd", f"if={source}", f"of={disk.path}", "bs=1M", seek, "conv=notrunc,sparse"], LOG
    )


def _make_esp(image: NodeImage, disk: Disk, work: Path, size: int) -> None:
    esp = work / "esp"
    (esp / "loader/entries").mkdir(parents=True)
    (esp / "EFI/BOOT").mkdir(parents=True)
    program = make_root(TOOLBOX) / "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
    (esp / "EFI/BOOT/BOOTX64.EFI").write_bytes(program.read_bytes())
    (esp / "loader/loader.conf").write_text("timeout 0\n", encoding="ascii")
    setup = Setup(("a", "b"), work / "run")
    backend = create(image.loader, setup, Section({"esp": str(esp)}, "disk"))
    boot = backend.boot_folder("a")
    boot.mkdir(parents=True)
    (boot / "linux").write_bytes(image.linux.read_bytes())
    (boot / "initrd").write_bytes(image.initrd.read_bytes())
    kinds = frozenset({BootFileKind.LINUX, BootFileKind.INITRD})
    backend.arm("a", 1, Entry(kinds, _command_line(image, disk)))
    backend.mark_good("a")
    file = work / "esp.img"
    run_tool(["mkfs.vfat", "-F32", "-n", "ESP", "-C", file, str(size * 1024)], LOG)
    run_tool(["mcopy", "-s", "-i", file, *sorted(esp.iterdir()), "::"], LOG)
    _copy_in(file, disk, "esp")


def _command_line(image: NodeImage, disk: Disk) -> str:
    import tomllib

    path = Path(__file__).parent / f"parts/bootloader-{image.loader}.toml"
    template: str = tomllib.loads(path.read_text(encoding="utf-8"))["command_line"]
    return " ".join(template.split()).format(
        slot="a",
        root_id=disk.ids["rootfs_a"],
        esp_id=disk.ids["esp"],
        persist_id=disk.ids["persist"],
        machine_id=disk.machine_id,
    )


def _make_persist(
    image: NodeImage, disk: Disk, work: Path, size: int, files: NodeFiles
) -> None:
    tree = work / "persist"
    passwd = (image.tree / "etc/passwd").read_text(encoding="utf-8")
    users = {line.split(":")[0]: line.split(":")[2:4] for line in passwd.splitlines()}
    for path, (user, mode) in _OWNED.items():
        (tree / path).mkdir(parents=True)
        (tree / path).chmod(mode)
        run_tool(["chown", ":".join(users.get(user, ["0", "0"])), tree / path], LOG)
    own = {"node.d/10-node.toml": files.config, "token": files.token, "ca.crt": files.ca}
    for name, text in own.items():
        if text:
            path = tree / "var/lib/puad" / name
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600 if name == "token" else 0o644)
            run_tool(["chown", ":".join(users.get("puad", ["0", "0"])), path], LOG)
    file = work / "persist.img"
    options = ["-q", "-L", "persist", "-d", tree, file, f"{size}M"]
    run_tool(["mkfs.ext4", *options], LOG)
    _copy_in(file, disk, "persist")

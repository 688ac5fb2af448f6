# SPDX-License-Identifier: Apache-2.0
"""Disks of the kind that upstream publishes, made by Debian's own tools, small."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator_stub.release.disk_image.reading import Read

MIB = 1 << 20
ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
ROOT_X86_64 = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"
ESP_ID = "11111111-2222-4333-8444-555555555555"
ROOT_ID = "0a0b0c0d-1111-4222-8333-444455556666"
UKI_PATH = "EFI/Linux/edge-13.1.efi"


@dataclass(frozen=True)
class Part:
    """A partition: its label, type, content and id; it is as long as its content."""

    label: str
    type_id: str
    content: bytes
    own_id: str


def reader(data: bytes) -> Read:
    return lambda offset, length: data[offset : offset + length]


def make_uki(line: bytes = f"root=PARTUUID={ROOT_ID} ro".encode(), *, size: int = 70_001) -> bytes:
    """A PE file with the sections that count, of that size."""
    sections = {b".osrel": b"ID=edge\n", b".cmdline": line, b".linux": os.urandom(size // 2)}
    return make_pe(sections).ljust(size, b"\xcc")


def make_pe(sections: Mapping[bytes, bytes]) -> bytes:
    """A PE file with these sections, each in whole blocks of 512 bytes."""
    start, optional = 0x80, 240
    head = bytearray(b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", start)).ljust(start, b"\0")
    head += struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, len(sections), 0, 0, 0, optional, 0x22E)
    head += struct.pack("<H", 0x20B).ljust(optional, b"\0")
    place, body = -(-(len(head) + 40 * len(sections)) // 512) * 512, b""
    for name, data in sections.items():
        raw = data.ljust(-(-len(data) // 512) * 512, b"\0")
        head += struct.pack(
            "<8sIIII16x", name, len(data), 0x10000 + len(body), len(raw), place + len(body)
        )
        body += raw
    return bytes(head).ljust(place, b"\0") + body


def make_esp(
    path: Path,
    files: Mapping[str, bytes],
    *,
    bits: int = 12,
    kib: int = 2048,
    options: Sequence[str] = (),
) -> Path:
    """A FAT file system with these files."""
    command: list[str | Path] = [
        "mkfs.vfat",
        f"-F{bits}",
        "--invariant",
        *options,
        "-C",
        path,
        str(kib),
    ]
    subprocess.run(command, check=True, capture_output=True)
    tree = path.with_suffix(".tree")
    for folder, names in _by_folder(files).items():
        (tree / folder).mkdir(parents=True)
        if folder != ".":
            mtools("mmd", path, f"::{folder}")
        for name in names:
            (tree / name).write_bytes(files[name])
        if names:  # in the order given: that of a folder on this machine's disk may be any
            mtools("mcopy", path, *(tree / name for name in names), f"::{folder}")
    return path


def _by_folder(files: Mapping[str, bytes]) -> dict[str, list[str]]:
    """The files of each folder; a folder comes before those in it."""
    folders: dict[str, list[str]] = {".": []}
    for name in files:
        for parent in [*PurePosixPath(name).parents][-2::-1]:
            folders.setdefault(str(parent), [])
        folders[str(PurePosixPath(name).parent)].append(name)
    return folders


def mtools(program: str, image: Path, *words: str | Path) -> None:
    environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}
    subprocess.run([program, "-i", image, *words], check=True, capture_output=True, env=environment)


def make_disk(
    path: Path, parts: Sequence[Part], *, sector: int = 512, tool: str = "sfdisk"
) -> Path:
    """A disk with these partitions, one after the other."""
    places, place = [], MIB
    for part in parts:
        places.append(place)
        place += -(-len(part.content) // MIB) * MIB
    path.touch()
    os.truncate(path, place + MIB)
    _TOOLS[sector, tool](path, parts, places)
    with path.open("r+b") as file:
        for part, start in zip(parts, places, strict=True):
            file.seek(start)
            file.write(part.content)
    return path


def _sgdisk(path: Path, parts: Sequence[Part], places: Sequence[int]) -> None:
    words = ["--set-alignment=1", "--disk-guid=99999999-0000-4000-8000-000000000000"]
    for number, (part, start) in enumerate(zip(parts, places, strict=True), 1):
        last = (start + len(part.content)) // 512 - 1
        words += [f"--new={number}:{start // 512}:{last}", f"--typecode={number}:{part.type_id}"]
        words += [
            f"--change-name={number}:{part.label}",
            f"--partition-guid={number}:{part.own_id}",
        ]
    subprocess.run(["sgdisk", *words, path], check=True, capture_output=True)


def _fdisk(path: Path, parts: Sequence[Part], places: Sequence[int]) -> None:
    lines = ["g"]
    for number, (part, start) in enumerate(zip(parts, places, strict=True), 1):
        last = (start + len(part.content)) // 4096 - 1
        choice = [str(number)] if number > 1 else []
        lines += ["n", str(number), str(start // 4096), str(last), "t", *choice, part.type_id]
        lines += ["x", "n", *choice, part.label, "u", *choice, part.own_id, "r"]
    script = "\n".join([*lines, "w", ""])
    command: list[str | Path] = [
        "fdisk",
        "--sector-size",
        "4096",
        "--wipe",
        "never",
        "-w",
        "never",
        path,
    ]
    subprocess.run(command, input=script, text=True, check=True, capture_output=True)


def _sfdisk(path: Path, parts: Sequence[Part], places: Sequence[int]) -> None:
    lines = ["label: gpt", "label-id: 99999999-0000-4000-8000-000000000000"]
    for part, start in zip(parts, places, strict=True):
        place = f"start={start // 512}, size={len(part.content) // 512}"
        lines += [f'{place}, type={part.type_id}, uuid={part.own_id}, name="{part.label}"']
    command: list[str | Path] = ["sfdisk", "--quiet", "--wipe", "never", path]
    subprocess.run(command, input="\n".join(lines), text=True, check=True, capture_output=True)


_TOOLS: dict[tuple[int, str], Callable[[Path, Sequence[Part], Sequence[int]], None]] = {
    (512, "sfdisk"): _sfdisk,
    (512, "sgdisk"): _sgdisk,  # which sleeps for a second
    (4096, "sfdisk"): _fdisk,  # sfdisk itself cannot
}


def upstream_disk(
    folder: Path, *, uki: bytes | None = None, root: bytes = b"", sector: int = 512
) -> Path:
    """A disk as upstream makes it: an ESP with systemd-boot and a UKI, and a root partition."""
    files = {"EFI/systemd/systemd-bootx64.efi": b"MZ" * 3000, "loader/loader.conf": b"timeout 3\n"}
    if uki is not None:
        files[UKI_PATH] = uki
    options = ["-S", str(sector)]
    esp = make_esp(folder / "esp.img", files, options=options).read_bytes()
    parts = [Part("esp", ESP, esp, ESP_ID), Part("rootfs", LINUX, root, ROOT_ID)]
    return make_disk(folder / "disk.raw", parts, sector=sector)

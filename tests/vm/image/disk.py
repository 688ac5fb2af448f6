# SPDX-License-Identifier: Apache-2.0
"""Disk: a node's disk as a file, made by puad-provision as an integrator would make it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.demo.layout import REPOSITORY, key
from tests.vm.image.layout import CACHE, PARTS, filling_cache
from tests.vm.image.recipe import NodeImage
from tests.vm.image.roots import BUILT_AT_S, TOOLBOX, make_root
from tests.vm.image.toolbox import in_toolbox

DEFINITIONS = REPOSITORY / "packaging/repart.d"
_MIB = 1 << 20
# begin and end of the disk, where the partition table lies
_TABLES_MIB = 2
_GRUB_MODULES = (
    "part_gpt",
    "fat",
    "normal",
    "configfile",
    "test",
    "echo",
    "loadenv",
    "linux",
    "chain",
    "boot",
    "reboot",
    "sleep",
    "true",
)
_RUN = (
    "import sys; sys.path.insert(0, {repository!r}); "
    "from bootloader.provision import main; sys.exit(main())"
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of the partitions, in MiB."""

    esp: int = 192
    slot: int = 256
    persist: int = 384

    def options(self) -> list[str]:
        """As puad-provision takes them; the persistent partition gets what is left."""
        total = self.esp + 2 * self.slot + self.persist + _TABLES_MIB
        sizes = {"--size": total, "--slot-size": self.slot, "--esp-size": self.esp}
        return [word for option, mib in sizes.items() for word in (option, f"{mib}M")]


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
        machine_id: The node's machine-id, or `firmware`.
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
    factory: bool = False,
) -> Disk:
    """A disk that boots the image from slot a, which is good; slot b is empty.

    Args:
        image: What slot a holds.
        path: The file to make.
        sizes: Of the partitions.
        files: The node's own files.
        identity: What every id on the disk comes from; equal ones give equal ids.
        factory: Only ESP and slot a are made; the first boot makes the others.
    """
    given = sizes or Sizes()
    path.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="work-") as folder:
        work = Path(folder)
        options: list[str | Path] = [
            *("--root-image", _near(image.root, work)),
            *("--linux", _near(image.linux, work), "--initrd", _near(image.initrd, work)),
            *("--boot-loader", _near(boot_loader(image.loader), work)),
            *("--config", PARTS / f"bootloader-{image.loader}.toml"),
            *("--definitions", DEFINITIONS),
            *("--passwd", _near(image.tree / "etc/passwd", work)),
            *given.options(),
            *("--seed", str(identity or uuid.uuid4())),
            *(["--factory"] if factory else _node_files(files or NodeFiles(), work)),
        ]
        document = run_provision([path, "--json", *options], [work, path.parent])
    made = document["partitions"]
    return Disk(
        path,
        {item["label"]: item["part_id"] for item in made},
        {item["label"]: item["offset"] for item in made},
        document["machine_id"],
    )


def run_provision(arguments: list[str | Path], folders: list[Path]) -> dict[str, Any]:
    """Run puad-provision of this checkout under Debian 13; gives its JSON."""
    code = _RUN.format(repository=str(REPOSITORY))
    env = {"SOURCE_DATE_EPOCH": str(BUILT_AT_S)}
    output = in_toolbox(["python3", "-I", "-c", code, *arguments], folders, env)
    document: dict[str, Any] = json.loads(output)
    return document


def boot_loader(name: str) -> Path:
    """The EFI program of a boot loader; GRUB is put together with what puad's grub.cfg needs."""
    with filling_cache():
        toolbox = make_root(TOOLBOX)
        if name == "systemd-boot":
            return toolbox / "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
        made = CACHE / f"grub-{key(toolbox.name, _GRUB_MODULES)}.efi"
    if not made.exists():
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="work-") as folder:
            half = Path(folder) / "grub.efi"
            make: list[str | Path] = ["grub-mkimage", "-O", "x86_64-efi", "-p", "/grub", "-o", half]
            in_toolbox([*make, *_GRUB_MODULES], [Path(folder)])
            half.rename(made)
    return made


def _node_files(files: NodeFiles, work: Path) -> list[str | Path]:
    given = {"--node-config": files.config, "--token": files.token, "--ca": files.ca}
    options: list[str | Path] = []
    for option, text in given.items():
        if text:
            path = work / option.strip("-")
            path.write_text(text, encoding="utf-8")
            options += [option, path]
    return options


def _near(source: Path, work: Path) -> Path:
    """A file in the folder that the toolbox sees."""
    target = work / source.name
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copyfile(source, target)
    return target

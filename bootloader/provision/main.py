# SPDX-License-Identifier: Apache-2.0
"""The command line of puad-provision.

Exit codes, from sysexits: 0 done, or nothing to do; 64 wrong usage; 69 systemd-repart is missing;
71 and 74 a program or the disk failed; 73 refused, nothing was written; 78 configuration.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

from bootloader import config
from bootloader.errors import BootloaderError, ConfigError
from bootloader.provision import blank_disk, first_boot
from bootloader.provision.blank_disk import Order
from bootloader.provision.definitions import STANDARD_FOLDER
from bootloader.provision.esp import SYSTEMD_BOOT_FOLDER
from bootloader.provision.layout import ESP, Ids, parse_size
from bootloader.provision.persistent import STANDARD_PASSWD, NodeFiles
from bootloader.provision.refusal import ProvisionError
from bootloader.provision.repart import Partition
from bootloader.slot import BootFileKind

_SCHEMA: Final = 1
_MACHINE_ID: Final = re.compile(r"[0-9a-f]{32}")
_SYSTEMD_BOOT: Final = {"x86_64": "x64", "aarch64": "aa64", "riscv64": "riscv64"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    parser = _parser()
    given = parser.parse_args(argv)
    try:
        settings = config.load(given.config)
        ids = blank_disk.new_ids(given.seed, _machine_id(given), given.root_id)
        if given.first_boot:
            disk = given.disk or first_boot.booted_disk()
            made = _complete(given, disk, settings, ids)
        else:
            disk = given.disk
            made = blank_disk.provision(
                _order(parser, given, settings, ids), dry_run=given.dry_run, say=_say(given)
            )
    except ConfigError as error:
        print(f"puad-provision: {error}", file=sys.stderr)
        return os.EX_CONFIG
    except ProvisionError as error:
        print(f"puad-provision: {error}", file=sys.stderr)
        return error.code
    except BootloaderError as error:
        print(f"puad-provision: the boot entry cannot be written: {error}", file=sys.stderr)
        return os.EX_IOERR
    _print_result(given, disk, made, "" if given.first_boot else ids.machine_id)
    return os.EX_OK


def _complete(
    given: argparse.Namespace, disk: Path, settings: config.Settings, ids: Ids
) -> list[Partition]:
    boot = first_boot.FirstBoot(
        disk=disk,
        settings=settings,
        ids=ids,
        command_line=first_boot.read_command_line(),
        definitions=given.definitions,
        passwd=given.passwd,
    )
    return first_boot.complete(boot, dry_run=given.dry_run, say=_say(given))


def _order(
    parser: argparse.ArgumentParser,
    given: argparse.Namespace,
    settings: config.Settings,
    ids: Ids,
) -> Order:
    files = {
        kind: path for kind in BootFileKind if (path := getattr(given, str(kind).replace("-", "_")))
    }
    if not given.disk or not given.root_image:
        parser.error("a disk and --root-image are needed, or --first-boot")
    if (BootFileKind.UKI in files) == (BootFileKind.LINUX in files):
        parser.error("give either --uki, or --linux and --initrd")
    slot = given.slot_size or 0
    sizes = {"a": slot, "b": slot, ESP: given.esp_size or 0}
    return Order(
        disk=given.disk,
        settings=settings,
        root_image=given.root_image,
        boot_files=files,
        boot_loader=given.boot_loader,
        ids=ids,
        definitions=given.definitions,
        sizes={role: size for role, size in sizes.items() if size},
        file_size=given.size or 0,
        node_files=NodeFiles(given.node_config, given.token, given.ca),
        passwd=given.passwd,
        factory=given.factory,
        wipe=given.wipe,
    )


def _machine_id(given: argparse.Namespace) -> str:
    if given.machine_id == "random" and given.factory:
        return "firmware"  # what many disks have in common cannot be this one's
    return "" if given.machine_id == "random" else str(given.machine_id)


def _say(given: argparse.Namespace) -> Callable[[str], None]:
    def say(text: str) -> None:
        if not given.quiet:
            print(f"puad-provision: {text}", file=sys.stderr, flush=True)

    return say


def _print_result(
    given: argparse.Namespace, disk: Path, made: list[Partition], machine_id: str
) -> None:
    if given.json:
        document = {
            "schema": _SCHEMA,
            "disk": str(disk),
            "dry_run": given.dry_run,
            "changed": bool(made) and not given.dry_run,
            "machine_id": machine_id,
            "partitions": [partition.document() for partition in made],
        }
        print(json.dumps(document, indent=2))
        return
    if given.quiet:
        return
    if not made:
        print(f"{disk}: nothing is missing")
        return
    print(f"{disk}: {'would get' if given.dry_run else 'has got'}")
    for partition in made:
        mib = partition.size / (1 << 20)
        print(f"  {partition.label:<10} {mib:>9.0f} MiB  {partition.part_id}")


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _machine_id_word(text: str) -> str:
    if text not in {"random", "firmware"} and not _MACHINE_ID.fullmatch(text):
        raise argparse.ArgumentTypeError("32 lower-case hex digits, `firmware` or `random`")
    return text


class _Parser(argparse.ArgumentParser):
    """A parser that ends wrong usage with the status that sysexits has for it."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(os.EX_USAGE, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="puad-provision",
        description="Make the disk of a node: ESP, two slots, persistent partition.",
    )
    arch = _SYSTEMD_BOOT.get(os.uname().machine, "x64")
    loader = SYSTEMD_BOOT_FOLDER / f"systemd-boot{arch}.efi"
    add = parser.add_argument
    add("disk", nargs="?", type=Path, help="a whole disk, or a file; of the booted root")
    add("--root-image", type=Path, metavar="FILE", help="what slot a gets")
    add("--linux", type=Path, metavar="FILE", help="its kernel")
    add("--initrd", type=Path, metavar="FILE", help="its initial RAM disk")
    add("--uki", type=Path, metavar="FILE", help="its UKI, in place of both")
    add("--boot-loader", type=Path, metavar="FILE", default=loader, help="an EFI program")
    add("--config", type=Path, metavar="FILE", default=config.STANDARD_PATH)
    add("--definitions", type=Path, metavar="DIR", default=STANDARD_FOLDER)
    add("--size", type=_size, metavar="SIZE", help="make a file of this size, like 16G")
    add("--slot-size", type=_size, metavar="SIZE")
    add("--esp-size", type=_size, metavar="SIZE")
    add("--node-config", type=Path, metavar="FILE", help="TOML of this node alone")
    add("--token", type=Path, metavar="FILE", help="its token at the server")
    add("--ca", type=Path, metavar="FILE", help="PEM certificates of the server's authority")
    add("--passwd", type=Path, metavar="FILE", default=STANDARD_PASSWD, help="the image's users")
    add("--seed", type=uuid.UUID, metavar="UUID", help="every id comes from it")
    add("--root-id", type=uuid.UUID, metavar="UUID", help="PARTUUID that a UKI wants for slot a")
    add("--machine-id", type=_machine_id_word, metavar="ID", default="random")
    add("--factory", action="store_true", help="ESP and slot a only; the first boot adds the rest")
    add("--first-boot", action="store_true", help="add what is missing on the booted disk")
    add("--wipe", action="store_true", help="destroy what the disk holds")
    add("--dry-run", action="store_true", help="show what would be made")
    add("--json", action="store_true", help="print the result as JSON")
    add("--quiet", action="store_true")
    return parser

# SPDX-License-Identifier: Apache-2.0
"""The command line of puad-provision. Its exit codes, from sysexits, stand in its help."""

from __future__ import annotations

import argparse
import os
import traceback
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bootloader import config, kernel_command_line
from bootloader.arguments import Parser
from bootloader.errors import BootloaderError, ConfigError
from bootloader.machine_id import MACHINE_ID
from bootloader.provision import blank_disk, first_boot
from bootloader.provision.blank_disk import Order
from bootloader.provision.definitions import STANDARD_FOLDER
from bootloader.provision.esp import SYSTEMD_BOOT_FOLDER
from bootloader.provision.layout import ESP, Ids, parse_size
from bootloader.provision.node_files import NodeFiles
from bootloader.provision.persistent import STANDARD_PASSWD
from bootloader.provision.refusal import DOCUMENT, ProvisionError
from bootloader.provision.repart import Partition
from bootloader.provision.report import Report
from bootloader.provision.usage import find_fault
from bootloader.slot import BootFileKind

_SYSTEMD_BOOT: Final = {"x86_64": "x64", "aarch64": "aa64", "riscv64": "riscv64"}
_EPILOG: Final = (
    "The defaults make an ESP of 512 MiB and slots of 4 GiB, and need a disk of 9 GiB or more. "
    "A SIZE is a whole number with K, M, G or T, like 4G. Run it where the image's own files are, "
    "in a container of the image, or give --config, --definitions and --passwd."
)
_BUG: Final = "this is a bug: please report the lines above"
_EXIT_CODES: Final = {
    os.EX_OK: "done, or nothing was missing",
    os.EX_USAGE: "wrong use",
    os.EX_UNAVAILABLE: "a program is missing, or systemd-repart is older than 254",
    os.EX_SOFTWARE: "a bug",
    os.EX_OSERR: "a program did not run",
    os.EX_CANTCREAT: "refused, nothing was written",
    os.EX_IOERR: "the disk or a program failed",
    os.EX_NOPERM: "it must be run as root",
    os.EX_CONFIG: "the configuration cannot be followed",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    parser = _parser()
    given = parser.parse_args(argv)
    fault = find_fault(given)
    if fault:
        parser.error(fault)
    report = Report(as_json=given.json, quiet=given.quiet, dry_run=given.dry_run)
    try:
        disk, made, machine_id = _run(given, report)
    except ConfigError as error:
        return report.failed(ProvisionError(error.what, on=error.on, code=os.EX_CONFIG))
    except ProvisionError as error:
        return report.failed(error)
    except BootloaderError as error:
        what = f"the boot entry cannot be written: {error}"
        return report.failed(ProvisionError(what, on=given.disk, code=os.EX_IOERR))
    except Exception as error:  # noqa: BLE001 -- the last border: a bug is told as one, with its trace
        traceback.print_exc()
        what, on = f"{type(error).__name__}: {error}", given.disk or "--first-boot"
        return report.failed(ProvisionError(what, on=on, hint=_BUG, code=os.EX_SOFTWARE))
    report.made(disk, made, machine_id)
    return os.EX_OK


def _run(given: argparse.Namespace, report: Report) -> tuple[Path, list[Partition], str]:
    settings = config.load(given.config)
    ids = blank_disk.new_ids(given.seed, _machine_id(given), given.root_id)
    if not given.first_boot:
        order = _order(given, settings, ids)
        made = blank_disk.provision(order, dry_run=given.dry_run, say=report.say)
        return order.disk, made, ids.machine_id
    disk = given.disk or first_boot.booted_disk()
    boot = first_boot.FirstBoot(
        disk=disk,
        settings=settings,
        ids=ids,
        command_line=kernel_command_line.read(kernel_command_line.STANDARD_PATH),
        definitions=given.definitions,
        passwd=given.passwd,
    )
    return disk, first_boot.complete(boot, dry_run=given.dry_run, say=report.say), ""


def _order(given: argparse.Namespace, settings: config.Settings, ids: Ids) -> Order:
    files = {
        kind: path for kind in BootFileKind if (path := getattr(given, str(kind).replace("-", "_")))
    }
    slot = given.slot_size or 0
    sizes = {"a": slot, "b": slot, ESP: given.esp_size or 0}
    return Order(
        disk=given.disk,
        settings=settings,
        root_image=given.root_image,
        boot_files=files,
        boot_loader=_boot_loader(given, settings),
        ids=ids,
        definitions=given.definitions,
        sizes={role: size for role, size in sizes.items() if size},
        file_size=given.size or 0,
        node_files=NodeFiles(given.node_config, given.token, given.ca),
        passwd=given.passwd,
        factory=given.factory,
        wipe=given.wipe,
        has_own_command_line=bool(given.uki and given.root_id),
    )


def _boot_loader(given: argparse.Namespace, settings: config.Settings) -> Path:
    if given.boot_loader:
        return Path(given.boot_loader)
    if settings.general.backend == "grub":
        raise ProvisionError(
            "the back end grub has no boot loader that could be the default",
            on=given.config,
            hint=f"make one with grub-mkimage, see {DOCUMENT}, and give --boot-loader",
            code=os.EX_USAGE,
        )
    return _systemd_boot()


def _systemd_boot() -> Path:
    return SYSTEMD_BOOT_FOLDER / f"systemd-boot{_SYSTEMD_BOOT.get(os.uname().machine, 'x64')}.efi"


def _machine_id(given: argparse.Namespace) -> str:
    if given.machine_id is None and given.factory:
        return "firmware"  # what many disks have in common cannot be this one's
    return "" if given.machine_id in {None, "random"} else str(given.machine_id)


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _machine_id_word(text: str) -> str:
    if text not in {"random", "firmware"} and not MACHINE_ID.fullmatch(text):
        raise argparse.ArgumentTypeError("must be 32 lower-case hex digits, `firmware` or `random`")
    return text


def _parser() -> Parser:
    parser = Parser(
        prog="puad-provision",
        description="Make the disk of a node: ESP, two slots, persistent partition.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.exit_codes = _EXIT_CODES
    parser.add_version()
    parser.add_argument(
        "disk",
        nargs="?",
        type=Path,
        metavar="DISK",
        help="a whole disk like /dev/sda, or a file that --size makes; with --first-boot the"
        " default is the disk of the booted root",
    )
    _add_contents(parser)
    _add_layout(parser)
    _add_manner(parser)
    return parser


def _add_contents(parser: argparse.ArgumentParser) -> None:
    options = {
        "root-image": "what slot a gets: the image of the root file system",
        "linux": "its kernel",
        "initrd": "its initial RAM disk (default: none)",
        "uki": "its unified kernel image, in place of kernel and initrd",
        "boot-loader": "the EFI program that the firmware starts (default: "
        f"{_systemd_boot()}; needed with GRUB)",
        "node-config": "TOML of this node alone, for /var/lib/puad/node.d/10-node.toml"
        " (default: none)",
        "token": "the node's token, for /var/lib/puad/token (default: none)",
        "ca": "PEM certificates of the server's authority, for /var/lib/puad/ca.crt, which"
        " server.ca_file should name (default: none)",
    }
    group = parser.add_argument_group("what is put on the disk")
    for name, text in options.items():
        group.add_argument(f"--{name}", type=Path, metavar="FILE", help=text)


def _add_layout(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it is laid out and named")
    add = group.add_argument
    shown = "(default: %(default)s)"
    config.add_option(group)
    text = f"definitions of the partitions {shown}"
    add("--definitions", type=Path, metavar="DIR", default=STANDARD_FOLDER, help=text)
    text = f"the image's users {shown}"
    add("--passwd", type=Path, metavar="FILE", default=STANDARD_PASSWD, help=text)
    text = "make a file of this size (default: use what is there)"
    add("--size", type=_size, metavar="SIZE", help=text)
    for name in ("slot", "esp"):
        text = f"size of {'each slot' if name == 'slot' else 'the ESP'} (default: its definition's)"
        add(f"--{name}-size", type=_size, metavar="SIZE", help=text)
    text = "every id comes from it (default: random)"
    add("--seed", type=uuid.UUID, metavar="UUID", help=text)
    text = "PARTUUID of slot a, for a UKI that has it built in (default: from the seed)"
    add("--root-id", type=uuid.UUID, metavar="UUID", help=text)
    text = "32 hex digits, firmware or random (default: random; with --factory firmware)"
    add("--machine-id", type=_machine_id_word, metavar="ID", help=text)


def _add_manner(parser: argparse.ArgumentParser) -> None:
    options = {
        "factory": "make ESP and slot a only; the first boot adds the rest",
        "first-boot": "add what is missing on the booted disk",
        "wipe": "destroy what the disk holds",
        "dry-run": "show what would be made",
        "json": "print the result or the error as one JSON object",
        "quiet": "print errors only",
    }
    group = parser.add_argument_group("what is done")
    for name, text in options.items():
        group.add_argument(f"--{name}", action="store_true", help=text)

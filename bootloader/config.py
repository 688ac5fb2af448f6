# SPDX-License-Identifier: Apache-2.0
"""The service's configuration: one TOML file of the image.

::

    backend = "simulated"                   # a back end of bootloader/backends
    user = "puad"                           # may call changing methods, beside root
    health_user = "puad-health"             # may call RequestReboot, nothing else
    # kernel command line; knows {slot}, {root_id}, {esp_id}, {persist_id}, {machine_id}
    command_line = "ro puad.slot={slot}"

    [devices]                               # partition labels; this is the default
    a = "rootfs_a"
    b = "rootfs_b"
    esp = "esp"
    persist = "persist"

    [simulated]                             # the back end's own section; it knows the keys
    firmware = "/disk/firmware"

or, for the demo and the tests only, `[files]` in place of `[devices]`: slots that are files.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from bootloader.command_line_template import find_fault
from bootloader.errors import ConfigError
from bootloader.tables import Section, bounds, read_table, read_toml

STANDARD_PATH: Final = Path("/usr/lib/puad/bootloader.toml")
SLOT_NAMES: Final = ("a", "b")


@dataclass(frozen=True, slots=True)
class General:
    """The keys outside of any section.

    Attributes:
        backend: Name of the boot loader back end.
        user: The user that may call changing methods, beside root.
        health_user: The user that may call RequestReboot, and no other method.
        trust_root: The TUF root of trust, on the read-only root.
        os_release: os-release of the booted root.
        machine_id: The running system's machine id.
        state: Folder of the version floor and the seal notes; persistent.
        run: Folder of files that only this boot needs; gone at power-off.
        command_line: Template of the kernel command line.
        reboot_limit_s: How long the node may stay up after RequestReboot.
    """

    backend: str
    user: str = "puad"
    health_user: str = "puad-health"
    trust_root: Path = Path("/usr/lib/puad/root.json")
    os_release: Path = Path("/usr/lib/os-release")
    machine_id: Path = Path("/etc/machine-id")
    state: Path = Path("/var/lib/puad-bootloader")
    run: Path = Path("/run/puad-bootloader")
    command_line: str = "ro puad.slot={slot}"
    reboot_limit_s: int = bounds(300, 1, 3600)


_KEYS: Final = frozenset(field.name for field in fields(General))


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """Partitions by their PARTLABEL: the slots, and those that a kernel command line may name."""

    a: str = "rootfs_a"
    b: str = "rootfs_b"
    esp: str = "esp"
    persist: str = "persist"

    @property
    def slots(self) -> dict[str, str]:
        """The label of each slot."""
        return {"a": self.a, "b": self.b}


@dataclass(frozen=True, slots=True)
class FileSettings:
    """Slots that are files.

    Attributes:
        a: The file of slot a.
        b: The file of slot b.
        root: Where the booted slot is mounted.
        host_uuid_file: File with the machine's UUID.
    """

    a: Path
    b: Path
    root: Path = Path("/")
    host_uuid_file: Path = Path("/var/lib/puad-bootloader/host-uuid")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the service is told.

    Attributes:
        general: The keys outside of any section.
        backend: The back end's section, which only the back end can read.
        devices: Slots that are partitions.
        files: Slots that are files; None on a real node.
    """

    general: General
    backend: Section
    devices: DeviceSettings
    files: FileSettings | None = None


def load(path: Path) -> Settings:
    """Read and check the configuration file.

    Raises:
        ConfigError: Naming the file and the key.
    """
    document = read_toml(path)
    devices = document.pop("devices", None)
    files = document.pop("files", None)
    if devices is not None and files is not None:
        raise ConfigError("slots are either devices or files, not both", on=str(path))
    name = document.get("backend")
    sections = ["devices", "files"]
    own: object = {}
    if isinstance(name, str) and name not in _KEYS:
        sections.append(name)
        own = document.pop(name, {})
    settings = Settings(
        read_table(General, document, str(path), sections=tuple(sections)),
        Section(own, f"{path} [{name}]"),
        read_table(DeviceSettings, devices or {}, f"{path} [devices]"),
        None if files is None else read_table(FileSettings, files, f"{path} [files]"),
    )
    fault = find_fault(settings.general.command_line)
    if fault:
        raise ConfigError(f"command_line {fault}", on=str(path))
    return settings


def add_option(parser: argparse._ActionsContainer) -> None:
    """Give a program `--config`."""
    parser.add_argument(
        "--config",
        type=Path,
        default=STANDARD_PATH,
        metavar="FILE",
        help="configuration of boot control (default: %(default)s)",
    )

# SPDX-License-Identifier: Apache-2.0
"""The simulated machine's configuration: where its disk and its persistent partition lie.

::

    disk = "/srv/node/disk"          # slot files and firmware; the node sees it as /disk
    persist = "/srv/node/persist"    # the persistent partition; the node sees it as /var/lib
    a = "a.img"                      # names in the disk folder; these are the defaults
    b = "b.img"
    firmware = "firmware"
    init = "/usr/lib/puad/simulated-init"    # pid 1, in the slot's image
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from bootloader.backend import Setup
from bootloader.backends.simulated import Simulated, SimulatedOptions
from bootloader.config import SLOT_NAMES
from bootloader.tables import read_table, read_toml


@dataclass(frozen=True, slots=True)
class Machine:
    """One simulated machine."""

    disk: Path
    persist: Path
    a: str = "a.img"
    b: str = "b.img"
    firmware: str = "firmware"
    init: Path = Path("/usr/lib/puad/simulated-init")

    def slot_file(self, slot: str) -> Path:
        """The file of a slot."""
        return self.disk / {"a": self.a, "b": self.b}[slot]

    def boot_loader(self) -> Simulated:
        """Its firmware."""
        # the run folder belongs to a booted node; at power-on there is none
        setup = Setup(SLOT_NAMES, Path("/nonexistent"))
        return Simulated(setup, SimulatedOptions(self.disk / self.firmware))


def load_machine(path: Path) -> Machine:
    """Read the configuration file.

    Raises:
        ConfigError: Naming the file and the key.
    """
    return read_table(Machine, read_toml(path), str(path))


def add_option(parser: argparse.ArgumentParser) -> None:
    """Give a command the option that names the machine."""
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="the simulated machine"
    )

# SPDX-License-Identifier: Apache-2.0
"""U-Boot: entries and counters that `bootloader/u-boot/boot.cmd` reads at power-on.

The entries are those of `bootloader.counted_entries`. U-Boot's environment has `BOOT_<slot>_LEFT`
and `BOOT_<slot>_DONE`, the tries of slots that are not good, and `BOOT_ORDER`. It is read and
written by U-Boot's own tools, and a change is one write: with a redundant environment a power cut
leaves the old or the new one. A line that the tools cannot read is never written over: then only an
environment that is given as the default may take its place, because one with our variables alone
would not boot at all.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bootloader import command, kernel_command_line
from bootloader.backend import Backend, Setup
from bootloader.counted_entries import CountedEntries, Counters
from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName
from bootloader.slot_entry import SlotEntry

ORDER: Final = "BOOT_ORDER"
PIN: Final = "BOOT_PIN"
_SCRIPT: Final = "fw_setenv.script"
_READ_S: Final = 5.0  # all properties at once take four reads, and puad waits 25 s for them

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UBootOptions:
    """The section `[u-boot]`.

    Attributes:
        boot: Where the boot partition is mounted.
        config: What the tools read: where the environment lies.
        default_environment: What becomes the environment when there is none that can be read.
        fw_printenv: The tool that reads.
        fw_setenv: The tool that writes.
        kernel_command_line: The file in which the kernel shows its command line.
    """

    boot: Path = Path("/boot")
    config: Path = Path("/etc/fw_env.config")
    default_environment: Path = Path("/etc/u-boot-initial-env")
    fw_printenv: Path = Path("/usr/bin/fw_printenv")
    fw_setenv: Path = Path("/usr/bin/fw_setenv")
    kernel_command_line: Path = kernel_command_line.STANDARD_PATH


class UBoot(CountedEntries, Backend, name="u-boot", options=UBootOptions):
    """U-Boot with puad's boot.cmd."""

    pin = PIN

    def __init__(self, setup: Setup, options: UBootOptions) -> None:
        super().__init__(setup, options)
        self.boot = options.boot
        self.kernel_command_line = options.kernel_command_line
        self._options = options
        self._fault = ""

    def check(self) -> None:
        """See `Backend`."""
        super().check()
        for tool in (self._options.fw_printenv, self._options.fw_setenv):
            if not os.access(tool, os.X_OK):
                what = "this tool of U-Boot is missing; Debian has it in libubootenv-tool"
                raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(tool))

    def variables(self) -> dict[str, str]:
        """See `CountedEntries`."""
        try:
            argv = (str(self._options.fw_printenv), "-c", str(self._options.config))
            text = command.run(*argv, limit_s=_READ_S)
        except BootloaderError as error:
            self._tell(str(error))
            return {}
        self._tell("")
        pairs = (line.partition("=") for line in text.splitlines())
        return {name: value for name, _, value in pairs}

    def names(self, slot: str) -> tuple[str, str]:
        """See `CountedEntries`."""
        return f"BOOT_{slot}_LEFT", f"BOOT_{slot}_DONE"

    def turn(self, slot: str, entry: SlotEntry, variables: Mapping[str, str]) -> int:
        """See `CountedEntries`; the slots of BOOT_ORDER go before one that is not in it."""
        order = variables.get(ORDER, "").split()
        return order.index(slot) - len(order) if slot in order else _after_all(entry)

    def write_counters(self, slot: str, counters: Counters, *, first: bool = False) -> None:
        """See `CountedEntries`."""
        left, done = self.names(slot)
        changes = {left: str(counters.left), done: str(counters.done)}
        if first:
            others = [other for other in self.ranks() if other != slot]
            changes[ORDER] = " ".join([slot, *others])
        self._write(changes)

    def _tell(self, fault: str) -> None:
        """Log that the environment cannot be read, or can be again; not at each read."""
        if fault and not self._fault:
            _log.warning("the environment of U-Boot cannot be read: %s", fault)
        elif self._fault and not fault:
            _log.info("the environment of U-Boot can be read again")
        self._fault = fault

    def _write(self, changes: Mapping[str, str]) -> None:
        script = self.setup.run / _SCRIPT
        text = "".join(f"{name}={value}\n" for name, value in changes.items())
        with storage_errors(script):
            self.setup.run.mkdir(mode=0o700, parents=True, exist_ok=True)
            script.write_text(text)  # /run: it need not outlive anything
        command.run(
            str(self._options.fw_setenv),
            *("-c", str(self._options.config)),
            *("-f", str(self._options.default_environment)),
            *("-s", str(script)),
        )


def _after_all(entry: SlotEntry) -> int:
    return 1_000_000_000 - entry.order

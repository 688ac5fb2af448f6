# SPDX-License-Identifier: Apache-2.0
"""A machine with U-Boot: a boot partition as a folder, an environment in a file that U-Boot's own
tools read and write, and a model of boot.cmd.

tests/integration/bootloader/test_boot_cmd.py holds the model against U-Boot itself.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from bootloader.backend import Entry, Setup
from bootloader.backends.uboot import PIN, UBoot, UBootOptions
from bootloader.counted_entries import Counters
from bootloader.durable import Files
from bootloader.simulated_machine import BOOT_COMPLETE
from bootloader.slot import BootFileKind
from bootloader.slot_entry import good_offset
from tests.unit.bootloader.machines import SLOTS, LoaderMachine

ENVIRONMENT_BYTES = 0x2000
DEFAULT_ENVIRONMENT = "arch=arm\nbootdelay=0\nbootcmd=run distro_bootcmd\n"


class UBootMachine(LoaderMachine):
    """U-Boot with puad's boot.cmd and a redundant environment."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.boot = folder / "boot"
        self.command_line = folder / "cmdline"
        self.environment = folder / "environment"
        self.config = folder / "fw_env.config"
        self.default = folder / "u-boot-initial-env"
        self.environment.write_bytes(b"\xff" * 2 * ENVIRONMENT_BYTES)
        places = (f"{self.environment} {n * ENVIRONMENT_BYTES:#x}" for n in range(2))
        self.config.write_text("".join(f"{place} {ENVIRONMENT_BYTES:#x}\n" for place in places))
        self.default.write_text(DEFAULT_ENVIRONMENT)
        (self.boot / "puad/a").mkdir(parents=True)
        (self.boot / "puad/a/linux").write_bytes(b"kernel a")
        self.backend().arm("a", 1, Entry(frozenset({BootFileKind.LINUX}), "puad.slot=a"))
        self.backend().mark_good("a")
        self.backend().write_counters("a", Counters(0, 0))  # it boots because it is good
        self.power_on()

    def backend(self, files: Files | None = None) -> UBoot:
        options = UBootOptions(
            boot=self.boot,
            config=self.config,
            default_environment=self.default,
            kernel_command_line=self.command_line,
        )
        return UBoot(Setup(SLOTS, self.run, files or Files()), options)

    def power_on(self) -> str | None:
        (self.run / BOOT_COMPLETE).unlink(missing_ok=True)
        backend = self.backend()
        slot = backend.primary()
        if not slot:
            return None
        entry, counters = backend.entry(slot), backend.counters().get(slot)
        is_good = entry is not None and entry.is_good
        if counters and counters.left and not is_good and backend.pinned() != slot:
            done = min(counters.done + 1, 9)
            self.set(
                **{f"BOOT_{slot}_LEFT": str(counters.left - 1), f"BOOT_{slot}_DONE": str(done)}
            )
        # a kernel command line of the tests need not name the slot; this firmware adds it
        self.command_line.write_text(f"puad.slot={slot}\n")
        return slot

    def set(self, **variables: str) -> None:
        """Change variables, or delete those without a value."""
        script = self.folder / "script"
        script.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        argv: list[str | Path] = ["fw_setenv", "-c", self.config, "-f", self.default, "-s", script]
        subprocess.run(argv, check=True, capture_output=True)

    def ruin(self) -> None:
        self.environment.write_bytes(b"\xff" * 2 * ENVIRONMENT_BYTES)
        for path in (self.boot / "puad").glob("*.env"):
            Files().write_at(path, good_offset(path.read_bytes()), b"\xff")

    def pin(self, slot: str) -> None:
        self.set(**{PIN: slot})

    def state_of(self, slot: str) -> bytes:
        variables = self.backend().variables()
        counters = [
            f"{k}={v}" for k, v in sorted(variables.items()) if k.startswith(f"BOOT_{slot}_")
        ]
        files = sorted((self.boot / "puad").glob(f"{slot}/*"))
        files += (self.boot / "puad").glob(f"{slot}.env")
        return b"".join([" ".join(counters).encode(), *(path.read_bytes() for path in files)])

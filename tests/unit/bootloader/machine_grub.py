# SPDX-License-Identifier: Apache-2.0
"""A machine with GRUB: its boot partition as a folder, and a model of grub.cfg.

tests/integration/bootloader/test_grub_cfg.py holds the model against GRUB itself.
"""

from __future__ import annotations

import re
from pathlib import Path

from bootloader import grubenv
from bootloader.backend import Entry, Setup
from bootloader.backends.grub import PIN, Grub, GrubOptions
from bootloader.counted_entries import Counters
from bootloader.durable import Files
from bootloader.simulated_machine import BOOT_COMPLETE
from bootloader.slot import BootFileKind
from bootloader.slot_entry import SlotEntry, decode, good_offset
from tests.unit.bootloader.machines import SLOTS, LoaderMachine


class GrubMachine(LoaderMachine):
    """GRUB with puad's grub.cfg."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.boot = folder / "boot"
        self.command_line = folder / "cmdline"
        (self.boot / "puad/a").mkdir(parents=True)
        (self.boot / "puad/a/linux").write_bytes(b"kernel a")
        (self.boot / "grub").mkdir()
        self.backend().arm("a", 1, Entry(frozenset({BootFileKind.LINUX}), "puad.slot=a"))
        self.backend().mark_good("a")
        self.backend().write_counters("a", Counters(0, 0))  # it boots because it is good
        self.power_on()

    def backend(self, files: Files | None = None) -> Grub:
        setup = Setup(SLOTS, self.run, files or Files())
        return Grub(setup, GrubOptions(self.boot, self.command_line))

    def power_on(self) -> str | None:
        (self.run / BOOT_COMPLETE).unlink(missing_ok=True)
        data = self.grubenv.read_bytes() if self.grubenv.exists() else b""
        variables = grubenv.decode(data) or {}
        slots = list(self.backend().ranks())
        for slot in slots:
            if self._is_counted(slot, variables) and not self._count(slot, data):
                continue
            return self._boot(slot)
        return self._boot(slots[0]) if slots else None

    @property
    def grubenv(self) -> Path:
        return self.boot / "grub/grubenv"

    def entry(self, slot: str) -> SlotEntry | None:
        path = self.boot / f"puad/{slot}.env"
        return decode(path.read_bytes()) if path.exists() else None

    def _boot(self, slot: str) -> str:
        # a kernel command line of the tests need not name the slot; this firmware adds it
        self.command_line.write_text(f"BOOT_IMAGE=/puad/{slot}/linux puad.slot={slot}\n")
        return slot

    def _is_counted(self, slot: str, variables: dict[str, str]) -> bool:
        entry = self.entry(slot)
        left = variables.get(f"puad_{slot}_left", "")
        is_good = entry is not None and entry.is_good
        return not is_good and left in set("123456789") and variables.get(PIN) != slot

    def _count(self, slot: str, data: bytes) -> bool:
        if not grubenv.is_savable(data):
            return False
        for name, step, limit in (("left", -1, 0), ("done", 1, 9)):
            found = re.search(rb"\npuad_%s_%s=(.)\n" % (slot.encode(), name.encode()), data)
            assert found
            value = int(found[1]) + step if found[1].isdigit() and int(found[1]) != limit else limit
            data = data[: found.start(1)] + b"%d" % value + data[found.end(1) :]
        self.grubenv.write_bytes(data)
        return True

    def ruin(self) -> None:
        self.grubenv.write_bytes(b"\xff" * grubenv.BLOCK_BYTES)
        for path in (self.boot / "puad").glob("*.env"):
            Files().write_at(path, good_offset(path.read_bytes()), b"\xff")

    def pin(self, slot: str) -> None:
        variables = grubenv.decode(self.grubenv.read_bytes()) or {}
        block = grubenv.encode(variables | {PIN: slot})
        assert block
        self.grubenv.write_bytes(block)

    def state_of(self, slot: str) -> bytes:
        variables = grubenv.decode(self.grubenv.read_bytes()) or {}
        counters = [
            f"{k}={v}" for k, v in sorted(variables.items()) if k.startswith(f"puad_{slot}_")
        ]
        files = sorted((self.boot / "puad").glob(f"{slot}*/*"))
        entry = self.boot / f"puad/{slot}.env"
        files += [entry] if entry.exists() else []
        return b"".join([" ".join(counters).encode(), *(path.read_bytes() for path in files)])

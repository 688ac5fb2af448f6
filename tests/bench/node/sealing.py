# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.bench.node.sealing DEVICE TRUST_ROOT FOLDER`: boot control's seal, once.

It is the service's own code from the signatures to the last byte read back; in place of slots that
were found on the disk of the booted root stands one device. It says `ready`, waits for a line, and
says `done` with what it has used; the signed metadata lie in the folder by then.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bootloader import sealing, trust
from bootloader.access import SlotAccess
from bootloader.chain import Chain
from bootloader.claim import Claim, claim_device
from bootloader.durable import Files
from bootloader.notes import NoteBook
from bootloader.osrelease import OsRelease
from bootloader.zeroing import zero_tail
from tests.bench.node.installing import CHAIN, PROFILE, SLOT, memory_mib

_LOADED: Final = trust  # the service has loaded TUF's libraries when it seals a second time


class _Device(SlotAccess):
    """One device as slot b; slot a is never asked for."""

    def __init__(self, device: Path) -> None:
        self._device = device

    @property
    def names(self) -> tuple[str, ...]:
        return ("a", SLOT)

    @property
    def booted(self) -> str:
        return "a"

    def size(self, slot: str) -> int:
        with self._device.open("rb") as file:
            return file.seek(0, os.SEEK_END)

    def open_active(self) -> int:
        raise NotImplementedError

    def claim_for_writing(self, slot: str) -> Claim:
        return claim_device(self._device, writable=True)

    def claim_for_seal(self, slot: str, used: int) -> Claim:
        writing = self.claim_for_writing(slot)
        try:
            zero_tail(writing.fd, used, self.size(slot), self._device)
        finally:
            writing.release()
        return claim_device(self._device, writable=False)

    def root_id(self, slot: str) -> str:
        return ""

    def partition_id(self, name: str) -> str:
        raise NotImplementedError

    def set_root_id(self, slot: str, partuuid: str) -> None:
        raise NotImplementedError

    def host_uuid(self) -> str:
        return ""


def main() -> int:
    """Seal once."""
    device, trust_root, folder = (Path(word) for word in sys.argv[1:])
    (folder / "boot").mkdir(exist_ok=True)
    notebook = NoteBook(folder, Files())
    node = sealing.Node(trust_root, OsRelease(PROFILE, "0"), notebook, datetime.now(UTC))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if not sys.stdin.readline():
        return 1
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    chain = Chain(*pickle.loads((folder / CHAIN).read_bytes()))
    seal = sealing.seal(SLOT, chain, node, _Device(device), folder / "boot", lambda *_: None)
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF)
    seal.claim.release()
    used = {
        "seconds": seconds,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mib": memory_mib("VmHWM"),
    }
    sys.stdout.write(f"done {json.dumps(used)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Journals of past boots, written by systemd's own program from entries that a test makes up."""

from __future__ import annotations

import struct
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

REMOTE: Final = "/lib/systemd/systemd-journal-remote"
_BEGAN_USEC: Final = 1_795_000_000_000_000


@dataclass
class Boot:
    """One boot: its id and its entries."""

    boot_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    entries: list[dict[str, str | bytes]] = field(default_factory=list)

    def log(self, message: str, priority: int = 6, **fields: str | bytes) -> Boot:
        """Add an entry of user root."""
        entry: dict[str, str | bytes] = {"MESSAGE": message, "PRIORITY": str(priority), "_UID": "0"}
        self.entries.append(entry | fields)
        return self

    def kernel(self, message: str, priority: int = 6, **fields: str) -> Boot:
        """Add an entry of the kernel's log."""
        return self.log(
            message, priority, **{"_TRANSPORT": "kernel", "SYSLOG_IDENTIFIER": "kernel", **fields}
        )

    def of_slot(self, slot: str) -> Boot:
        """Begin as a kernel does that was told its slot."""
        self.kernel("Linux version 6.12.48")
        return self.kernel(f"Command line: root=PARTUUID=1 ro puad.slot={slot} quiet")


def write_journal(folder: Path, boots: list[Boot], name: str = "system") -> None:
    """Put boots, oldest first, into a journal file of a machine's folder."""
    machine = folder / ("0" * 31 + "1")
    machine.mkdir(parents=True, exist_ok=True)
    data = b"".join(_export(place, boot) for place, boot in enumerate(boots))
    command = [REMOTE, f"--output={machine / name}.journal", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def _export(place: int, boot: Boot) -> bytes:
    out = []
    for number, entry in enumerate(boot.entries):
        fields: dict[str, str | bytes] = {
            "__REALTIME_TIMESTAMP": str(_BEGAN_USEC + place * 600_000_000 + number * 1000),
            "__MONOTONIC_TIMESTAMP": str(1_000_000 + number * 1000),
            "_BOOT_ID": uuid.UUID(boot.boot_id).hex,
            **entry,
        }
        for key, value in fields.items():
            raw = value if isinstance(value, bytes) else value.encode()
            if b"\n" in raw or isinstance(value, bytes):
                out.append(key.encode() + b"\n" + struct.pack("<Q", len(raw)) + raw + b"\n")
            else:
                out.append(key.encode() + b"=" + raw + b"\n")
        out.append(b"\n")
    return b"".join(out)

# SPDX-License-Identifier: Apache-2.0
"""Intruder: what somebody who has taken over user puad would try, with raw calls on the bus.

Runs on the node as user puad, with nothing of ours imported. Prints each call and what came of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from gi.repository import Gio, GLib

_LOOT = Path("/var/lib/puad/intruder")
_NAME, _PATH = "org.puad.Bootloader1", "/org/puad/Bootloader1"
_TIMEOUT_MS = 60_000


class Caller:
    """The bus, and the answers so far."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self._bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)

    def call(self, label: str, method: str, body: GLib.Variant, fd: int | None = None) -> int:
        """Call a method; gives the descriptor in its answer, -1 when there is none."""
        fds = Gio.UnixFDList.new()
        if fd is not None:
            fds.append(fd)
        arguments = (_NAME, _PATH, _NAME, method, body, None, 0, _TIMEOUT_MS, fds, None)
        try:
            _, out = self._bus.call_with_unix_fd_list_sync(*arguments)
        except GLib.Error as error:
            name = Gio.DBusError.get_remote_error(error) or error.message
            self.answers[label] = name.rpartition(".")[2]
            return -1
        self.answers[label] = "done"
        return int(out.get(0)) if out is not None and out.get_length() else -1


def main(slot: str, forged_path: str, genuine_path: str) -> None:
    """Try everything."""
    caller = Caller()
    caller.call("Arm", "Arm", GLib.Variant("(su)", (slot, 3)))
    caller.call("Disarm", "Disarm", GLib.Variant("(s)", (slot,)))
    fd = caller.call("OpenInactive", "OpenInactive", GLib.Variant("(s)", (slot,)))
    if fd >= 0:
        with (_LOOT / "image").open("rb") as image, os.fdopen(fd, "wb", closefd=True) as target:
            while piece := image.read(1 << 20):
                target.write(piece)
    kernel = (_LOOT / "linux").read_bytes()
    with (_LOOT / "linux").open("rb") as file:
        stage = (slot, "linux", 0, len(kernel), hashlib.sha256(kernel).hexdigest())
        caller.call("Stage", "Stage", GLib.Variant("(sshts)", stage), file.fileno())
    for label, path in (("forged", forged_path), ("genuine", genuine_path)):
        targets = (_LOOT / f"{label}.json").read_bytes()
        seal = GLib.Variant("(saayaysay)", (slot, [], targets, path, b""))
        caller.call(f"Seal with {label} metadata", "Seal", seal)
        caller.call(f"Arm after it ({label})", "Arm", GLib.Variant("(su)", (slot, 3)))
    caller.call("MarkGood", "MarkGood", GLib.Variant("(s)", (slot,)))
    for name in ("firmware", f"{slot}.img"):
        try:
            Path("/disk", name).open("r+b").close()
            caller.answers[f"open {name}"] = "done"
        except OSError as error:
            caller.answers[f"open {name}"] = str(error.strerror)
    sys.stdout.write(json.dumps(caller.answers))


main(*sys.argv[1:])

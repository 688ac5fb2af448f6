# SPDX-License-Identifier: Apache-2.0
"""Forger: what somebody tries with boot control to have a forged image booted. It runs on the node.

`forger.py FOLDER PART`: the folder has the genuine boot files `linux` and `initrd` of slot b, and
the genuine metadata `targets.json` and, in `target`, the path of the image. Each line of the output
is one attempt and the answer to it, as JSON: DONE, or the last word of the error's name.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from gi.repository import Gio, GLib

FOLDER = Path(sys.argv[1])
PLACE = ("org.puad.Bootloader1", "/org/puad/Bootloader1", "org.puad.Bootloader1")
FORGED = b"\0forged\0" * 4096
BUS = Gio.bus_get_sync(Gio.BusType.SYSTEM)


def call(method: str, signature: str, *words: object, fd: int = -1) -> list[int]:
    sent = Gio.UnixFDList.new_from_array([os.dup(fd)] if fd >= 0 else [])
    words_as_sent = GLib.Variant(signature, words)
    flags = Gio.DBusCallFlags.NONE
    _, got = BUS.call_with_unix_fd_list_sync(
        *PLACE, method, words_as_sent, None, flags, 600_000, sent, None
    )
    return list(got.steal_fds()) if got else []


def write_slot() -> None:
    (slot,) = call("OpenInactive", "(s)", "b")
    os.pwrite(slot, FORGED, 0)
    os.close(slot)


def stage(kind: str, data: bytes) -> None:
    file = os.memfd_create(kind)
    os.write(file, data)
    digest = hashlib.sha256(data).hexdigest()
    call("Stage", "(sshts)", "b", kind, 0, len(data), digest, fd=file)
    os.close(file)


def seal(targets: bytes) -> None:
    # the root on the node is the newest one, so the chain is empty
    call("Seal", "(saayaysay)", "b", [], targets, (FOLDER / "target").read_text(), b"")


def genuine(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def changed_targets() -> bytes:
    document = json.loads(genuine("targets.json"))
    for target in document["signed"]["targets"].values():
        target["hashes"]["sha256"] = hashlib.sha256(FORGED).hexdigest()
    return json.dumps(document).encode()


OUTSIDE: dict[str, Callable[[], object]] = {
    "disarm the booted slot": lambda: call("Disarm", "(s)", "a"),
    "open the booted slot": lambda: call("OpenInactive", "(s)", "a"),
    "arm the booted slot": lambda: call("Arm", "(su)", "a", 3),
    "change the booted slot's id": lambda: call(
        "SetRootId", "(ss)", "a", "0e5f6b0a-93f6-4b8e-8f6c-6a4be1a4c0de"
    ),
    "mark the inactive slot good": lambda: call("MarkGood", "(s)", "b"),
}
FORGERY: dict[str, Callable[[], object]] = {
    "disarm the inactive slot": lambda: call("Disarm", "(s)", "b"),
    "write the inactive slot": write_slot,
    "stage the kernel": lambda: stage("linux", genuine("linux")),
    "stage the initrd": lambda: stage("initrd", genuine("initrd")),
    "arm what nobody sealed": lambda: call("Arm", "(su)", "b", 3),
    "seal a forged image with genuine metadata": lambda: seal(genuine("targets.json")),
    "seal it with metadata that were changed": lambda: seal(changed_targets()),
    "seal it with none": lambda: seal(b""),
    "stage a forged kernel": lambda: stage("linux", FORGED),
    "seal a forged kernel with genuine metadata": lambda: seal(genuine("targets.json")),
    "arm what was refused": lambda: call("Arm", "(su)", "b", 3),
}


def answer_of(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except GLib.Error as error:
        name = Gio.DBusError.get_remote_error(error) or error.message
        return str(name).rpartition(".")[2]
    return "DONE"


PARTS = {"outside": OUTSIDE, "forgery": FORGERY}
for name, attempt in PARTS[sys.argv[2]].items():
    print(json.dumps([name, answer_of(attempt)]))  # noqa: T201

# SPDX-License-Identifier: Apache-2.0
"""Intruder: what user puad tries when puad is in wrong hands. It runs on the node, alone.

Each line of its output is one attempt and the answer to it, as JSON. Every attempt must be refused.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import sys
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_NAMESPACES = 0x1002_0000  # CLONE_NEWUSER | CLONE_NEWNS


def answer_of(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "DONE"


def call(name: str, *words: object) -> None:
    ctypes.set_errno(0)
    if getattr(LIBC, name)(*words) < 0:
        raise OSError(ctypes.get_errno(), name)


def write(path: str) -> None:
    handle = os.open(path, os.O_WRONLY)
    os.pwrite(handle, b"\0" * 512, 0)


def create(path: str) -> None:
    os.open(path, os.O_WRONLY | os.O_CREAT)


def make_node() -> None:
    os.mknod("/tmp/disk", 0o60600, os.makedev(*DISK))
    write("/tmp/disk")


DISK = tuple(map(int, sys.argv[1].split(":")))
ATTEMPTS: dict[str, Callable[[], object]] = {
    "write the disk": lambda: write("/dev/vda"),
    "write the active slot": lambda: write("/dev/vda2"),
    "write the inactive slot": lambda: write("/dev/vda3"),
    "read the disk": lambda: os.open("/dev/vda", os.O_RDONLY),
    "write through /sys": lambda: write("/sys/block/vda/queue/scheduler"),
    "write a kernel knob": lambda: write("/proc/sys/kernel/core_pattern"),
    "ask for a reboot by sysrq": lambda: write("/proc/sysrq-trigger"),
    "write the ESP": lambda: create("/efi/loader/entries/puad-b.conf"),
    "make a device node": make_node,
    "mount": lambda: call("mount", b"none", b"/mnt", b"tmpfs", 0, None),
    "enter new namespaces": lambda: call("unshare", NEW_NAMESPACES),
    "load a module": lambda: call("syscall", 313, 0, b"", 0),
    "load another kernel": lambda: call("syscall", 320, -1, -1, 0, b"", 0),
    "reboot at once": lambda: call("reboot", 0x1234567),
    "trace process 1": lambda: call("ptrace", 16, 1, 0, 0),
    "use raw I/O ports": lambda: call("iopl", 3),
    "open an io_uring": lambda: call("syscall", 425, 1, ctypes.create_string_buffer(256)),
    "change root's file": lambda: create("/usr/lib/puad/root.json"),
    "change boot control's notes": lambda: create("/var/lib/puad-bootloader/notes.json"),
    "write the verdict": lambda: create("/var/lib/puad-health/verdict.json"),
}

for name, attempt in ATTEMPTS.items():
    print(json.dumps([name, answer_of(attempt)]))  # noqa: T201

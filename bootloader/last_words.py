# SPDX-License-Identifier: Apache-2.0
"""The last words of a boot that has failed: kernel log, standard output and journal.

Each of them may hang, the journal most of all: each is given to a thread that nobody waits for
longer than its limit. The kernel's log comes first, since it never hangs and pstore keeps it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bootloader import command

try:
    from systemd.journal import send as send_to_journal
except ImportError:  # python3-systemd is not everywhere; standard output goes to the journal too
    send_to_journal = None

MESSAGE_ID: Final = "f6ded17e8d4549f4b168c845ac01c71a"  # explained in systemd/puad.catalog
_KERNEL_LOG: Final = Path("/dev/kmsg")
_ERROR: Final = 3
_STANDARD_OUTPUT: Final = 1
_LIMIT_S: Final = 3.0
_FLUSH_S: Final = 6.0
_JOURNALCTL: Final = "/usr/bin/journalctl"


def tell(slot: str, reason: str, what: str) -> None:
    """Say that the boot of a slot has failed.

    Args:
        slot: The booted slot; `?` when it is unknown.
        reason: A word for what led here.
        what: What follows, and why.
    """
    text = f"the boot of slot {slot} has failed ({reason}): {what}"
    _patiently(lambda: _to_kernel(text))
    _patiently(lambda: _to_output(text))
    if send_to_journal:
        fields = {"PRIORITY": str(_ERROR), "PUAD_SLOT": slot, "PUAD_REASON": reason}
        _patiently(
            lambda: send_to_journal(
                text, MESSAGE_ID=MESSAGE_ID, SYSLOG_IDENTIFIER="puad-boot-failed", **fields
            )
        )


def keep() -> None:
    """Have the journal move to the persistent partition, if it is there, and write itself down."""
    command.try_within(_FLUSH_S, _JOURNALCTL, "--flush")
    command.try_within(_FLUSH_S, _JOURNALCTL, "--sync")


def _to_kernel(text: str) -> None:
    line = f"<{_ERROR}>puad-boot-failed: {text}\n".encode()
    fd = os.open(_KERNEL_LOG, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.write(fd, line)
    finally:
        os.close(fd)


def _to_output(text: str) -> None:
    # not through print: its lock must not be held by this thread when the program ends
    os.write(_STANDARD_OUTPUT, f"puad-boot-failed: {text}\n".encode())


def _patiently(say: Callable[[], object]) -> None:
    def try_it() -> None:
        try:
            say()
        except OSError:  # nobody is there to hear it; the other places were told as well
            return

    thread = threading.Thread(target=try_it, daemon=True)
    thread.start()
    thread.join(_LIMIT_S)

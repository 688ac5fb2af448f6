# SPDX-License-Identifier: Apache-2.0
"""A reboot that comes, whatever hangs: ever ruder ways, each with a limit.

systemd ends everything and unmounts; then `systemctl` alone, without systemd; then the kernel,
without a word to the disks.
"""

from __future__ import annotations

import ctypes
import time
from typing import Final

from bootloader import command

_SYSTEMCTL: Final = "/usr/bin/systemctl"
_ASK_S: Final = 5.0
_WAIT_S: Final = 20.0
_RUDE_S: Final = 8.0
_AUTOBOOT: Final = 0x01234567  # LINUX_REBOOT_CMD_RESTART
_libc: Final = ctypes.CDLL(None, use_errno=True)


def force_reboot() -> None:
    """Reboot; returns only when all ways have failed."""
    if command.try_within(_ASK_S, _SYSTEMCTL, "reboot", "--force") == 0:
        time.sleep(_WAIT_S)  # the end comes meanwhile
    if command.try_within(_RUDE_S, _SYSTEMCTL, "reboot", "--force", "--force") == 0:
        time.sleep(_RUDE_S)
    _libc.reboot(_AUTOBOOT)

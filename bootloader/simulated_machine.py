# SPDX-License-Identifier: Apache-2.0
"""The simulated machine as its booted node sees it: a few files in the run folder.

`selected` is what the firmware leaves for the node that it has started, as systemd-boot leaves
LoaderEntrySelected; `boot-complete` is made by the node's own pid 1, `reboot` for it.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any, Final

from bootloader.durable import Files
from bootloader.errors import BootloaderError, ErrorName
from bootloader.machine import Machine

BOOT_COMPLETE: Final = "boot-complete"
SELECTED: Final = "selected"
REBOOT: Final = "reboot"


class SimulatedMachine(Machine):
    """The machine that `bootloader.simulation` makes.

    Args:
        run: The run folder.
        files: The seam for durable writes.
    """

    def __init__(self, run: Path, files: Files) -> None:
        self._run = run
        self._files = files

    def request_reboot(self, reason: str) -> None:
        """See `Machine`; ends pid 1 only inside the machine that `bootloader.simulation` made."""
        self._files.replace(self._run / REBOOT, f"{reason}\n".encode())
        if read_selected(self._run).get("pid_namespace") == pid_namespace():
            os.kill(1, signal.SIGTERM)

    def is_boot_complete(self) -> bool:
        """See `Machine`."""
        return (self._run / BOOT_COMPLETE).exists()


def read_selected(run: Path) -> dict[str, Any]:
    """What the firmware has left; empty when it was not the firmware that started us.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    path = run / SELECTED
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BootloaderError(
            ErrorName.STORAGE_FAILED, "the boot loader's word cannot be read", on=str(path)
        ) from error
    return document if isinstance(document, dict) else {}


def pid_namespace() -> int:
    """The id of the pid namespace that we live in."""
    return os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 -- follows a magic link

# SPDX-License-Identifier: Apache-2.0
"""Reading the facts: what the machine itself says about this boot (invariant 4)."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from puad.bootcontrol import BootControl
from puad.core.errors import Code, ConfigError, StorageError
from puad.core.model import Facts, Verdict
from puad.core.os_release import parse_os_release
from puad.store import Store

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_MAX_OS_RELEASE_BYTES: Final = 64 << 10
_START_TIME: Final = 19  # proc(5), /proc/pid/stat field 22, counted from behind the command name


def read_os_release(path: Path) -> dict[str, str]:
    """The assignments of an os-release file (os-release(5)); quotes are taken off.

    Raises:
        ConfigError: `CONFIG_INVALID`, when the file cannot be read or names no image.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_OS_RELEASE_BYTES).decode("utf-8", "replace")
    except OSError as error:
        what = f"os-release cannot be read: {error.strerror}"
        raise ConfigError(Code.CONFIG_INVALID, what, on=str(path)) from error
    values = parse_os_release(text)
    if not values.get("IMAGE_ID") or not values.get("IMAGE_VERSION"):
        what = "os-release does not name this image: IMAGE_ID and IMAGE_VERSION are needed"
        raise ConfigError(Code.CONFIG_INVALID, what, on=str(path))
    return values


def boot_duration_s(note: Path) -> float:
    """How long this boot took, from the start of process 1 to the first start of puad in it.

    Args:
        note: A file that lives for one boot and keeps the figure for later starts.
    """
    with contextlib.suppress(OSError, ValueError):
        return float(note.read_text(encoding="ascii"))
    stat = Path("/proc/1/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    started = int(stat[_START_TIME]) / os.sysconf("SC_CLK_TCK")
    duration = max(time.clock_gettime(time.CLOCK_BOOTTIME) - started, 0.0)
    with contextlib.suppress(OSError):  # without the note only the next start measures again
        note.write_text(f"{duration:.1f}\n", encoding="ascii")
    return duration


class FactReader:
    """Reads the facts from boot control, os-release and the verdict file.

    Args:
        boot_control: The boot-control service.
        store: Where the health process leaves its verdict.
        os_release: os-release of the booted root.
        run: The folder of files that live for one boot.
    """

    def __init__(
        self,
        boot_control: BootControl,
        store: Store,
        os_release: Path,
        run: Path,
    ) -> None:
        self._boot_control = boot_control
        self._store = store
        self._os_release = read_os_release(os_release)
        self._boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
        self._boot_duration_s = boot_duration_s(run / "boot-duration")

    def read(self) -> Facts:
        """The facts as they are now.

        Raises:
            BootControlError: The boot-control service is absent or silent.
        """
        return Facts(
            boot_id=self._boot_id,
            booted_slot=self._boot_control.booted_slot(),
            primary_slot=self._boot_control.primary_slot(),
            image_id=self._os_release["IMAGE_VERSION"],
            profile=self._os_release["IMAGE_ID"],
            slots=self._boot_control.slots(),
            verdict=self._verdict(),
            boot_duration_s=self._boot_duration_s,
        )

    def _verdict(self) -> Verdict | None:
        try:
            return self._store.read_verdict()
        except StorageError:
            return None

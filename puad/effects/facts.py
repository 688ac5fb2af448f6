# SPDX-License-Identifier: Apache-2.0
"""Reading the facts: what the machine itself says about this boot (invariant 4)."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from puad.boot_id import boot_id
from puad.bootcontrol import BootControl
from puad.config import PathSettings
from puad.core.errors import StorageError
from puad.core.model import Facts, Verdict
from puad.core.rules.causes import wants_trail
from puad.core.run import Run
from puad.effects.boot_journal import read_trail
from puad.os_release_file import read_os_release
from puad.store import Store

LONGEST_BOOT_S: Final = 900.0

_LOG: Final = logging.getLogger(__name__)
_PROCESS_1: Final = Path("/proc/1/stat")
_START_TIME: Final = 19  # proc(5), /proc/pid/stat field 22, counted from behind the command name


def boot_duration_s(note: Path, process_1: Path = _PROCESS_1) -> float:
    """How long this boot took, from the start of process 1 to the first start of puad in it.

    At most `LONGEST_BOOT_S`: puad may have been started by hand long after the boot, and a node
    that waits for windows of several hours is never updated. Where process 1 is hidden (systemd's
    ProtectProc=), the boot began with the kernel.

    Args:
        note: A file that lives for one boot and keeps the figure for later starts.
        process_1: The kernel's account of process 1.
    """
    with contextlib.suppress(OSError, ValueError):
        return _bounded(float(note.read_text(encoding="ascii")))
    try:
        stat = process_1.read_text(encoding="utf-8").rpartition(")")[2].split()
        started = int(stat[_START_TIME]) / os.sysconf("SC_CLK_TCK")
    except OSError:
        started = 0.0
    duration = _bounded(time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    with contextlib.suppress(OSError):  # without the note only the next start measures again
        note.write_text(f"{duration:.1f}\n", encoding="ascii")
    return duration


def _bounded(duration_s: float) -> float:
    return min(max(0.0, duration_s), LONGEST_BOOT_S)  # in this order NaN is 0, too


class FactReader:
    """Reads the facts from boot control, os-release, the verdict file and the journal.

    Args:
        boot_control: The boot-control service.
        verdicts: The store of the health process, which leaves its verdict there.
        paths: Where the rest of them lies.
    """

    def __init__(self, boot_control: BootControl, verdicts: Store, paths: PathSettings) -> None:
        self._boot_control = boot_control
        self._verdicts = verdicts
        self._journal = paths.journal
        self._os_release = read_os_release(paths.os_release)
        self._boot_id = boot_id(paths.run / "boot-id")
        self._boot_duration_s = boot_duration_s(paths.run / "boot-duration")
        self._torn_verdict = ""

    def read(self, run: Run) -> Facts:
        """The facts as they are now; the first time with the trail of boots that failed.

        Args:
            run: What the node was doing; it brings no facts before they were read once.

        Raises:
            BootControlError: The boot-control service is absent or silent.
        """
        facts = self._read()
        wanted = wants_trail(run, facts) if run.facts is None else None
        if wanted is None:
            return facts
        return replace(facts, trail=read_trail(self._journal, *wanted, facts.boot_id))

    def _read(self) -> Facts:
        return Facts(
            boot_id=self._boot_id,
            booted_slot=self._boot_control.booted_slot(),
            primary_slot=self._boot_control.primary_slot(),
            image_id=self._os_release.image_id,
            profile=self._os_release.profile,
            slots=self._boot_control.slots(),
            verdict=self._verdict(),
            boot_duration_s=self._boot_duration_s,
        )

    def _verdict(self) -> Verdict | None:
        try:
            verdict = self._verdicts.read_verdict()
        except StorageError as error:
            if str(error) != self._torn_verdict:  # it is read every few seconds
                _LOG.warning("%s; it counts as no verdict", error)
            self._torn_verdict = str(error)
            return None
        self._torn_verdict = ""
        return verdict

# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.bench.node.installing TASK`: puad's install, in a process of its own.

It is the real `Installer` over the real signed repository; in place of boot control stands a device
that is opened. The process gets ready, says `ready` and waits for a line, as the daemon waits for
its window; it says `written` when boot control would be asked for the seal, waits for a line when
there is somebody who seals, and says `done` with what it has used.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from puad.bootcontrol import BootControl
from puad.config import Limits, Settings
from puad.config.settings import PathSettings, ReleaseSettings
from puad.core.model import Assessment, Facts, Offer, Slot, SlotState
from puad.core.run import Goal
from puad.download.repository import ReleaseRepository
from puad.effects.clock import Clock
from puad.effects.install import Installer
from puad.effects.supply import Supplier
from puad.effects.watch import Watch
from puad.store import Store

PROFILE: Final = "edge"
SLOT: Final = "b"
CHAIN: Final = "chain"


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be installed, and on what.

    Attributes:
        url: The release service.
        trust_root: Its root of trust.
        version: The image.
        booted: The image that runs.
        device: The inactive slot.
        base: The active slot.
        persist: The node's persistent folder.
        is_sealed: Whether somebody seals.
        is_paced: Whether it makes way for the node's own work, as it does by default.
        limits: Limits other than the defaults.
    """

    url: str
    trust_root: str
    version: str
    booted: str
    device: str
    base: str
    persist: str
    is_sealed: bool = False
    is_paced: bool = False
    limits: dict[str, Any] = field(default_factory=dict)


class _Device(BootControl):
    """Boot control that has one device to give, and nothing to boot."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self._task = task

    def disarm(self, slot: str) -> None:
        """Nothing could boot."""

    def open_inactive(self, slot: str) -> int:
        """The device, for this process alone."""
        return os.open(self._task.device, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)

    def open_active(self) -> int:
        """The base."""
        return os.open(self._task.base, os.O_RDONLY | os.O_CLOEXEC)

    def stage(self, slot: str, kind: str, fd: int, size: int, sha256: str) -> None:
        """No boot file is kept."""

    def seal(self, slot: str, *signed: Any) -> None:
        """Leave the signed metadata to the process that seals, and wait for it."""
        kept = [one for one in signed if not callable(one)]  # nobody asks how far it is
        (Path(self._task.persist) / CHAIN).write_bytes(pickle.dumps(kept))
        _say("written")
        if self._task.is_sealed:
            _wait()


def main() -> int:
    """Install once."""
    task = Task(**json.loads(sys.argv[1]))
    paced = Watch()
    # the pace of an install begins where its repository is opened; another watch knows none
    watch = paced if task.is_paced else Watch()
    persist = Path(task.persist)
    settings = Settings(
        release=ReleaseSettings(url=task.url),
        paths=PathSettings(persist=persist, trust_root=Path(task.trust_root)),
        limits=Limits(**task.limits),
    )
    store = Store(persist, settings.limits)
    clock = Clock(store, datetime.fromtimestamp(0, UTC), lambda: True)
    installer = Installer(_Device(task), persist, settings.limits, watch)
    with Supplier(settings, store, clock, paced).open(_goal(task)) as repository:
        goal, facts = _goal(task, repository), _facts(task)
        idle, before = memory_mib("VmRSS"), resource.getrusage(resource.RUSAGE_SELF)
        _say("ready")
        _wait()
        started = time.monotonic()
        with watch.performing(threading.Event()):
            installer.install(goal, repository, facts, None)
        seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF)
    used = {
        "seconds": seconds,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "idle_mib": idle,
        "peak_mib": memory_mib("VmHWM"),
    }
    _say(f"done {json.dumps(used)}")
    return 0


def _goal(task: Task, repository: ReleaseRepository | None = None) -> Goal:
    """The image; of a repository that is not open yet no more is known than its version."""
    path = file_hash = ""
    if repository is not None:
        found = repository.releases()
        (release,) = (one for one in found if one.manifest.version == task.version)
        path, file_hash = release.path, release.file_hash
    offer = Offer(path, task.version, file_hash, PROFILE)
    return Goal("bench", offer, SLOT, datetime.now(UTC))


def _facts(task: Task) -> Facts:
    fd = os.open(task.device, os.O_RDONLY)
    size = os.lseek(fd, 0, os.SEEK_END)
    os.close(fd)
    slots = (
        Slot("a", SlotState.BOOTED, Assessment.GOOD, size_bytes=size),
        Slot(SLOT, SlotState.INACTIVE, Assessment.INDETERMINATE, size_bytes=size),
    )
    return Facts("boot", "a", "a", task.booted, PROFILE, slots)


def memory_mib(name: str, process: str = "self") -> float:
    """A figure of /proc/PID/status; other than ru_maxrss it knows nothing of who started us."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"this process has no {name}")


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def _wait() -> None:
    if not sys.stdin.readline():
        raise RuntimeError("nobody says go")


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""A play: one update, rollback or undo on one disk, from the factory's state to its end."""

from __future__ import annotations

import os
import queue
import subprocess
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from puad.config import PaceSettings, Settings
from puad.core.actions import Action, Ask, Consult
from puad.core.events import Event, InstallAsked, Looked, RollbackAsked, Started, Ticked
from puad.core.model import ProbeResult, Verdict
from puad.core.run import Rules, Run, State
from puad.daemon.engine import Engine
from puad.daemon.memory import Memory
from puad.effects.clock import Clock
from puad.effects.facts import FactReader
from puad.effects.install import Installer
from puad.effects.maintenance import MaintenanceDesk
from puad.effects.perform import Effects
from puad.effects.pre_reboot import PreReboot
from puad.effects.supply import Supplier
from puad.effects.watch import Watch
from puad.store import Store
from tests.powercut.bench.direct_control import DirectControl
from tests.powercut.bench.faults import BLESS_BEFORE_VERDICT, FAULTS
from tests.unit.bootloader import loader_model

_PATIENCE_S: Final = 300
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Play:
    """One play.

    Args:
        document: Its entry in `plays.json`.
        source: Where the disk of the source is mounted.
    """

    def __init__(self, document: dict[str, Any], source: Path) -> None:
        self.document = document
        self.source = source
        self.work = Path("/run") / document["name"]
        self.esp, self.persist = self.work / "esp", self.work / "persist"
        self.efivars = self.work / "efivars"
        self._mounts: list[Path] = []
        self._booted: list[str] = []

    @property
    def is_back(self) -> bool:
        """Whether the first slot was booted again."""
        return len(self._booted) > 1 and self._booted[-1] == self._booted[0]

    def run(self) -> None:
        """From power-on to the end."""
        for folder in (self.work, self.esp, self.persist, self.efivars):
            folder.mkdir()
        with ExitStack() as stack:
            fault = self.document["fault"]
            if fault:
                stack.enter_context(FAULTS[fault].plant())
            try:
                for _ in range(8):
                    if self._boot():
                        return
            finally:
                self._unmount()
        raise RuntimeError(f"{self.document['name']} came to no end")

    def _mount(self) -> None:
        disk = self.document["disk"]
        for kind, number, options, folder in (
            ("vfat", 1, self.document["esp_options"], self.esp),
            ("ext4", 4, "nodev,nosuid,noexec", self.persist),
        ):
            argv = ["mount", "-t", kind, "-o", options, f"{disk}{number}", str(folder)]
            subprocess.run(argv, check=True)
            self._mounts.append(folder)

    def _unmount(self) -> None:
        while self._mounts:
            subprocess.run(["umount", str(self._mounts.pop())], check=True)

    def _boot(self) -> bool:
        """One power-on; whether the play is over."""
        self._mount()
        chosen = loader_model.boot(self.esp, self.efivars)
        if chosen is None:
            raise RuntimeError("nothing is bootable")
        slot = Path(chosen.loader).parent.name
        self._booted.append(slot)
        self._unmount()
        self._mount()
        over = Boot(self, slot).live()
        self._unmount()
        return over


class Nobody(PreReboot):
    """Nobody defers a reboot here."""

    def __init__(self) -> None:
        pass  # there is nothing to ask

    def ask(self, consult: Consult) -> str:
        """See `PreReboot`."""
        return ""


class Boot:
    """What happens between a power-on and the next."""

    def __init__(self, play: Play, slot: str) -> None:
        self._play = play
        self._slot = slot
        self._kind: str = play.document["kind"]
        self._folder = play.work / uuid.uuid4().hex
        self._folder.mkdir()
        image_id: str = play.document["images"][slot]
        self._image_id = image_id
        release = self._folder / "os-release"
        release.write_text(f'IMAGE_ID="edge"\nIMAGE_VERSION="{image_id}"\n')
        os.utime(release, (1_700_000_000, 1_700_000_000))
        boot_id = self._folder / "boot-id"
        boot_id.write_text(f"{uuid.uuid4()}\n")
        subprocess.run(["mount", "--bind", str(boot_id), str(_BOOT_ID)], check=True)
        trust_root = play.source / "release/metadata/1.root.json"
        self.control = DirectControl(
            play.document, slot, play.esp, play.persist / "puad-bootloader", release, trust_root
        )
        settings = self._settings(release, trust_root)
        self._posted: queue.Queue[Callable[[], None]] = queue.Queue()
        self._verdicts = Store(settings.paths.verdict)
        self._make_engine(settings)

    def _settings(self, release: Path, trust_root: Path) -> Settings:
        persist = self._play.persist
        paths = replace(
            Settings().paths,
            persist=persist / "puad",
            verdict=persist / "puad-health",
            trust_root=trust_root,
            os_release=release,
            run=self._folder,
        )
        pace = PaceSettings(busy_write_bytes_s=0, pause_above_load_percent=0)
        return replace(Settings(), paths=paths, pace=pace)

    def _make_engine(self, settings: Settings) -> None:
        paths, watch = settings.paths, Watch()
        store = Store(paths.persist)
        self._clock = Clock(store, datetime.fromtimestamp(1_700_000_000, UTC), lambda: True)
        self._facts = FactReader(self.control, self._verdicts, paths)
        self._supplier = Supplier(settings, store, self._clock, watch)
        self._supplier.keep_folder(self._release())
        self._effects = Effects(
            self.control,
            self._clock,
            self._facts,
            installer=Installer(self.control, paths.persist, settings.limits, watch),
            supplier=self._supplier,
            desk=cast("MaintenanceDesk", None),  # nobody is asked: see perform
            pre_reboot=Nobody(),
        )
        memory = Memory(store)
        run, self._lost = memory.load()
        self._engine = Engine(run, memory, watch, self, self._posted.put, lambda *_: None)

    def _release(self) -> int:
        return os.open(self._play.source / "release", os.O_RDONLY | os.O_DIRECTORY)

    def live(self) -> bool:
        """Until the reboot, or until the play is over."""
        try:
            self._feed(
                Started(
                    self._clock.moment(),
                    self._facts.read(self._engine.run),
                    Rules(tries=1),
                    self._lost,
                )
            )
            return self._go_on()
        finally:
            self._engine.stop(_PATIENCE_S)
            self.control.close()
            subprocess.run(["umount", str(_BOOT_ID)], check=True)

    def _go_on(self) -> bool:
        play = self._play
        if self._kind == "resume" and self._slot != play.document["target"]:
            return self._finish()
        if play.is_back:
            return True
        if self._slot == play.document["target"]:
            return self._assess()
        self._ask_to_install()
        self._until(lambda: self.control.reboots > 0)
        return False

    def _ask_to_install(self) -> None:
        offer = self._supplier.inspect(self._release())
        self._feed(InstallAsked(self._clock.moment(), offer))

    def _finish(self) -> bool:
        """Go on with a run that a power cut has interrupted, or begin it again."""
        if self._engine.run.state in {State.IDLE, State.FAILED, State.ROLLED_BACK}:
            self._ask_to_install()
        self._until(lambda: self.control.reboots > 0)
        return False

    def _assess(self) -> bool:
        if self._kind == "rollback":
            self._health(good=False)
            return False
        if self._engine.run.state is State.DONE:
            return True
        self._health(good=True)
        self._feed(Looked(self._clock.moment(), self._facts.read(self._engine.run)))
        self._until(lambda: self._engine.run.state is State.DONE)
        if self._kind in {"update", "resume"}:
            return True
        self._feed(RollbackAsked(self._clock.moment()))
        self._until(lambda: self.control.reboots > 0)
        return False

    def _health(self, *, good: bool) -> None:
        """The health process and, when it is content, puad-mark-good."""
        facts = self._facts.read(self._engine.run)
        probe = ProbeResult("application", required=True, passed=good, reason="" if good else "no")
        verdict = Verdict(
            facts.boot_id, self._slot, self._image_id, good, (probe,), datetime.now(UTC)
        )
        early = self._play.document["fault"] == BLESS_BEFORE_VERDICT
        if good and early:
            self.control.mark_good(self._slot)
        self._verdicts.write_verdict(verdict)
        if good and not early:
            self.control.mark_good(self._slot)

    def perform(self, action: Action, run: Run) -> Event | None:
        """What the engine asks for; nobody is asked over the network."""
        return None if isinstance(action, Ask) else self._effects.perform(action, run)

    def ask_rest_s(self) -> float | None:
        """Never by itself."""
        return None

    def _feed(self, event: Event) -> None:
        self._engine.feed(event)

    def _until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE_S
        while not condition():
            if time.monotonic() > end or self._engine.run.state is State.FAILED:
                run = self._engine.run
                raise RuntimeError(
                    f"{self._play.document['name']} stands in {run.state}: {run.cause}"
                )
            try:
                self._posted.get(timeout=0.5)()
            except queue.Empty:
                self._feed(Ticked(self._clock.moment()))

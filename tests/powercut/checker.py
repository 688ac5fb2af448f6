# SPDX-License-Identifier: Apache-2.0
"""The checker: takes states of a recording, one after the other, and says what is wrong with each.

No machine is started. What two states have in common is looked at once: a file system whose content
was seen before is not mounted again.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.powercut.boot_view import BootReader, BootView
from tests.powercut.fat import FatError
from tests.powercut.file_systems import check_ext4, check_fat, mounted
from tests.powercut.invariants import Moment, broken
from tests.powercut.partitions import GptError, Partition, read_table
from tests.powercut.recording import ESP, PERSIST, TABLE, Recording
from tests.powercut.replay import Likenesses, Medium, Replay, copy_sparse
from tests.powercut.states import State
from tests.powercut.store_view import StoreView, read_store
from tests.powercut.write_log import SECTOR

_MEMORY: Final = Path("/dev/shm")
_MOST_KEPT: Final = 256
COPIES_DIFFER: Final = "table: one copy is torn or behind"


@dataclass(frozen=True, slots=True)
class Sight:
    """What a sound state looks like; two states of one sight differ in nothing that matters.

    Attributes:
        stored: The state of the stored run.
        entries: The entries that the boot loader shows, the one that it boots in front.
        booted: The slot that it boots.
        staged: Whether the target holds the image and its boot files.
        harmless: The harmless findings.
    """

    stored: str
    entries: tuple[str, ...]
    booted: str
    staged: bool
    harmless: frozenset[str]


@dataclass
class Findings:
    """What came out.

    Attributes:
        states: How many states were checked.
        violations: What is wrong, by the state's name.
        harmless: How often each harmless finding was seen.
        sights: What each sound state looks like, by its name.
    """

    states: int = 0
    violations: dict[str, list[str]] = field(default_factory=dict)
    harmless: Counter[str] = field(default_factory=Counter)
    sights: dict[str, Sight] = field(default_factory=dict)

    def add(self, other: Findings) -> None:
        """Take in what another process found."""
        self.states += other.states
        self.violations.update(other.violations)
        self.harmless.update(other.harmless)
        self.sights.update(other.sights)


@dataclass(frozen=True, slots=True)
class Look:
    """What one file system, or the partition table, gave: a view, or what is wrong."""

    view: Any
    wrong: tuple[str, ...] = ()
    harmless: frozenset[str] = frozenset()


class Checker:
    """Checks one recording, in one process.

    Args:
        recording: The recording.
        slots: What its slots hold at the start; taken over.
    """

    def __init__(self, recording: Recording, slots: Likenesses) -> None:
        self._recording = recording
        where = _MEMORY if _MEMORY.is_dir() else None
        self._folder = Path(tempfile.mkdtemp(prefix="puad-powercut-", dir=where))
        self._mount = self._folder / "mount"
        self._mount.mkdir()
        self._replay = Replay(recording, slots, self._folder)
        self._boot_reader = BootReader(recording.story.images, self._folder / "esp")
        self._seen: dict[tuple[str, str], Look] = {}
        self._before: Moment | None = None

    def close(self) -> None:
        """Remove everything that was made."""
        self._replay.close()
        shutil.rmtree(self._folder)

    def check(self, states: Iterable[State]) -> Findings:
        """Check these states, whose points must rise."""
        found = Findings()
        if self._before is None:
            with self._replay.at(State(-1, "before", 0, ())) as medium:
                self._before, wrong, _ = self._moment(medium, None)
            if wrong or self._before is None:
                raise RuntimeError(f"the disk is not sound before the first write: {wrong}")
            if ours := broken(self._before):
                raise RuntimeError(f"the story does not fit the disk: {ours}")
        for state in states:
            with self._replay.at(state) as medium:
                moment, wrong, harmless = self._moment(medium, self._before)
            if moment is not None:
                wrong += broken(moment)
            found.states += 1
            found.harmless.update(harmless)
            if wrong:
                found.violations[f"{self._recording.name}:{state.name}"] = wrong
            elif moment is not None:
                found.sights[state.name] = _sight(moment, harmless)
        return found

    def _moment(
        self, medium: Medium, before: Moment | None
    ) -> tuple[Moment | None, list[str], frozenset[str]]:
        looks = [
            self._look(TABLE, medium, self._look_at_table),
            self._look(ESP, medium, self._look_at_esp),
            self._look(PERSIST, medium, self._look_at_persist),
        ]
        wrong = [what for look in looks for what in look.wrong]
        harmless = frozenset[str]().union(*(look.harmless for look in looks))
        table, boot, store = (look.view for look in looks)
        if table is None or boot is None or store is None:
            return None, wrong, harmless
        story = self._recording.story
        return Moment(story, table, boot, store, dict(medium.slots), before), wrong, harmless

    def _look(self, name: str, medium: Medium, look: Callable[[Medium], Look]) -> Look:
        key = (name, medium.marks[name])
        if key not in self._seen:
            if len(self._seen) >= _MOST_KEPT:
                self._seen.pop(next(iter(self._seen)))
            self._seen[key] = look(medium)
        return self._seen[key]

    def _look_at_table(self, medium: Medium) -> Look:
        def read(sector: int, sectors: int) -> bytes:
            with medium.table.open("rb") as file:
                file.seek(sector * SECTOR)
                return file.read(sectors * SECTOR)

        copies: list[tuple[Partition, ...]] = []
        wrong = []
        for header in (1, self._recording.disk_sectors - 1):
            try:
                copies.append(read_table(read, header))
            except GptError as error:
                wrong.append(f"{TABLE}: {error}")
        if not copies:
            return Look(None, tuple(wrong))
        # firmware takes the backup by itself, and the kernel because the command line says `gpt`
        differ = bool(wrong) or copies[0] != copies[-1]
        return Look(copies[0], (), frozenset({COPIES_DIFFER}) if differ else frozenset())

    def _look_at_esp(self, medium: Medium) -> Look:
        wrong, harmless = check_fat(medium.esp, self._recording.story.target)
        view: BootView | None = None
        try:
            view = self._boot_reader.read(medium.esp)
        except FatError as error:
            wrong.append(str(error))
        return Look(view, *_named(ESP, wrong, harmless))

    def _look_at_persist(self, medium: Medium) -> Look:
        copy = self._folder / "copy.img"
        # the mount writes: it replays the journal
        copy_sparse(medium.persist, copy)
        view: StoreView | None = None
        try:
            with mounted(copy, self._mount):
                view = read_store(self._mount, self._recording.story.folders)
        except OSError as error:
            return Look(None, (f"{PERSIST}: {error}",))
        return Look(view, *_named(PERSIST, *check_ext4(copy)))


def _named(
    name: str, wrong: list[str], harmless: set[str]
) -> tuple[tuple[str, ...], frozenset[str]]:
    return (
        tuple(f"{name}: {what}" for what in wrong),
        frozenset(f"{name}: {what}" for what in harmless),
    )


def _sight(moment: Moment, harmless: frozenset[str]) -> Sight:
    target, installed = moment.story.target, moment.story.installed
    return Sight(
        stored=moment.store.run.state,
        entries=tuple(entry.file for entry in moment.boot.entries),
        booted=moment.boot.entries[0].slot,
        staged=installed in moment.slots[target] & moment.boot.staged.get(target, frozenset()),
        harmless=harmless,
    )

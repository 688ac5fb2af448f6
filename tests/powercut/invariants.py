# SPDX-License-Identifier: Apache-2.0
"""The invariants: what must hold after a power cut, whatever the moment. Pure.

Each is a function that is given a moment and yields what is wrong with it, in words. `before` is
the same view of the disk before the first write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from bootloader.version import compare_versions
from puad.core.run import State
from tests.powercut.boot_view import BootEntry, BootView
from tests.powercut.partitions import Partition
from tests.powercut.recording import SLOT_LABELS, Story
from tests.powercut.store_view import StoreView

_ARMED_OR_LATER: Final = frozenset(
    {State.ARMED, State.ASSESSING, State.DONE, State.ROLLED_BACK, State.FAILED}
)


@dataclass(frozen=True, slots=True)
class Moment:
    """The disk at one moment.

    Attributes:
        story: What was recorded.
        table: The partitions.
        boot: The ESP.
        store: The persistent partition.
        slots: Ids of the images that each slot holds, every byte of them.
        before: The same before the first write; None for that moment itself.
    """

    story: Story
    table: tuple[Partition, ...]
    boot: BootView
    store: StoreView
    slots: dict[str, frozenset[str]]
    before: Moment | None = None

    def entries(self, slot: str) -> tuple[BootEntry, ...]:
        """What would boot a slot."""
        return tuple(entry for entry in self.boot.entries if entry.slot == slot)

    @property
    def new_entries(self) -> tuple[BootEntry, ...]:
        """Entries of the target that were not there before."""
        if self.before is None:
            return ()
        known = {entry.text for entry in self.before.entries(self.story.target)}
        return tuple(e for e in self.entries(self.story.target) if e.text not in known)

    @property
    def run_is_ours(self) -> bool:
        """Whether the stored run is about the recorded update."""
        goal = self.store.run.goal
        return goal is not None and goal.offer.image_id == self.story.installed

    @property
    def run_is_over(self) -> bool:
        """Whether the recorded update has ended, and the server has heard so."""
        run, image_id = self.store.run, self.story.installed
        was_done = run.installed is not None and run.installed.image_id == image_id
        return was_done or any(entry.image_id == image_id for entry in run.quarantine)


Invariant = Callable[[Moment], Iterator[str]]


def something_boots(moment: Moment) -> Iterator[str]:
    """At least one intact, verified image is bootable: the protected one."""
    slot = moment.story.protected
    if not moment.boot.entries:
        yield "nothing is bootable"
    if not moment.entries(slot):
        yield f"slot {slot} has no entry any more"


def fallback_is_untouched(moment: Moment) -> Iterator[str]:
    """The protected slot, its entry, and every file that the entry names, bit by bit."""
    slot = moment.story.protected
    image_id = moment.story.before[slot]
    if image_id not in moment.slots[slot]:
        yield f"slot {slot} was written to"
    if image_id not in moment.boot.staged.get(slot, ()):
        yield f"the boot files of slot {slot} are not those of image {image_id}"
    if moment.before is None:
        return
    were = [(entry.file, entry.text) for entry in moment.before.entries(slot)]
    if [(entry.file, entry.text) for entry in moment.entries(slot)] != were:
        yield f"the entry of slot {slot} was changed"
    for name, data in moment.before.boot.loader.items():
        if moment.boot.loader.get(name) != data:
            yield f"the boot loader's own file {name} was changed"


def nothing_unverified_boots(moment: Moment) -> Iterator[str]:
    """Every entry that is shown boots an image that was verified, from its own partition."""
    partuuids = {part.name: part.partuuid for part in moment.table}
    for entry in moment.boot.entries:
        if entry.slot not in moment.slots:
            yield f"entry {entry.file} boots nothing that is known"
            continue
        whole = moment.slots[entry.slot] & entry.images
        if not whole:
            yield f"entry {entry.file} boots what is not a verified image"
        if entry.root and entry.root != partuuids.get(SLOT_LABELS[entry.slot]):
            yield f"entry {entry.file} boots the root {entry.root}, which is not its slot's"
        notes = moment.store.notes
        sealed = notes.sealed.get(entry.slot) if notes else None
        if entry in moment.new_entries and (sealed is None or sealed.image_id not in whole):
            yield f"entry {entry.file} boots what is not noted as sealed"


def documents_can_be_read(moment: Moment) -> Iterator[str]:
    """What was once stored can be read; nothing is torn."""
    for name in moment.store.torn:
        yield f"the document {name} is torn"
    if moment.before is None:
        return
    if moment.store.run_is_lost and not moment.before.store.run_is_lost:
        yield "the stored run is gone"
    old, new = moment.before.store.notes, moment.store.notes
    if old is not None and new is not None:
        gone = set(old.sealed) - set(new.sealed) - {moment.story.target}
        if gone:
            yield f"the note of the seal of slot {', '.join(sorted(gone))} is gone"


def stored_before_done(moment: Moment) -> Iterator[str]:
    """A run is persisted before its actions: what has happened is known."""
    if moment.before is None or not moment.story.installed:
        return
    target = moment.story.target
    touched = moment.slots[target] != moment.before.slots[target] or (
        moment.before.entries(target) and not moment.entries(target)
    )
    if touched and not (moment.run_is_ours or moment.run_is_over):
        yield f"slot {target} was touched, and the store knows of no run"
    is_known = moment.store.run.state in _ARMED_OR_LATER or moment.run_is_over
    if moment.new_entries and not is_known:
        yield f"slot {target} is armed, and the stored run is {moment.store.run.state}"


def good_only_after_the_verdict(moment: Moment) -> Iterator[str]:
    """A new entry loses its counter only after a good verdict on that slot and image."""
    verdict, story = moment.store.verdict, moment.story
    is_good = (
        verdict is not None
        and verdict.good
        and (verdict.slot, verdict.image_id) == (story.target, story.installed)
    )
    for entry in moment.new_entries:
        if entry.tries_left is None and not is_good:
            yield f"entry {entry.file} is good, and there is no good verdict on it"


def the_end_is_true(moment: Moment) -> Iterator[str]:
    """What the server will be told has happened."""
    run, target = moment.store.run, moment.story.target
    if not moment.run_is_ours or run.goal is None or run.goal.undo:
        return
    is_good = any(entry.tries_left is None for entry in moment.new_entries)
    if run.state is State.DONE and not is_good:
        yield f"the stored run is DONE, and slot {target} is not good"
    if run.state is State.ROLLED_BACK:
        if is_good:
            yield f"the stored run is ROLLED_BACK, and slot {target} is good"
        if run.quarantined(run.goal.offer) is None:
            yield "the image was rolled back, and it is not in quarantine"
    if run.state in {State.STAGED, State.ARMED}:
        sealed = moment.slots[target] & moment.boot.staged.get(target, frozenset())
        if moment.story.installed not in sealed:
            yield f"the stored run is {run.state}, and slot {target} does not hold its image"


def floors_never_sink(moment: Moment) -> Iterator[str]:
    """The version floors of puad and of boot control."""
    if moment.before is None:
        return
    old, new = moment.before.store, moment.store
    pairs = [("puad", old.run.floor, new.run.floor)]
    if old.notes and new.notes:
        pairs.append(("boot control", old.notes.version_floor, new.notes.version_floor))
    for who, was, is_now in pairs:
        if was is not None and (is_now is None or compare_versions(is_now, was) < 0):
            yield f"the version floor of {who} sank from {was} to {is_now}"


INVARIANTS: Final[tuple[Invariant, ...]] = (
    something_boots,
    fallback_is_untouched,
    nothing_unverified_boots,
    documents_can_be_read,
    stored_before_done,
    good_only_after_the_verdict,
    the_end_is_true,
    floors_never_sink,
)


def broken(moment: Moment) -> list[str]:
    """Everything that is wrong with a moment."""
    return [f"{check.__name__}: {what}" for check in INVARIANTS for what in check(moment)]

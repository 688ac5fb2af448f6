# SPDX-License-Identifier: Apache-2.0
"""The invariants: each says nothing of a sound moment, and something of the one that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bootloader.notes import Notes, SealNote
from puad.core.model import Offer, Verdict
from puad.core.run import Goal, Run, State
from tests.powercut.boot_view import BootEntry, BootView
from tests.powercut.invariants import Moment, broken
from tests.powercut.partitions import Partition
from tests.powercut.recording import Image, Story
from tests.powercut.store_view import StoreView

NOW = datetime(2026, 11, 23, tzinfo=UTC)
IMAGES = {name: Image(name, Path(name), {}) for name in ("0", "1", "2")}
STORY = Story("a", "b", IMAGES, {"a": "1", "b": "0"}, "2", {})
TABLE = (Partition(2, "rootfs_a", "id-a", 0, 1), Partition(3, "rootfs_b", "id-b", 1, 2))
OFFER = Offer("edge/2.raw", "2", "2" * 64, "edge")
GOAL = Goal("run-2", OFFER, "b", NOW)
VERDICT = Verdict("boot-2", "b", "2", good=True, probes=(), finished_at=NOW)


def entry(slot: str, image: str, left: int | None = None) -> BootEntry:
    counter = "" if left is None else f"+{left}"
    file, text = f"puad-{slot}{counter}.conf", f"{slot} {image}".encode()
    return BootEntry(file, slot, left, frozenset({image}), f"id-{slot}", text)


def moment(b_holds: str, b_entry: BootEntry | None, run: Run, **changes: Any) -> Moment:
    """A moment whose slot b holds that image."""
    entries = tuple(one for one in (b_entry, entry("a", "1")) if one)
    staged = {"a": frozenset({"1"}), "b": frozenset({b_holds} - {""})}
    sealed = {"a": SealNote("1", None), "b": SealNote(b_holds, None)}
    store = StoreView(run, run_is_lost=False, verdict=None, notes=Notes(sealed=sealed), torn=())
    slots = {"a": frozenset({"1"}), "b": frozenset({b_holds} - {""})}
    boot = BootView(entries, staged, {"BOOTX64.EFI": b"loader"})
    given = Moment(STORY, TABLE, boot, store, slots, BEFORE)
    return replace(given, **changes)


BEFORE: Moment | None = None
BEFORE = moment("0", entry("b", "0"), Run())
WRITING = moment("", None, Run(State.DOWNLOADING, GOAL))
STAGED = moment("2", None, Run(State.STAGED, GOAL))
ARMED = moment("2", entry("b", "2", 1), Run(State.ARMED, GOAL))
GOOD = moment("2", entry("b", "2"), Run(State.ASSESSING, GOAL))
GOOD = replace(GOOD, store=replace(GOOD.store, verdict=VERDICT))
DONE = replace(GOOD, store=replace(GOOD.store, run=Run(State.DONE, GOAL)))
TOLD = replace(GOOD, store=replace(GOOD.store, run=Run(installed=OFFER)))


def with_store(given: Moment, **changes: Any) -> Moment:
    return replace(given, store=replace(given.store, **changes))


def with_boot(given: Moment, **changes: Any) -> Moment:
    return replace(given, boot=replace(given.boot, **changes))


@pytest.mark.parametrize("sound", [BEFORE, WRITING, STAGED, ARMED, GOOD, DONE, TOLD])
def test_broken_says_nothing_of_a_sound_update(sound: Moment) -> None:
    assert broken(sound) == []


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("something_boots", with_boot(WRITING, entries=())),
        ("something_boots", with_boot(ARMED, entries=ARMED.boot.entries[:1])),
        ("fallback_is_untouched", replace(STAGED, slots={**STAGED.slots, "a": frozenset()})),
        ("fallback_is_untouched", with_boot(STAGED, staged={"b": frozenset({"2"})})),
        ("fallback_is_untouched", with_boot(STAGED, entries=(entry("a", "1", 3),))),
        ("fallback_is_untouched", with_boot(STAGED, loader={"BOOTX64.EFI": b"lo"})),
        ("nothing_unverified_boots", replace(ARMED, slots={**ARMED.slots, "b": frozenset()})),
        (
            "nothing_unverified_boots",
            with_boot(
                ARMED,
                entries=(replace(entry("b", "2", 1), images=frozenset()), entry("a", "1")),
            ),
        ),
        (
            "nothing_unverified_boots",
            with_boot(ARMED, entries=(replace(entry("b", "2", 1), root="id-x"), entry("a", "1"))),
        ),
        ("nothing_unverified_boots", with_store(ARMED, notes=Notes())),
        ("documents_can_be_read", with_store(STAGED, torn=("run.json",))),
        ("documents_can_be_read", with_store(STAGED, run_is_lost=True)),
        ("documents_can_be_read", with_store(STAGED, notes=Notes())),
        ("stored_before_done", with_store(WRITING, run=Run())),
        ("stored_before_done", with_store(ARMED, run=Run(State.STAGED, GOAL))),
        ("good_only_after_the_verdict", with_store(GOOD, verdict=None)),
        ("good_only_after_the_verdict", with_store(GOOD, verdict=replace(VERDICT, good=False))),
        ("good_only_after_the_verdict", with_store(GOOD, verdict=replace(VERDICT, image_id="1"))),
        ("the_end_is_true", with_store(ARMED, run=Run(State.DONE, GOAL))),
        ("the_end_is_true", with_store(GOOD, run=Run(State.ROLLED_BACK, GOAL))),
        ("the_end_is_true", with_store(WRITING, run=Run(State.STAGED, GOAL))),
    ],
)
def test_broken_names_the_invariant_that_does_not_hold(name: str, bad: Moment) -> None:
    assert name in {line.partition(":")[0] for line in broken(bad)}


@pytest.mark.parametrize(
    "sink",
    [
        lambda store: replace(store, run=replace(store.run, floor="1")),
        lambda store: replace(store, notes=replace(store.notes, version_floor=None)),
    ],
)
def test_broken_notices_a_floor_that_sinks(sink: Callable[[StoreView], StoreView]) -> None:
    notes = replace(STAGED.store.notes or Notes(), version_floor="2")
    high = with_store(STAGED, notes=notes, run=replace(STAGED.store.run, floor="2"))
    after = replace(high, before=high, store=sink(high.store))

    assert any(line.startswith("floors_never_sink") for line in broken(after))

# SPDX-License-Identifier: Apache-2.0
"""The store view: what puad, the health process and boot control read after the power cut."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bootloader.durable import Files
from bootloader.errors import BootloaderError
from bootloader.notes import NoteBook, Notes
from puad.core.errors import StorageError
from puad.core.model import Verdict
from puad.core.run import Run
from puad.daemon.memory import Memory
from puad.store import Store


@dataclass(frozen=True, slots=True)
class StoreView:
    """What is remembered.

    Attributes:
        run: The stored run; an empty one when it is lost.
        run_is_lost: Whether there is none, or none that can be read.
        verdict: The last verdict; None for none.
        notes: The notes of boot control; None when they cannot be read.
        torn: Documents that are there and cannot be read.
    """

    run: Run
    run_is_lost: bool
    verdict: Verdict | None
    notes: Notes | None
    torn: tuple[str, ...]


def read_store(persist: Path, folders: dict[str, str]) -> StoreView:
    """Read it with the code that reads it on the node."""
    store, health = Store(persist / folders["store"]), Store(persist / folders["health"])
    torn = []
    run, is_lost = Memory(store).load()
    if is_lost and (persist / folders["store"] / "run.json").exists():
        torn.append("run.json")
    verdict = None
    try:
        verdict = health.read_verdict()
    except StorageError:
        torn.append("verdict.json")
    try:
        store.history()
    except StorageError:
        torn.append("history.json")
    notes = None
    try:
        notes = NoteBook(persist / folders["control"], Files()).read()
    except BootloaderError:
        torn.append("notes.json")
    return StoreView(run, is_lost, verdict, notes, tuple(torn))

# SPDX-License-Identifier: Apache-2.0
"""Replay: the disk as a power cut leaves it, without copying the disk.

What was flushed is written forward into a sparse file for each region; what a state adds is written
on top of it and taken back afterwards. States must come in the order of their points. Slots are not
kept as bytes but as their likeness to the images that are known.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.powercut.recording import ESP, PERSIST, TABLE, Recording, Region
from tests.powercut.slot_contents import Likeness, read_slot
from tests.powercut.states import Kept, State
from tests.powercut.write_log import SECTOR, Request

_PIECE_SECTORS: Final = 2048
Likenesses = dict[str, dict[str, Likeness]]


@dataclass(frozen=True, slots=True)
class Medium:
    """The disk in one state.

    Attributes:
        table: A sparse file of the whole disk that holds only what lies in no partition.
        esp: The file of the ESP.
        persist: The file of the persistent partition.
        slots: The ids of the images that each slot holds exactly.
        marks: For each file, a name of its content.
    """

    table: Path
    esp: Path
    persist: Path
    slots: dict[str, frozenset[str]]
    marks: dict[str, str]


def likenesses(recording: Recording) -> Likenesses:
    """What the slots hold before the first write, for every image."""
    found: Likenesses = {}
    for region in recording.regions:
        if region.is_slot:
            found[region.name] = {}
            for image_id, image in recording.story.images.items():
                likeness = Likeness(image.root)
                read_slot(likeness, recording.disk, region.start, region.end - region.start)
                found[region.name][image_id] = likeness
    return found


class Replay:
    """Plays one recording forward.

    Args:
        recording: The recording.
        slots: What the slots hold before the first write; taken over.
        folder: Where the files of the regions go.
    """

    def __init__(self, recording: Recording, slots: Likenesses, folder: Path) -> None:
        self._recording = recording
        self._slots = slots
        self._flushed = 0
        self._marks = dict.fromkeys((TABLE, ESP, PERSIST), "")
        self._undo: list[tuple[str, int, bytes]] = []
        self._paths: dict[str, Path] = {}
        self._files: dict[str, int] = {}
        for name in (TABLE, ESP, PERSIST):
            path = folder / f"{recording.name}-{name}.img"
            self._paths[name] = path
            self._files[name] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
        _copy_regions(recording, self._files)

    def close(self) -> None:
        """Remove the files."""
        for name, fd in self._files.items():
            os.close(fd)
            self._paths[name].unlink()

    @contextmanager
    def at(self, state: State) -> Iterator[Medium]:
        """The disk in that state, until the block ends."""
        self._flush_up_to(state.flushed)
        marks = dict(self._marks)
        changes: list[tuple[Likeness, list[tuple[int, int]]]] = []
        for kept in state.kept:
            changes += self._write(kept, marks, undo=True)
        exact = {
            slot: frozenset(name for name, likeness in known.items() if likeness.is_exact)
            for slot, known in self._slots.items()
        }
        paths = self._paths
        try:
            yield Medium(paths[TABLE], paths[ESP], paths[PERSIST], exact, marks)
        finally:
            for likeness, change in reversed(changes):
                likeness.undo(change)
            for name, place, old in reversed(self._undo):
                os.pwrite(self._files[name], old, place)
            self._undo.clear()

    def _flush_up_to(self, index: int) -> None:
        if index < self._flushed:
            raise RuntimeError("states must come in the order of their points")
        for number in range(self._flushed, index):
            request = self._recording.requests[number]
            if request.is_write:
                self._write(Kept(number, 0, request.sectors), self._marks, undo=False)
        self._flushed = index

    def _write(
        self, kept: Kept, marks: dict[str, str], *, undo: bool
    ) -> list[tuple[Likeness, list[tuple[int, int]]]]:
        request = self._recording.requests[kept.index]
        changes: list[tuple[Likeness, list[tuple[int, int]]]] = []
        for piece in _pieces(request, kept):
            where = self._recording.region_of(piece)
            if where in self._slots:
                region = self._recording.region(where)
                changes += self._write_slot(self._slots[where], region, piece)
            elif piece.place:  # a discard leaves what file systems do not look at any more
                start = 0 if where == TABLE else self._recording.region(where).start
                self._write_file(where, (piece.sector - start) * SECTOR, piece, undo=undo)
                word = f"{marks[where]}:{kept.index}+{piece.sector}-{piece.end}"
                marks[where] = hashlib.sha256(word.encode()).hexdigest()
        return changes

    def _write_slot(
        self, known: dict[str, Likeness], region: Region, piece: Request
    ) -> list[tuple[Likeness, list[tuple[int, int]]]]:
        at = piece.sector - region.start
        if not piece.place:
            return [(like, like.spoil(at, piece.sectors)) for like in known.values()]
        data = self._recording.log.data(piece)
        return [(like, like.take(at, data)) for like in known.values()]

    def _write_file(self, name: str, place: int, piece: Request, *, undo: bool) -> None:
        data = self._recording.log.data(piece)
        if undo:
            self._undo.append((name, place, os.pread(self._files[name], len(data), place)))
        os.pwrite(self._files[name], data, place)


def _pieces(request: Request, kept: Kept) -> Iterator[Request]:
    for first in range(kept.first, kept.last, _PIECE_SECTORS):
        count = min(_PIECE_SECTORS, kept.last - first)
        place = request.place + first * SECTOR if request.place else 0
        yield Request(request.sector + first, count, request.flags, place)


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a file without its holes."""
    with source.open("rb") as old, target.open("wb") as new:
        _copy_data(old.fileno(), new.fileno(), 0, source.stat().st_size // SECTOR, 0)


def _copy_regions(recording: Recording, files: dict[str, int]) -> None:
    disk = os.open(recording.disk, os.O_RDONLY | os.O_CLOEXEC)
    try:
        ends = 0
        for region in recording.regions:
            if region.name in files:
                _copy_data(disk, files[region.name], region.start, region.end, -region.start)
            _copy_data(disk, files[TABLE], ends, region.start, 0)
            ends = region.end
        _copy_data(disk, files[TABLE], ends, recording.disk_sectors, 0)
        os.ftruncate(files[TABLE], recording.disk_sectors * SECTOR)
    finally:
        os.close(disk)


def _copy_data(source: int, target: int, start: int, end: int, shift: int) -> None:
    """Copy sectors without the holes between them."""
    os.ftruncate(target, (end + shift) * SECTOR)
    place = start * SECTOR
    while place < end * SECTOR:
        try:
            place = os.lseek(source, place, os.SEEK_DATA)
        except OSError:  # only a hole is left
            return
        hole = min(os.lseek(source, place, os.SEEK_HOLE), end * SECTOR)
        while place < hole:
            data = os.pread(source, min(1 << 20, hole - place), place)
            os.pwrite(target, data, place + shift * SECTOR)
            place += len(data)

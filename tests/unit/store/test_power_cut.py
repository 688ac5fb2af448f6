# SPDX-License-Identifier: Apache-2.0
"""A disk that remembers system calls and shows what a power cut after each may leave of them.

The model is the worst that a file system may do: bytes that were not fsynced are kept in part, as
zeros, or not at all; names that were changed since the folder was last fsynced are kept up to any
point. What was fsynced is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from puad.core.errors import StorageError
from puad.store import Store
from puad.store.durable_file import System

_OLD = {"schema": 1, "run": "old", "padding": "o" * 200}
_NEW = {"schema": 1, "run": "new", "padding": "n" * 300}


@dataclass
class File:
    written: bytes = b""
    synced: bool = False

    def after_a_cut(self) -> Iterator[bytes]:
        yield self.written
        if not self.synced:
            yield b""
            yield self.written[: len(self.written) // 2]
            yield bytes(len(self.written))


@dataclass
class Disk:
    """Names on the medium, and the changes to names that are not there yet, in order."""

    durable: dict[str, File] = field(default_factory=dict)
    pending: list[tuple[str, File | None]] = field(default_factory=list)

    def names(self, changes: int) -> dict[str, File]:
        names = dict(self.durable)
        for name, file in self.pending[:changes]:
            if file is None:
                names.pop(name, None)
            else:
                names[name] = file
        return names

    def after_a_cut(self) -> Iterator[dict[str, bytes]]:
        for changes in range(len(self.pending) + 1):
            yield from _contents(list(self.names(changes).items()))


def _contents(names: list[tuple[str, File]]) -> Iterator[dict[str, bytes]]:
    if not names:
        yield {}
        return
    (name, file), *rest = names
    for others in _contents(rest):
        for data in file.after_a_cut():
            yield {name: data, **others}


class RecordingSystem(System):
    """The real system calls; after each, `outcomes` gains what a cut there may leave."""

    def __init__(self, folder: Path) -> None:
        self.disk = Disk({p.name: File(p.read_bytes(), synced=True) for p in folder.iterdir()})
        self.outcomes: list[dict[str, bytes]] = []
        self.calls: list[str] = []
        self._open: dict[int, File] = {}

    def create(self, path: Path) -> int:
        fd = super().create(path)
        self._open[fd] = File()
        self.disk.pending.append((path.name, self._open[fd]))
        return self._cut("create", fd)

    def write(self, fd: int, data: bytes) -> int:
        # short, as the kernel may be
        count = super().write(fd, data[:64])
        self._open[fd].written += data[:count]
        self._open[fd].synced = False
        return self._cut("write", count)

    def sync(self, fd: int) -> None:
        super().sync(fd)
        self._open[fd].synced = True
        self._cut("sync")

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        file = self.disk.names(len(self.disk.pending))[old.name]
        self.disk.pending += [(new.name, file), (old.name, None)]
        self._cut("rename")

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self.disk.durable = self.disk.names(len(self.disk.pending))
        self.disk.pending = []
        self._cut("sync_folder")

    def remove(self, path: Path) -> None:
        super().remove(path)
        self.disk.pending.append((path.name, None))
        self._cut("remove")

    def _cut(self, call: str, answer: int = 0) -> int:
        self.calls.append(call)
        self.outcomes += self.disk.after_a_cut()
        return answer

    def final_outcomes(self) -> list[dict[str, bytes]]:
        return list(self.disk.after_a_cut())


class NoSync(RecordingSystem):
    """Forgets to fsync the file."""

    def sync(self, fd: int) -> None:
        os.fstat(fd)


class NoFolderSync(RecordingSystem):
    """Forgets to fsync the folder."""

    def sync_folder(self, folder: Path) -> None:
        folder.stat()


def _read_after(outcome: dict[str, bytes], folder: Path) -> dict[str, Any] | StorageError | None:
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, data in outcome.items():
        (folder / name).write_bytes(data)
    try:
        return Store(folder).read("state")
    except StorageError as error:
        return error


def _write(folder: Path, system: type[RecordingSystem], *, old: bool) -> RecordingSystem:
    folder.mkdir()
    if old:
        Store(folder).write("state", _OLD)
    recorder = system(folder)
    Store(folder, system=recorder).write("state", _NEW)
    return recorder


@pytest.mark.parametrize("old", [True, False])
def test_write_power_cut_after_any_call_leaves_the_old_or_the_new(
    tmp_path: Path, *, old: bool
) -> None:
    recorder = _write(tmp_path / "store", RecordingSystem, old=old)
    assert len(recorder.calls) > 8, "the writes are short, so there are many"
    seen = [_read_after(outcome, tmp_path / "cut") for outcome in recorder.outcomes]
    before = _OLD if old else None
    assert all(document in (before, _NEW) for document in seen)
    assert before in seen
    assert _NEW in seen


def test_write_once_returned_survives_a_power_cut(tmp_path: Path) -> None:
    recorder = _write(tmp_path / "store", RecordingSystem, old=True)
    seen = [_read_after(outcome, tmp_path / "cut") for outcome in recorder.final_outcomes()]
    assert seen == [_NEW]


def test_write_after_a_power_cut_does_not_stumble_over_what_it_left(tmp_path: Path) -> None:
    recorder = _write(tmp_path / "store", RecordingSystem, old=True)
    for outcome in recorder.outcomes:
        _read_after(outcome, tmp_path / "cut")
        Store(tmp_path / "cut").write("state", _NEW)
        assert [path.name for path in (tmp_path / "cut").iterdir()] == ["state.json"]


def test_power_cut_model_sees_a_forgotten_fsync_of_the_file(tmp_path: Path) -> None:
    recorder = _write(tmp_path / "store", NoSync, old=True)
    seen = [_read_after(outcome, tmp_path / "cut") for outcome in recorder.outcomes]
    assert any(isinstance(document, StorageError) for document in seen)


def test_power_cut_model_sees_a_forgotten_fsync_of_the_folder(tmp_path: Path) -> None:
    recorder = _write(tmp_path / "store", NoFolderSync, old=True)
    seen = [_read_after(outcome, tmp_path / "cut") for outcome in recorder.final_outcomes()]
    assert _OLD in seen

# SPDX-License-Identifier: Apache-2.0
"""Staged releases: complete, checked, and not yet published.

`unpublished/releases/P/V/` holds a release's files under their own names and `release.json`, which
lists them. A folder gets that name by one rename, when all in it is on the disk, so a half-made
release is never seen. A folder `.adding-*` belongs to an `add` that is still at work as long as
that process holds its lock; what a killed one left behind is swept away by the next command.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator_stub.release.disk import Disk, translated
from orchestrator_stub.release.errors import RepositoryError
from orchestrator_stub.release.layout import Layout
from orchestrator_stub.release.release import Release, ReleaseFile, make_release
from orchestrator_stub.whole_file import sync_folder

_LIST: Final = "release.json"
_ADDING: Final = ".adding-"


@dataclass(frozen=True, slots=True)
class StagedRelease:
    """A release that waits for `publish`, and the folder that its files lie in."""

    folder: Path
    release: Release

    def place(self, file: ReleaseFile) -> Path:
        """Where a file of the release lies."""
        return self.folder / file.name

    def move_files(self, layout: Layout, disk: Disk) -> None:
        """Make the files readable under their hashed names; those already there stay.

        Raises:
            RepositoryError: When a file is neither here nor there.
        """
        for file in self.release.files:
            source, target = self.place(file), layout.target(file.path, file.sha256)
            if target.is_file() and target.stat().st_size == file.size:
                continue
            if not source.is_file() or source.stat().st_size != file.size:
                raise RepositoryError(
                    "a file of the staged release is missing or has another size",
                    on=str(source),
                    hint=f"Run `puad-release add` for {self.release.label} again.",
                )
            disk.move(source, target)


def read_staged(layout: Layout) -> tuple[StagedRelease, ...]:
    """Every staged release, in the order of profile and version.

    Raises:
        RepositoryError: When one cannot be read.
    """
    lists = sorted(layout.staged.glob(f"[!.]*/*/{_LIST}"))
    return tuple(StagedRelease(path.parent, _read_list(path)) for path in lists)


@contextmanager
def new_folder(layout: Layout) -> Iterator[Path]:
    """A folder to make a release in; it is gone afterwards unless it was staged."""
    folder, descriptor = _claim_folder(layout.staged)
    try:
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def _claim_folder(parent: Path) -> tuple[Path, int]:
    with translated(parent):
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=_ADDING, dir=parent))
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return folder, descriptor


def stage(layout: Layout, disk: Disk, folder: Path, files: tuple[ReleaseFile, ...]) -> Release:
    """Give a complete folder its place among the staged releases; an older one gives way."""
    release = make_release(files)
    document = {"schema": 1, "files": [_to_row(file) for file in files]}
    disk.write(folder / _LIST, json.dumps(document, indent=1).encode())
    with translated(folder):
        sync_folder(folder)
    place = layout.staged / release.key[0] / release.key[1]
    unstage(disk, place)
    disk.move(folder, place)
    return release


def unstage(disk: Disk, folder: Path) -> None:
    """Forget a staged release; its list goes first, so that a half-removed one is not seen."""
    disk.remove(folder / _LIST)
    disk.remove(folder)


def sweep(layout: Layout, disk: Disk) -> None:
    """Remove what a killed `add` has left behind."""
    for folder in layout.staged.glob(f"{_ADDING}*"):
        with translated(folder):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            disk.remove(folder)
        except BlockingIOError:
            pass  # that `add` is still at work
        finally:
            os.close(descriptor)


def _to_row(file: ReleaseFile) -> dict[str, Any]:
    return {"path": file.path, "size": file.size, "sha256": file.sha256, "custom": file.custom}


def _read_list(path: Path) -> Release:
    with translated(path):
        data = path.read_bytes()
    try:
        rows = json.loads(data)["files"]
        return make_release(ReleaseFile(**row) for row in rows)
    except (ValueError, KeyError, TypeError) as error:
        raise RepositoryError(
            "a staged release cannot be read",
            on=str(path),
            hint="Run `puad-release add` for it again.",
        ) from error

# SPDX-License-Identifier: Apache-2.0
"""Layout: where the demo keeps its things, and how long each of them lives.

`build/cache/demo` outlives a run: whatever stands there has its whole recipe in its name, so it is
right or it is not there. `build/demo` belongs to one run and is made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one run of the demo."""

    cache: Path
    run: Path

    @property
    def logs(self) -> Path:
        """Logs of the programs on the host: server, firmware, tools."""
        return self.run / "logs"

    @property
    def release(self) -> Path:
        """The release service's folder: signed metadata, targets, keys."""
        return self.run / "release"

    @property
    def disk(self) -> Path:
        """The node's disk: slot files and what the firmware remembers."""
        return self.run / "node/disk"

    @property
    def persist(self) -> Path:
        """The node's persistent partition."""
        return self.run / "node/persist"

    @property
    def summary(self) -> Path:
        """What was expected and what was seen, for a program to read."""
        return self.run / "summary.json"

    @contextlib.contextmanager
    def filling_cache(self) -> Iterator[None]:
        """Only one demo at a time makes what is kept."""
        with (self.cache / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def begin(self) -> None:
        """Forget the last run."""
        shutil.rmtree(self.run, ignore_errors=True)
        for folder in (self.cache, self.logs, self.disk, self.persist):
            folder.mkdir(parents=True, exist_ok=True)


def standard(run: Path | None = None) -> Layout:
    """The layout of `make demo`; tests give a run folder of their own and share the cache."""
    return Layout(REPOSITORY / "build/cache/demo", run or REPOSITORY / "build/demo")


def key(*parts: object) -> str:
    """A short name for a recipe: equal parts, equal name."""
    text = "\0".join(repr(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def tree_key(*folders: Path) -> str:
    """A short name for the contents of folders: paths, modes and bytes, caches left out."""
    seen = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(REPOSITORY).as_posix()
                executable = os.access(path, os.X_OK)
                seen.update(f"{name}\0{executable}\0{path.stat().st_size}\0".encode())
                seen.update(path.read_bytes())
    return seen.hexdigest()[:16]

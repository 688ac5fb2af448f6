# SPDX-License-Identifier: Apache-2.0
"""Repositories made by puad-release, and TUF clients that read them as a node does."""

from __future__ import annotations

import contextlib
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import TargetFile
from tuf.ngclient import FetcherInterface, Updater

from orchestrator_stub.release.disk import Disk
from orchestrator_stub.release.keys import KeyFolder
from orchestrator_stub.release.layout import Layout
from orchestrator_stub.release.main import main
from orchestrator_stub.release.publication import Publisher

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BUILT_AT = "2026-11-20T10:00:00Z"


def unseen(what: str, total: int) -> Callable[[int], object]:
    """Progress that nobody looks at."""
    return lambda _size: None


class FolderFetcher(FetcherInterface):
    """Reads a repository's files as a static server would give them out."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = Path(unquote(urlsplit(url).path))
        if not path.is_file():
            raise DownloadHTTPError(f"404 {path}", 404)
        yield path.read_bytes()


@dataclass
class Client:
    """A node's view of a repository: trusts one root, keeps what it has seen."""

    cache: Path
    now: datetime | None = None

    def updater(self, repository: Path) -> Updater:
        targets = self.cache / "targets"
        targets.mkdir(exist_ok=True)
        updater = Updater(
            str(self.cache),
            f"file://{repository}/metadata/",
            str(targets),
            f"file://{repository}/targets/",
            FolderFetcher(),
        )
        if self.now is not None:
            updater._trusted_set.reference_time = self.now
        return updater

    def targets(self, repository: Path) -> dict[str, TargetFile]:
        """What the repository vouches for, after a complete refresh."""
        updater = self.updater(repository)
        updater.refresh()
        return dict(updater._trusted_set.targets.targets)

    def fetch(self, repository: Path, path: str) -> bytes:
        updater = self.updater(repository)
        target = updater.get_targetinfo(path)
        assert target is not None, path
        return Path(updater.download_target(target)).read_bytes()

    def fetch_all(self, repository: Path) -> set[str]:
        """Download and verify everything that the repository vouches for."""
        updater = self.updater(repository)
        updater.refresh()
        targets = dict(updater._trusted_set.targets.targets)
        for target in targets.values():
            updater.download_target(target)
        return set(targets)


@dataclass
class Site:
    """One publisher's machine: a repository, its keys, and images to publish."""

    folder: Path
    now: datetime = START

    @property
    def repo(self) -> Path:
        return self.folder / "repo"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def layout(self) -> Layout:
        return Layout(self.repo)

    def publisher(self, disk: Disk | None = None) -> Publisher:
        return Publisher(self.layout, disk or Disk(), KeyFolder(self.keys), self.now)

    def run(self, command: str, *words: str | Path, expect: int = 0, keys: bool = True) -> Any:
        """Run a command in this process; its answer, or its error."""
        places = ["--repo", str(self.repo)] + (["--keys", str(self.keys)] if keys else [])
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([command, *map(str, words), *places, "--json"])
        assert code == expect, (code, out.getvalue(), err.getvalue())
        return json.loads(out.getvalue()) if out.getvalue() else err.getvalue()

    def image(self, size: int = 3_000_000, seed: int = 1, name: str = "root.img") -> Path:
        """A root image: half of it compresses, half does not; the same seed, the same bytes.

        It has the mark of an erofs, and nothing else of one.
        """
        path = self.folder / name
        noise = random.Random(seed)
        pieces = [noise.randbytes(4096) + bytes([seed % 256]) * 4096 for _ in range(size // 8192)]
        data = b"".join(pieces) + noise.randbytes(size % 8192)
        path.write_bytes(data[:1024] + b"\xe2\xe1\xf5\xe0" + data[1028:])
        return path

    def add(self, version: str, *words: str | Path, profile: str = "edge", seed: int = 1) -> Any:
        """Add an image, quickly compressed."""
        image = self.image(size=20_000, seed=seed)
        return self.run(
            "add",
            image,
            *("--profile", profile, "--version", version, "--level", "1"),
            *("--built-at", BUILT_AT, *words),
        )

    def release(self, version: str, *, profile: str = "edge", seed: int = 1) -> None:
        """Add and publish an image."""
        self.add(version, profile=profile, seed=seed)
        self.run("publish")

    def client(self, name: str = "client", root: int = 1, now: datetime | None = None) -> Client:
        """A node that was built with that root."""
        cache = self.folder / name
        cache.mkdir()
        (cache / "root.json").write_bytes(self.layout.root(root).read_bytes())
        return Client(cache, now)

    def known_client(self, name: str) -> Client:
        """The node of that name again, with what it has seen."""
        return Client(self.folder / name)


@pytest.fixture
def bare_site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def site(bare_site: Site) -> Site:
    bare_site.run("init")
    return bare_site


@pytest.fixture
def make_site(tmp_path: Path) -> Callable[[str], Site]:
    """Makes a site of that name with a repository whose metadata never expire in a test."""

    def make(name: str) -> Site:
        folder = tmp_path / name
        folder.mkdir()
        one = Site(folder)
        one.run("init", "--expires", "timestamp=300d", "snapshot=300d", "targets=300d")
        return one

    return make

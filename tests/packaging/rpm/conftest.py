# SPDX-License-Identifier: Apache-2.0
"""The rpm packages just built, beside the Debian packages that they are to be like."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.deb.conftest import Packages, depends_of
from tests.packaging.deb.conftest import build as build_deb
from tests.packaging.deb.debian_root import REPOSITORY, DebianRoot, clean_root, overlay

BUILT_AT = 1_795_000_000


@dataclass(frozen=True, slots=True)
class Rpm:
    """One package file."""

    path: Path

    def query(self, *words: str) -> str:
        """What rpm says of it."""
        command = ["rpm", "--query", "--package", *words, str(self.path)]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def lines(self, form: str) -> list[str]:
        """A query format, a line each."""
        return self.query("--queryformat", form).splitlines()

    def scriptlets(self) -> dict[str, str]:
        """The shell code of each scriptlet, by its name."""
        names = ("PREIN", "POSTIN", "PREUN", "POSTUN", "PRETRANS", "POSTTRANS")
        found = {name: self.query("--queryformat", f"%{{{name}}}") for name in names}
        return {name: code for name, code in found.items() if code != "(none)"}


@dataclass(frozen=True, slots=True)
class Rpms:
    """Both packages."""

    node: Rpm
    server: Rpm


def copy_of_sources(target: Path) -> Path:
    """What git would clone, in a folder of its own; so a build sees no change by anybody."""
    command = ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others"]
    listed = subprocess.run(
        [*command, "--exclude-standard"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    for name in filter(None, listed.split("\0")):
        source, copy = REPOSITORY / name, target / name
        if source.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
    subprocess.run(["git", "-C", str(target), "init", "--quiet"], check=True, timeout=60)
    return target


def build(sources: Path, target: Path, *options: str) -> Rpms:
    """Build the packages; the options are rpmbuild's."""
    command = [str(sources / "packaging/rpm/build"), str(target), *options]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(BUILT_AT)}
    subprocess.run(command, check=True, timeout=300, env=environment)
    (node,), (server,) = target.glob("puad-[0-9]*.rpm"), target.glob("puad-orchestrator-*.rpm")
    return Rpms(Rpm(node), Rpm(server))


def rpm_in(root: Path, *words: str) -> str:
    """The host's rpm at work in a root, with a /proc of its own; what it prints.

    Debian's package database is not rpm's, so nothing that the packages need is known to it.
    """
    done = subprocess.run(
        [
            *("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"),
            f"--mount-proc={root / 'proc'}",
            *("rpm", f"--root={root}", "--dbpath=/var/lib/rpm", *words),
        ],
        env={"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    # rpm goes on when a scriptlet fails, and says so
    assert "scriptlet failed" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="session")
def rpms(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Rpms:
    return build(sources, tmp_path_factory.mktemp("rpms"))


@pytest.fixture(scope="session")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return build_deb(tmp_path_factory.mktemp("debs"))


Unpack = Callable[[str], tuple[Path, Path]]


@pytest.fixture(scope="session")
def unpack(rpms: Rpms, debs: Packages, tmp_path_factory: pytest.TempPathFactory) -> Unpack:
    """The files of a package, `node` or `server`, as the rpm and as the deb has them."""
    made: dict[str, tuple[Path, Path]] = {}

    def trees(which: str) -> tuple[Path, Path]:
        if which not in made:
            made[which] = (tmp_path_factory.mktemp("rpm"), tmp_path_factory.mktemp("deb"))
            ours, theirs = made[which]
            package: Rpm = getattr(rpms, which)
            (ours / "proc").mkdir()
            rpm_in(ours, "--install", "--nodeps", "--noscripts", str(package.path))
            command = ["dpkg-deb", "--extract", str(getattr(debs, which)), str(theirs)]
            subprocess.run(command, check=True, timeout=60)
        return made[which]

    return trees


def depends_layer(depends: Sequence[str], below: Path) -> Path:
    """What apt changes in a clean root when it installs what puad depends on; from the cache."""
    made = below.with_name(below.name.replace("root-", "depends-"))
    with below.with_name("lock-depends").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            half = made.with_name("half-depends")
            for old in (*made.parent.glob("depends-*"), half):
                shutil.rmtree(old, ignore_errors=True)
            with overlay(half, [below]) as root:
                root.apt("install", *depends)
            (half / "own").rename(made)
            shutil.rmtree(half)
    return made


@pytest.fixture(scope="module")
def with_depends(debs: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRoot]:
    """A Debian 13 with all that the packages need, and without them."""
    depends = depends_of(debs)
    clean = clean_root(depends)
    layers = [depends_layer(depends, clean), clean]
    with overlay(tmp_path_factory.mktemp("with-depends"), layers) as root:
        yield root


@pytest.fixture(scope="module")
def installed(
    with_depends: DebianRoot, rpms: Rpms, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DebianRoot]:
    """A copy of it with both rpms and what their scriptlets did; tests change nothing."""
    below = [with_depends.own, *with_depends.below]
    with overlay(tmp_path_factory.mktemp("installed"), below) as root:
        rpm_in(root.tree, "--install", "--nodeps", str(rpms.node.path), str(rpms.server.path))
        yield root


@pytest.fixture
def node(installed: DebianRoot, tmp_path: Path) -> Iterator[DebianRoot]:
    """A copy of that, to change."""
    with overlay(tmp_path / "node", [installed.own, *installed.below]) as root:
        yield root

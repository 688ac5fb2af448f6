# SPDX-License-Identifier: Apache-2.0
"""The packages just built, and a Debian 13 root that has them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.deb.debian_root import REPOSITORY, DebianRoot, clean_root, overlay

BUILD = REPOSITORY / "packaging/deb/build"
_WORD = re.compile(r"[a-z0-9][a-z0-9.+-]+")


@dataclass(frozen=True, slots=True)
class Packages:
    """The files of both packages."""

    node: Path
    server: Path

    @property
    def both(self) -> list[Path]:
        return [self.node, self.server]


def build(target: Path, *, umask: int = -1, **environment: str) -> Packages:
    env = {**os.environ, **environment}
    subprocess.run([str(BUILD), str(target)], check=True, timeout=300, env=env, umask=umask)
    (node,), (server,) = target.glob("puad_*.deb"), target.glob("puad-orchestrator_*.deb")
    return Packages(node, server)


def field(package: Path, name: str) -> str:
    command = ["dpkg-deb", "--field", str(package), name]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


def depends_of(packages: Packages) -> list[str]:
    """The names of what both packages depend on."""
    clauses = [clause for each in packages.both for clause in field(each, "Depends").split(",")]
    return sorted({_WORD.findall(clause)[0] for clause in clauses})


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return build(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def clean(packages: Packages) -> Path:
    """A root without puad, and without what puad depends on."""
    return clean_root(depends_of(packages))


@pytest.fixture(scope="session")
def with_puad(
    packages: Packages, clean: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DebianRoot]:
    """A root with both packages; tests look at it and change nothing."""
    with overlay(tmp_path_factory.mktemp("with-puad"), [clean]) as root:
        root.apt("install", *root.take(packages.both))
        yield root


@pytest.fixture
def copy(with_puad: DebianRoot, tmp_path: Path) -> Iterator[DebianRoot]:
    """A root with both packages, to change."""
    with overlay(tmp_path / "copy", [with_puad.own, *with_puad.below]) as root:
        yield root

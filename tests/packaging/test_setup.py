# SPDX-License-Identifier: Apache-2.0
"""What .ci/setup brings to a machine that has nothing: who builds packages needs no tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.minutes(2)

ROOT = Path(__file__).parents[2]
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/puad-setup.conf")
BUILDING = {"debhelper", "dh-python", "dpkg-dev", "git", "make", "python3", "rpm"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """An empty clone on a machine whose package manager only writes down what it is asked."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/setup", tmp_path / ".ci")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, does in (
        ("dpkg-query", "exit 1"),
        ("apt-get", f'echo "$*" >>{tmp_path / "asked"}'),
        ("sudo", 'exec "$@"'),
    ):
        (tools / name).write_text(f"#!/bin/sh\n{does}\n")
        (tools / name).chmod(0o755)
    return tmp_path


def setup(clone: Path, **switches: str) -> tuple[int, set[str]]:
    """The exit code, and the packages that were asked for."""
    done = subprocess.run(
        [clone / ".ci/setup"],
        env={"PATH": f"{clone / 'tools'}:/usr/bin:/bin", **switches},
        capture_output=True,
        check=False,
        timeout=120,
    )
    install = (clone / "asked").read_text().splitlines()[-1]
    words = install.split("--no-install-recommends ")[1].split()
    return done.returncode, set(words)


def test_setup_for_building_brings_no_test_and_no_environment(clone: Path) -> None:
    assert setup(clone, PUAD_SETUP_ONLY_BUILD="1") == (0, BUILDING)
    assert not (clone / ".venv").exists()


def test_setup_for_the_tests_of_packages_brings_what_builds_them(clone: Path) -> None:
    # without pyproject.toml it ends where it would make the environment
    code, brought = setup(clone, PUAD_SETUP_PACKAGING="1")
    assert code != 0
    assert {"lintian", "rpmlint", "python3-gi"} | BUILDING <= brought


def test_setup_for_the_tests_of_the_server_brings_a_database_that_nobody_starts(
    clone: Path,
) -> None:
    apt = clone / "tools/apt-get"
    apt.write_text(apt.read_text() + f'cat "{NO_CLUSTER}" >>{clone / "seen"} || :\n')
    _, brought = setup(clone, PUAD_SETUP_DATABASE="1")
    assert "postgresql" in brought
    assert "create_main_cluster = false" in (clone / "seen").read_text()
    assert not NO_CLUSTER.exists()
    _, brought = setup(clone)
    assert "postgresql" not in brought


@pytest.mark.parametrize("target", ["deb", "rpm"])
def test_make_of_packages_sets_up_only_for_building(target: str) -> None:
    command = ["make", "--dry-run", "--no-print-directory", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == [
        "PUAD_SETUP_ONLY_BUILD=1 .ci/setup",
        f"packaging/{target}/build",
    ]

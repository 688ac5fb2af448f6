# SPDX-License-Identifier: Apache-2.0
"""The package files themselves: what is in them, that lintian is content, that they are one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packaging.deb.conftest import Packages, build, field
from tests.packaging.deb.debian_root import REPOSITORY

pytestmark = pytest.mark.minutes(2)

Golden = Callable[[str, str], None]
MODULES = {
    "node": ("usr/share/puad/", ("puad", "bootloader")),
    "server": ("usr/share/puad-orchestrator/", ("orchestrator_stub", "puad/core")),
}


def listed(package: Path) -> list[str]:
    """Mode, owner and path of everything in a package, but the files of its modules' folder."""
    listing = subprocess.run(
        ["dpkg-deb", "--contents", str(package)], check=True, capture_output=True, text=True
    ).stdout
    words = [line.split(maxsplit=5) for line in listing.splitlines()]
    return [f"{mode} {owner} {path}" for mode, owner, _, _, _, path in words]


def modules_in(package: Path, folder: str) -> set[str]:
    paths = [line.split(maxsplit=2)[2].removeprefix("./") for line in listed(package)]
    return {path.removeprefix(folder) for path in paths if path.startswith(folder)}


@pytest.mark.parametrize("which", ["node", "server"])
def test_contents_are_the_golden_ones(packages: Packages, golden: Golden, which: str) -> None:
    package: Path = getattr(packages, which)
    modules = MODULES[which][0]
    lines = [line for line in listed(package) if not line.split("./", 1)[1].startswith(modules)]
    golden(f"deb/{field(package, 'Package')}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("which", ["node", "server"])
def test_every_module_is_in_its_package(packages: Packages, which: str) -> None:
    folder, sources = MODULES[which]
    inside = modules_in(getattr(packages, which), folder)
    wanted = {
        str(path.relative_to(REPOSITORY))
        for source in sources
        for path in (REPOSITORY / source).rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".typed"}
    }
    assert wanted - inside == set()
    assert {path for path in inside if path.endswith((".pyc", "__pycache__/"))} == set()


def test_server_package_has_only_the_core_of_the_agent(packages: Packages) -> None:
    inside = modules_in(packages.server, MODULES["server"][0])
    extra = {path for path in inside if path.startswith("puad/") and path.endswith(".py")}
    assert {path for path in extra if not path.startswith("puad/core/")} == {"puad/__init__.py"}


def test_what_may_be_edited_is_a_conffile_and_nothing_else(packages: Packages) -> None:
    def conffiles(package: Path) -> list[str]:
        command = ["dpkg-deb", "--info", str(package), "conffiles"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        return done.stdout.split()

    assert conffiles(packages.node) == ["/etc/puad/config.d/50-local.toml"]
    assert conffiles(packages.server) == [
        "/etc/default/puad-orchestrator",
        "/etc/default/puad-release",
    ]


def test_only_prerm_remove_stops_a_unit_of_a_node(packages: Packages, tmp_path: Path) -> None:
    command = ["dpkg-deb", "--control", str(packages.node), str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    scripts = {name: tmp_path / name for name in ("preinst", "postinst", "prerm", "postrm")}
    stopping = re.compile(r"\b(stop|start|restart|try-restart|kill|disable|isolate)\b.*puad|--now")
    calls = {
        name: [line for line in path.read_text("utf-8").splitlines() if stopping.search(line)]
        for name, path in scripts.items()
        if path.exists()
    }
    assert {name for name, lines in calls.items() if lines} == {"prerm"}
    prerm = scripts["prerm"].read_text("utf-8")
    (guarded,) = re.findall(r'^if \[ "\$1" = remove \](?:.|\n)*?^fi$', prerm, re.MULTILINE)
    assert all(line in guarded for line in calls["prerm"])


def test_building_twice_gives_the_same_bytes(packages: Packages, tmp_path: Path) -> None:
    elsewhere = {"HOME": str(tmp_path), "LC_ALL": "C", "TZ": "Asia/Kolkata", "USER": "nobody"}
    again = build(tmp_path, umask=0o077, **elsewhere)
    for first, second in zip(packages.both, again.both, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_lintian_finds_nothing(packages: Packages) -> None:
    command = ["lintian", "--allow-root", "--fail-on=error,warning", *map(str, packages.both)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_packages_are_small(packages: Packages) -> None:
    for package in packages.both:
        size = package.stat().st_size
        installed_kib = int(field(package, "Installed-Size"))
        assert size < 1 << 20
        assert installed_kib < 4 << 10

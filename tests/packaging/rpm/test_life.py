# SPDX-License-Identifier: Apache-2.0
"""An rpm's life in a Debian 13 that has what it needs: installed, upgraded, removed.

There is no Fedora on the reference host. Debian's systemd and Python are what the scriptlets call;
the names of Fedora's packages are compared with the deb's in test_packages.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.deb.debian_root import DebianRoot
from tests.packaging.rpm.conftest import build, rpm_in

pytestmark = pytest.mark.minutes(2)

STORE = "var/lib/puad/run.json"
LOCAL = "etc/puad/config.d/50-local.toml"


def test_install_makes_users_and_state_folders(installed: DebianRoot) -> None:
    groups = set(installed.run("id", "-nG", "puad").split())
    assert groups == {"puad", "puad-health", "systemd-journal"}
    for folder, owner, mode in (
        ("puad", "puad", 0o751),
        ("puad-health", "puad-health", 0o750),
        ("puad-bootloader", "root", 0o700),
    ):
        seen = (installed.tree / "var/lib" / folder).stat()
        assert seen.st_uid == int(installed.run("id", "-u", owner))
        assert seen.st_mode & 0o7777 == mode
    assert installed.run("id", "-un", "puad-orchestrator") == "puad-orchestrator\n"


def test_install_enables_every_unit_of_the_presets(installed: DebianRoot) -> None:
    presets = (installed.tree / "usr/lib/systemd/system-preset").glob("80-puad*.preset")
    lines = [line for preset in presets for line in preset.read_text("utf-8").splitlines()]
    units = [line.removeprefix("enable ") for line in lines if line.startswith("enable ")]
    assert len(units) > 10
    for unit in units:
        assert installed.call("systemctl", "is-enabled", unit).stdout == "enabled\n", unit


def test_install_leaves_the_publisher_off(installed: DebianRoot) -> None:
    timer = installed.call("systemctl", "is-enabled", "puad-release-publish.timer").stdout
    assert timer == "disabled\n"


def test_install_compiles_the_modules_so_that_equal_images_are_equal(installed: DebianRoot) -> None:
    for folder in ("usr/share/puad", "usr/share/puad-orchestrator"):
        sources = list((installed.tree / folder).rglob("*.py"))
        assert len(sources) > 50
        for source in sources:
            (compiled,) = (source.parent / "__pycache__").glob(f"{source.stem}.cpython-313.pyc")
            # PEP 552: bit 0 says that a hash of the source stands here in place of its date
            assert compiled.read_bytes()[4] & 1, compiled


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (("/usr/bin/puadctl", "--version"), "puadctl "),
        (("/usr/libexec/puad/puad", "--help"), "usage: puad "),
        (("/usr/libexec/puad/puad-bootloader", "--help"), "usage: puad-bootloader "),
        (("/usr/bin/puad-orchestrator", "--help"), "usage: puad-orchestrator "),
        (("/usr/bin/puad-release", "--help"), "usage: puad-release "),
    ],
)
def test_install_leaves_programs_that_start(
    installed: DebianRoot, program: tuple[str, ...], says: str
) -> None:
    assert installed.run(*program).startswith(says)


def test_upgrade_keeps_state_and_configuration_and_forgets_old_modules(
    node: DebianRoot, sources: Path, tmp_path: Path
) -> None:
    (node.tree / LOCAL).write_text("[update]\ntries = 2\n", "utf-8")
    (node.tree / STORE).write_text("{}", "utf-8")
    stale = node.tree / "usr/share/puad/puad/__pycache__/gone.cpython-313.pyc"
    stale.touch()
    node.run("systemctl", "disable", "puad-journal-sync.timer")

    later = build(sources, tmp_path, "--define", "dist .later")
    rpm_in(node.tree, "--upgrade", "--nodeps", str(later.node.path), str(later.server.path))

    listed = rpm_in(node.tree, "--query", "--all")
    assert sorted(listed.split()) == [
        "puad-0.1.0-1.later.noarch",
        "puad-orchestrator-0.1.0-1.later.noarch",
    ]
    assert (node.tree / LOCAL).read_text("utf-8") == "[update]\ntries = 2\n"
    assert (node.tree / STORE).exists()
    assert not stale.exists()
    assert (node.tree / "usr/share/puad/puad/__pycache__").exists()
    timer = node.call("systemctl", "is-enabled", "puad-journal-sync.timer").stdout
    assert timer == "disabled\n", "an upgrade turned on again what somebody turned off"
    assert node.call("systemctl", "is-enabled", "puad.service").stdout == "enabled\n"


def test_remove_leaves_state_and_nothing_else(with_depends: DebianRoot, node: DebianRoot) -> None:
    before = with_depends.files()
    (node.tree / STORE).write_text("{}", "utf-8")
    rpm_in(node.tree, "--erase", "--nodeps", "puad", "puad-orchestrator")
    left = {path for path in node.files() - before if not path.startswith("var/lib/rpm")}
    # users are never deleted: their files may still be somewhere; on Fedora the folder of the
    # licences belongs to a package
    left -= {"etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "usr/share/licenses"}
    assert {path for path in left if not path.startswith("var/lib/puad")} == set()
    assert STORE in left

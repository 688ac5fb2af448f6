# SPDX-License-Identifier: Apache-2.0
"""What Debian 13's systemd says of the units: that they load, their order, and their exposure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.packaging.deb.debian_root import DebianRoot

UNITS = Path("usr/lib/systemd/system")
BOOT = ("multi-user.target", "emergency.target", "rescue.target", "boot-complete.target")
EXPOSURE = {
    "puad.service": 2.0,
    "puad-bootloader.service": 3.0,
    "puad-health.service": 2.5,
    "puad-mark-good.service": 2.0,
    "puad-slots-read-only.service": 3.0,
    "puad-orchestrator.service": 2.0,
    "puad-release-publish.service": 2.0,
}
_LEVEL = re.compile(r"Overall exposure level for (\S+): ([0-9.]+)")
_OF_PUAD = re.compile(r"puad|var-log-journal")


def own_units(root: DebianRoot) -> list[str]:
    units = [path.name for path in (root.tree / UNITS).iterdir() if path.is_file()]
    return sorted(unit for unit in units if _OF_PUAD.search(unit))


def verify(root: DebianRoot) -> str:
    """What `systemd-analyze verify` finds fault with, ordering loops of a boot among it."""
    done = root.call("systemd-analyze", "verify", "--man=no", *BOOT, *own_units(root))
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"({done.returncode})")


def test_units_load_without_a_word(with_puad: DebianRoot) -> None:
    assert len(own_units(with_puad)) > 12
    assert verify(with_puad) == ""


def test_loop_in_the_order_is_found(copy: DebianRoot) -> None:
    drop_in = copy.tree / "etc/systemd/system/puad.service.d/loop.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Unit]\nAfter=boot-complete.target\n", "utf-8")
    assert "ordering cycle" in verify(copy)


def test_key_that_systemd_does_not_know_is_found(copy: DebianRoot) -> None:
    drop_in = copy.tree / "etc/systemd/system/puad.service.d/key.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nProtectEverything=yes\n", "utf-8")
    assert "ProtectEverything" in verify(copy)


def test_exposure_is_within_its_limit(with_puad: DebianRoot) -> None:
    services = {unit for unit in own_units(with_puad) if unit.endswith(".service")}
    seen = {}
    for unit in sorted(services & EXPOSURE.keys()):
        said = with_puad.run("systemd-analyze", "security", "--offline=yes", "--no-pager", unit)
        level = _LEVEL.search(said)
        assert level is not None, said
        seen[level[1]] = float(level[2])
    assert seen.keys() == EXPOSURE.keys()
    assert {unit: level for unit, level in seen.items() if level > EXPOSURE[unit]} == {}


@pytest.mark.parametrize(
    ("unit", "lines"),
    [
        ("puad.service", ["User=puad", "PrivateDevices=yes", "CapabilityBoundingSet="]),
        ("puad-bootloader.service", ["PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX"]),
        ("puad-health.service", ["User=puad-health", "CapabilityBoundingSet="]),
        ("puad-orchestrator.service", ["User=puad-orchestrator", "PrivateDevices=yes"]),
        ("puad-orchestrator.service", ["LimitNOFILE=32768"]),  # it may not ask for them itself
        ("puad-release-publish.service", ["PrivateNetwork=yes", "CapabilityBoundingSet="]),
    ],
)
def test_walls_of_a_service_stand(with_puad: DebianRoot, unit: str, lines: list[str]) -> None:
    text = (with_puad.tree / UNITS / unit).read_text("utf-8").splitlines()
    assert [line for line in lines if line not in text] == []


def requires(root: DebianRoot, unit: str, key: str) -> set[str]:
    text = (root.tree / UNITS / unit).read_text("utf-8")
    lines = [line.partition("=") for line in text.splitlines()]
    return {word for name, _, words in lines if name == key for word in words.split()}


def test_order_of_the_boot_assessment_is_one_chain(with_puad: DebianRoot) -> None:
    health, good = "puad-health.service", "puad-mark-good.service"
    assert {"puad.service", "puad-bootloader.service"} <= requires(with_puad, health, "After")
    assert "boot-complete.target" in requires(with_puad, health, "Before")
    assert "boot-complete.target" in requires(with_puad, good, "Requires")
    assert "boot-complete.target" in requires(with_puad, good, "After")
    etc = with_puad.tree / "etc/systemd/system"
    assert (etc / "boot-complete.target.requires" / health).is_symlink()
    assert (etc / "multi-user.target.wants" / good).is_symlink()


def test_modes_of_state_folders_are_said_alike_twice(with_puad: DebianRoot) -> None:
    text = (with_puad.tree / "usr/lib/tmpfiles.d/puad.conf").read_text("utf-8")
    rows = [line.split() for line in text.splitlines() if line.startswith("d ")]
    modes = {row[1]: row[2] for row in rows}
    for unit in ("puad.service", "puad-health.service", "puad-bootloader.service"):
        (mode,) = requires(with_puad, unit, "StateDirectoryMode")
        for folder in requires(with_puad, unit, "StateDirectory"):
            assert modes[f"/var/lib/{folder}"] == mode


def test_health_process_may_read_the_nodes_own_configuration(copy: DebianRoot) -> None:
    node_d = copy.tree / "var/lib/puad/node.d"
    (node_d / "10-node.toml").write_text('[server]\nurl = "https://example.org"\n', "utf-8")
    read = "/var/lib/puad/node.d/10-node.toml"
    assert "example.org" in copy.run("runuser", "-u", "puad-health", "--", "cat", read)
    names = copy.run("runuser", "-u", "puad-health", "--", "ls", "/var/lib/puad/node.d")
    assert names.split() == ["10-node.toml"]
    (copy.tree / "var/lib/puad/token").write_text("secret", "ascii")
    (copy.tree / "var/lib/puad/token").chmod(0o600)
    done = copy.call("runuser", "-u", "puad-health", "--", "cat", "/var/lib/puad/token")
    assert done.returncode != 0


@pytest.mark.parametrize(
    "unit", ["puad-boot-deadline.timer", "puad-boot-failed.service", "puad-slots-read-only.service"]
)
def test_unit_that_must_run_before_the_system_is_up_waits_for_none(
    with_puad: DebianRoot, unit: str
) -> None:
    assert requires(with_puad, unit, "DefaultDependencies") == {"no"}
    after = requires(with_puad, unit, "After")
    assert not {name for name in after if name.endswith(".target")}


@pytest.mark.parametrize("unit", ["emergency.service", "rescue.service"])
def test_shell_of_a_failed_boot_is_preceded_by_the_way_back(
    with_puad: DebianRoot, unit: str
) -> None:
    said = with_puad.run("systemd-analyze", "cat-config", f"systemd/system/{unit}")
    before = [line for line in said.splitlines() if line.startswith("ExecStartPre=")]
    assert before[-1].startswith("ExecStartPre=-/usr/libexec/puad/puad-boot-failed")


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ("systemd/system.conf", "RuntimeWatchdogSec=30s"),
        ("systemd/journald.conf", "Storage=persistent"),
        ("systemd/pstore.conf", "Storage=journal"),
    ],
)
def test_drop_in_of_systemd_holds(with_puad: DebianRoot, config: str, line: str) -> None:
    assert line in with_puad.run("systemd-analyze", "cat-config", config).splitlines()

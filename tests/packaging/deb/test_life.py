# SPDX-License-Identifier: Apache-2.0
"""A package's life in a clean Debian 13: installed, upgraded, removed, purged."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.packaging.deb.conftest import Packages, depends_of, field
from tests.packaging.deb.debian_root import REPOSITORY, DebianRoot, overlay

pytestmark = pytest.mark.minutes(3)

STORE = "var/lib/puad/run.json"
UNITS = "usr/lib/systemd/system"
ASK = """
import fcntl, json, socket, struct, subprocess, sys, urllib.request

with socket.socket() as any_socket:  # a network namespace begins with its loopback down
    up = struct.pack("16sh22x", b"lo", 1)  # IFF_UP
    fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS
command = ["puad-orchestrator", "serve", "--plain-http", "--port", "0", "--json"]
user = {"user": "puad-orchestrator", "group": "puad-orchestrator", "extra_groups": []}
server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **user)
url = json.loads(server.stdout.readline())["url"]
said = {}
for path in sys.argv[1:]:
    with urllib.request.urlopen(url + path, timeout=300) as answer:
        said[path] = answer.status, answer.read().decode()
server.terminate()
assert server.wait(300) == 0
print(json.dumps(said))
"""


def version_with(package: Path, suffix: str, folder: Path) -> Path:
    """The same package under a later version."""
    tree, made = folder / "later", folder / package.name
    folder.mkdir(exist_ok=True)
    subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], check=True, timeout=60)
    control = tree / "DEBIAN/control"
    lines = control.read_text("utf-8").splitlines()
    lines = [line + suffix if line.startswith("Version: ") else line for line in lines]
    control.write_text("\n".join(lines) + "\n", "utf-8")
    subprocess.run(["dpkg-deb", "-b", str(tree), str(made)], check=True, timeout=60)
    return made


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (("/usr/bin/puadctl", "--version"), "puadctl "),
        (("/usr/libexec/puad/puad", "--version"), "puad "),
        (("/usr/libexec/puad/puad-health", "--version"), "puad-health "),
        (("/usr/libexec/puad/puad-bootloader", "--version"), "puad-bootloader "),
        (("/usr/libexec/puad/puad-boot-failed", "--version"), "puad-boot-failed "),
        (("/usr/libexec/puad/puad-slots-read-only", "--version"), "puad-slots-read-only "),
        (("/usr/sbin/puad-provision", "--help"), "usage: puad-provision "),
        (("/usr/bin/puad-orchestrator", "--version"), "puad-orchestrator "),
        (("/usr/bin/puad-release", "--version"), "puad-release "),
    ],
)
def test_program_starts_with_what_the_package_depends_on(
    with_puad: DebianRoot, program: tuple[str, ...], says: str
) -> None:
    assert with_puad.run(*program).startswith(says)


@pytest.mark.parametrize("which", ["node", "server"])
@pytest.mark.parametrize("kind", ["Recommends", "Suggests"])
def test_what_is_recommended_is_there_to_install(
    packages: Packages, with_puad: DebianRoot, which: str, kind: str
) -> None:
    clauses = field(getattr(packages, which), kind).split(",")
    names = [clause.split("|")[0].strip() for clause in clauses]
    assert [name for name in names if with_puad.call("apt-cache", "show", name).returncode] == []


def test_installed_modules_are_compiled(with_puad: DebianRoot) -> None:
    for folder in ("usr/share/puad", "usr/share/puad-orchestrator"):
        sources = list((with_puad.tree / folder).rglob("*.py"))
        assert len(sources) > 50
        for source in sources:
            compiled = list((source.parent / "__pycache__").glob(f"{source.stem}.cpython-313.pyc"))
            assert compiled, f"{source} is not compiled"


def test_installed_users_are_the_services(with_puad: DebianRoot) -> None:
    assert set(with_puad.run("id", "-nG", "puad").split()) == {
        "puad",
        "puad-health",
        "systemd-journal",
    }
    assert with_puad.run("id", "-nG", "puad-health").split() == ["puad-health"]
    assert with_puad.run("id", "-nG", "puad-orchestrator").split() == ["puad-orchestrator"]


@pytest.mark.parametrize(
    ("folder", "owner", "mode"),
    [
        ("var/lib/puad", "puad", 0o751),
        ("var/lib/puad/node.d", "puad", 0o755),
        ("var/lib/puad-health", "puad-health", 0o750),
        ("var/lib/puad-bootloader", "root", 0o700),
        ("var/lib/puad-orchestrator", "puad-orchestrator", 0o700),
    ],
)
def test_installed_state_folders_have_their_owners(
    with_puad: DebianRoot, folder: str, owner: str, mode: int
) -> None:
    seen = (with_puad.tree / folder).stat()
    assert seen.st_uid == int(with_puad.run("id", "-u", owner))
    assert seen.st_mode & 0o7777 == mode


def test_every_unit_of_the_presets_is_enabled(with_puad: DebianRoot) -> None:
    presets = (with_puad.tree / "usr/lib/systemd/system-preset").glob("80-puad*.preset")
    lines = [line for preset in presets for line in preset.read_text("utf-8").splitlines()]
    units = [line.removeprefix("enable ") for line in lines if line.startswith("enable ")]
    assert len(units) > 10
    for unit in units:
        assert with_puad.call("systemctl", "is-enabled", unit).stdout == "enabled\n", unit


def test_orchestrator_can_be_set_up_as_its_readme_says(copy: DebianRoot) -> None:
    as_user = ("runuser", "-u", "puad-orchestrator", "--", "puad-orchestrator")
    condition = copy.tree / "var/lib/puad-orchestrator/secret.key"
    assert not condition.exists()
    copy.run(*as_user, "init")
    guid = "6f1c1a52-0a4e-4f0a-8a39-3f3f3a1f0001"
    said = copy.run(*as_user, "enrol", "edge-7", "--guid", guid, "--profile", "edge", "--json")
    assert json.loads(said)["guid"] == guid
    unit = copy.tree / "usr/lib/systemd/system/puad-orchestrator.service"
    assert f"ConditionPathExists=/{condition.relative_to(copy.tree)}" in unit.read_text("utf-8")


def test_orchestrator_serves_with_the_libraries_of_debian(copy: DebianRoot) -> None:
    copy.run("runuser", "-u", "puad-orchestrator", "--", "puad-orchestrator", "init")
    (copy.tree / "tmp/ask.py").write_text(ASK, "utf-8")
    paths = ("healthz", "readyz", "login", "static/style.css", "static/live.js", "openapi.json")
    said = json.loads(copy.run("/usr/bin/python3", "/tmp/ask.py", *paths))
    assert {path: status for path, (status, _) in said.items()} == dict.fromkeys(paths, 200)
    assert "<form" in said["login"][1]
    schema = (REPOSITORY / "docs/openapi.json").read_text("utf-8")
    assert json.loads(said["openapi.json"][1])["paths"].keys() == json.loads(schema)["paths"].keys()


def test_release_can_be_published(copy: DebianRoot) -> None:
    (copy.tree / "tmp/root.raw").write_bytes(os.urandom(3 << 20))
    where = ("--repo", "/srv/release", "--keys", "/root/keys")
    copy.run("puad-release", "init", *where)
    image = ("/tmp/root.raw", "--profile", "edge", "--version", "1.0")
    (copy.tree / "tmp/linux").write_bytes(b"kernel")
    copy.run("puad-release", "add", *image, "--linux", "/tmp/linux", *where)
    copy.run("puad-release", "publish", *where)
    assert (copy.tree / "srv/release/metadata/timestamp.json").exists()


def test_publisher_is_off_and_does_what_its_environment_file_says(copy: DebianRoot) -> None:
    timer = copy.call("systemctl", "is-enabled", "puad-release-publish.timer").stdout
    assert timer == "disabled\n"
    said = (copy.tree / "etc/default/puad-release").read_text("utf-8")
    unit = (copy.tree / UNITS / "puad-release-publish.service").read_text("utf-8")
    (command,) = re.findall(r"^ExecStart=(.*)", unit, re.MULTILINE)
    repo, keys = re.findall(r"^PUAD_RELEASE_(?:REPO|KEYS)=(.*)", said, re.MULTILINE)
    copy.run("puad-release", "init", "--repo", repo, "--keys", keys)
    done = copy.run("sh", "-euc", f". /etc/default/puad-release; {command} --refresh")
    assert "timestamp" in done


def test_upgrade_keeps_state_and_the_integrators_configuration(
    copy: DebianRoot, packages: Packages, tmp_path: Path
) -> None:
    local = copy.tree / "etc/puad/config.d/50-local.toml"
    local.write_text("[update]\ntries = 2\n", "utf-8")
    image = copy.tree / "usr/lib/puad/config.d/20-image.toml"
    image.write_text("[update]\ntries = 4\n", "utf-8")
    (copy.tree / STORE).write_text("{}", "utf-8")
    copy.run("systemctl", "disable", "puad-journal-sync.timer")

    later = version_with(packages.node, "+later", tmp_path)
    copy.apt("install", *copy.take([later]))

    assert copy.run("dpkg-query", "-W", "-f", "${Version}", "puad").endswith("+later")
    assert local.read_text("utf-8") == "[update]\ntries = 2\n"
    assert image.exists()
    assert (copy.tree / STORE).exists()
    timer = copy.call("systemctl", "is-enabled", "puad-journal-sync.timer").stdout
    assert timer == "disabled\n", "an upgrade turned on again what somebody turned off"
    assert copy.run("puadctl", "--version")


def record_stops_and_starts(root: DebianRoot) -> Path:
    """Let systemd seem to run in a root; the file where what units are asked for is written."""
    record = root.tree / "tmp/asked"
    record.touch()
    (root.tree / "run/systemd/system").mkdir(parents=True)
    for name in ("deb-systemd-invoke", "systemctl"):
        tool = root.tree / "usr/bin" / name
        tool.unlink()
        tool.write_text(f'#!/bin/sh\necho "{name} $*" >>/tmp/asked\n', "ascii")
        tool.chmod(0o755)
    return record


def test_upgrade_stops_no_unit_of_a_node_and_restarts_the_server(
    copy: DebianRoot, packages: Packages, tmp_path: Path
) -> None:
    asked = record_stops_and_starts(copy)
    later = [version_with(each, "+later", tmp_path / each.stem) for each in packages.both]
    copy.apt("install", *copy.take(later))
    said = asked.read_text("ascii").splitlines()
    # Debian's own triggers reload as well
    said = sorted({line for line in said if "daemon-reload" not in line})
    assert said == ["deb-systemd-invoke restart puad-orchestrator.service"]


def test_remove_stops_the_services_of_a_node_and_no_mount(copy: DebianRoot) -> None:
    asked = record_stops_and_starts(copy)
    copy.apt("remove", "puad")
    (stop,) = [line for line in asked.read_text("ascii").splitlines() if " stop " in line]
    assert {"puad.service", "puad-bootloader.service"} <= set(stop.split())
    assert ".mount" not in stop


@pytest.mark.parametrize("package", ["puad", "puad-orchestrator"])
def test_purge_of_another_root_leaves_this_one_be(copy: DebianRoot, package: str) -> None:
    other = copy.tree / "tmp/other"
    folders = [f"var/lib/{package}"]
    folders += ["var/lib/puad-health", "var/lib/puad-bootloader"] if package == "puad" else []
    for folder in folders:
        for root in (copy.tree, other):
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / "kept").touch()
    copy.run("env", "DPKG_ROOT=/tmp/other", f"/var/lib/dpkg/info/{package}.postrm", "purge")
    assert [(other / folder).exists() for folder in folders] == [False] * len(folders)
    assert all((copy.tree / folder / "kept").exists() for folder in folders)


def test_remove_keeps_state_and_configuration(copy: DebianRoot) -> None:
    (copy.tree / STORE).write_text("{}", "utf-8")
    copy.apt("remove", "puad")
    assert (copy.tree / STORE).exists()
    assert (copy.tree / "etc/puad/config.d/50-local.toml").exists()
    assert not (copy.tree / "usr/share/puad").exists(), "compiled modules were left behind"
    assert not (copy.tree / "usr/libexec/puad").exists()


def test_purge_leaves_nothing_behind(clean: Path, packages: Packages, tmp_path: Path) -> None:
    with overlay(tmp_path / "root", [clean]) as root:
        root.apt("install", *depends_of(packages))
        before = root.files()
        root.apt("install", *root.take(packages.both))
        assert "usr/share/puad" in root.files()
        (root.tree / STORE).write_text("{}", "utf-8")
        root.apt("purge", "puad", "puad-orchestrator")
        left = root.files() - before
    # users are never deleted: their files may still be somewhere
    assert left <= {"etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-"}


def test_purge_on_a_node_empties_what_is_mounted(copy: DebianRoot) -> None:
    store = copy.tree / STORE
    store.write_text("{}", "utf-8")
    mounted = copy.tree / "mnt"
    subprocess.run(["mount", "--bind", str(mounted), str(store.parent)], check=True, timeout=60)
    try:
        (store.parent / "run.json").write_text("{}", "utf-8")
        copy.apt("purge", "puad")
        assert list(mounted.iterdir()) == []
    finally:
        subprocess.run(["umount", str(copy.tree / "var/lib/puad")], check=True, timeout=60)

# SPDX-License-Identifier: Apache-2.0
"""The rpm files themselves: what they hold, need and say, and that they are like the debs."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import puad
from tests.packaging.deb.conftest import Packages, field
from tests.packaging.deb.debian_root import REPOSITORY
from tests.packaging.manual_page import FOLDER as MANUAL
from tests.packaging.rpm.conftest import BUILT_AT, Rpm, Rpms, Unpack, build

pytestmark = pytest.mark.minutes(2)

BOTH = ("node", "server")
SPEC = REPOSITORY / "packaging/rpm/puad.spec"

# What Debian and Fedora keep in different places, and nothing else.
ONLY_RPM = re.compile(r"usr/share/licenses/")
ONLY_DEB = re.compile(
    r"usr/share/doc/[^/]+(/(changelog|copyright|README)[^/]*)?$|usr/share/python3/runtime\.d/"
)

# Debian's names of what Fedora calls otherwise; an empty one is part of what is required anyway.
FEDORA = {
    "gir1.2-glib-2.0": "",
    "python3:any": "",
    "python3-argon2": "python3-argon2-cffi",
    "python3-gi": "python3-gobject-base",
    "python3-prometheus-client": "python3-prometheus_client",
    "python3-yaml": "python3-pyyaml",
    "udev": "systemd-udev",
}


def files(tree: Path) -> dict[str, Path]:
    """What lies in a tree, but the folders that lead there and belong to the system."""
    paths = {str(path.relative_to(tree)): path for path in tree.rglob("*")}
    return {name: path for name, path in paths.items() if "puad" in name or not path.is_dir()}


def content(path: Path) -> bytes:
    """What a file says: Debian's gzip and ours need not be the same program."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


@pytest.mark.parametrize("which", BOTH)
def test_payload_is_that_of_the_deb(unpack: Unpack, which: str) -> None:
    ours, theirs = (files(tree) for tree in unpack(which))
    ours = {name: path for name, path in ours.items() if not name.startswith("var/lib/rpm/")}
    assert {name for name in ours.keys() - theirs.keys() if not ONLY_RPM.match(name)} == set()
    assert {name for name in theirs.keys() - ours.keys() if not ONLY_DEB.match(name)} == set()
    both = ours.keys() & theirs.keys()
    assert len(both) > 80
    for name in both:
        mine, other = ours[name], theirs[name]
        assert mine.lstat().st_mode == other.lstat().st_mode, name
        if mine.is_file():
            assert content(mine) == content(other), name


@pytest.mark.parametrize(
    ("which", "package", "names"),
    [
        ("node", "puad", ("boot-control.md", "packages.md")),
        ("server", "puad-orchestrator", ("orchestrator.md", "releases.md", "rollouts.md")),
    ],
)
def test_payload_has_the_documents_of_integrators(
    unpack: Unpack, which: str, package: str, names: tuple[str, ...]
) -> None:
    for tree in unpack(which):
        for name in names:
            packed = tree / "usr/share/doc" / package / name
            assert packed.read_bytes() == (REPOSITORY / "docs" / name).read_bytes()


@pytest.mark.parametrize("which", BOTH)
def test_payload_belongs_to_root_and_is_writable_for_nobody_else(rpms: Rpms, which: str) -> None:
    rpm: Rpm = getattr(rpms, which)
    for line in rpm.lines("[%{FILEUSERNAME} %{FILEGROUPNAME} %{FILEMODES:perms} %{FILENAMES}\\n]"):
        user, group, mode, name = line.split(" ", 3)
        assert (user, group) == ("root", "root"), name
        assert mode in {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"}, name


@pytest.mark.parametrize("which", BOTH)
def test_payload_takes_no_folder_of_other_packages(rpms: Rpms, which: str) -> None:
    rpm: Rpm = getattr(rpms, which)
    for line in rpm.lines("[%{FILEMODES:perms} %{FILENAMES}\\n]"):
        mode, name = line.split(" ", 1)
        if mode.startswith("d"):
            assert "puad" in name or re.fullmatch(r"/usr/lib/systemd/(.*)\.d", name), name


@pytest.mark.parametrize("which", BOTH)
def test_payload_has_the_sources_of_python_and_nothing_compiled(rpms: Rpms, which: str) -> None:
    names = getattr(rpms, which).lines("[%{FILENAMES}\\n]")
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    folder = "/usr/share/puad/" if which == "node" else "/usr/share/puad-orchestrator/"
    assert len([name for name in names if name.startswith(folder)]) > 60


def test_payload_configuration_files_are_those_below_etc(rpms: Rpms) -> None:
    for rpm in (rpms.node, rpms.server):
        entries = rpm.lines("[%{FILEMODES:perms} %{FILEFLAGS:fflags} %{FILENAMES}\\n]")
        for mode, flags, name in (line.split(" ", 2) for line in entries):
            wanted = "cn" if name.startswith("/etc/") and mode.startswith("-") else None
            assert (flags if "c" in flags else None) == wanted, name


def test_every_program_has_a_manual_page(rpms: Rpms) -> None:
    pages = {page.name.rpartition(".")[0] for page in MANUAL.iterdir()}
    names = [*rpms.node.lines("[%{FILENAMES}\\n]"), *rpms.server.lines("[%{FILENAMES}\\n]")]
    programs = {Path(name).name for name in names if re.match(r"/usr/s?bin/", name)}
    assert programs <= pages
    packed = {Path(name).name for name in names if name.startswith("/usr/share/man/man")}
    assert packed == {f"{page.name}.gz" for page in MANUAL.iterdir()}


@pytest.mark.parametrize("which", BOTH)
def test_requires_are_those_of_the_deb_under_fedoras_names(
    rpms: Rpms, debs: Packages, which: str
) -> None:
    wanted: dict[str, str] = {}
    for clause in field(getattr(debs, which), "Depends").split(","):
        found = re.match(r"\s*([a-z0-9.:+-]+)(?: \(>= ([0-9.]+))?", clause)
        assert found, clause
        fedora = FEDORA.get(found[1], found[1])
        if fedora:
            wanted[fedora] = found[2] or wanted.get(fedora, "")
    rpm: Rpm = getattr(rpms, which)
    listed = rpm.lines("[%{REQUIREFLAGS:deptype} %{REQUIRENAME} %{REQUIREVERSION}\\n]")
    # the others are what the scriptlets need, and what rpm adds by itself
    named = dict(line.split(" ")[1:] for line in listed if line.startswith("manual "))
    assert named.pop("python3") == "3.11"
    assert named == wanted


@pytest.mark.parametrize("which", BOTH)
def test_requires_of_scriptlets_bring_what_they_call(rpms: Rpms, which: str) -> None:
    brings = {"find": "findutils", "python3": "python3", "systemctl": "systemd"}
    rpm: Rpm = getattr(rpms, which)
    types = {"POSTIN": "post", "PREUN": "preun", "POSTUN": "postun"}
    listed = rpm.lines("[%{REQUIREFLAGS:deptype} %{REQUIRENAME}\\n]")
    for name, code in rpm.scriptlets().items():
        for tool, package in brings.items():
            if re.search(rf"^\s*{tool}\b", code, re.MULTILINE):
                assert f"{types[name]} {package}" in listed


@pytest.mark.parametrize("which", BOTH)
def test_scriptlets_are_valid_shell_and_never_fail(rpms: Rpms, which: str) -> None:
    scriptlets = getattr(rpms, which).scriptlets()
    assert set(scriptlets) == {"POSTIN", "PREUN", "POSTUN"}
    for code in scriptlets.values():
        checked = subprocess.run(
            ["shellcheck", "--shell=sh", "-"],
            input=code,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout
        assert "%" not in code, "a macro that was not expanded"


@pytest.mark.parametrize(("which", "name"), [("node", "puad"), ("server", "puad-orchestrator")])
def test_scriptlets_name_every_unit_of_the_presets(rpms: Rpms, which: str, name: str) -> None:
    preset = (REPOSITORY / f"systemd/system-preset/80-{name}.preset").read_text("utf-8")
    units = set(re.findall(r"^(?:en|dis)able (\S+)", preset, re.MULTILINE))
    scriptlets = getattr(rpms, which).scriptlets()
    for scriptlet, verb in (("POSTIN", "preset"), ("PREUN", "disable")):
        calls = re.findall(rf"{verb} (?:--now )?(.*) \|\| :", scriptlets[scriptlet])
        assert {word.strip("'") for call in calls for word in call.split()} == units


def test_scriptlets_of_a_node_start_and_restart_nothing(rpms: Rpms) -> None:
    code = "\n".join(rpms.node.scriptlets().values())
    assert not re.search(r"systemctl .*\b(re)?start\b", code)
    assert not re.search(r"--now.*\.mount", code)


@pytest.mark.parametrize("which", BOTH)
def test_scriptlets_stop_only_what_is_removed(rpms: Rpms, which: str) -> None:
    scriptlets = getattr(rpms, which).scriptlets()
    stopping = {name for name, code in scriptlets.items() if re.search(r"--now|\bstop\b", code)}
    assert stopping == {"PREUN"}
    # rpm says 0 for the last version that goes, 1 for the old one of an upgrade
    for block in re.split(r"^(?=if )", scriptlets["PREUN"], flags=re.MULTILINE):
        assert "systemctl" not in block or block.startswith('if [ "$1" = 0 ]'), block


@pytest.mark.parametrize("which", BOTH)
def test_scriptlets_delete_no_state(rpms: Rpms, which: str) -> None:
    assert "/var/lib" not in "".join(
        line
        for code in getattr(rpms, which).scriptlets().values()
        for line in code.splitlines()
        if not line.startswith("#")
    )


@pytest.mark.parametrize("which", BOTH)
def test_header_says_what_it_is(rpms: Rpms, debs: Packages, which: str) -> None:
    rpm: Rpm = getattr(rpms, which)
    deb = getattr(debs, which)
    form = "%{NAME} %{VERSION} %{ARCH} %{LICENSE} %{BUILDHOST}"
    name, version = field(deb, "Package"), puad.__version__
    assert rpm.query("--queryformat", form) == f"{name} {version} noarch Apache-2.0 reproducible"
    assert field(deb, "Version") == version
    built_at = {str(BUILT_AT)}
    assert set(rpm.lines("%{BUILDTIME}\\n")) == built_at
    assert set(rpm.lines("[%{FILEMTIMES}\\n]")) == built_at


def test_rpmlint_finds_nothing(rpms: Rpms) -> None:
    config = REPOSITORY / "packaging/rpm/rpmlint.toml"
    linted = subprocess.run(
        ["rpmlint", "--config", config, rpms.node.path, rpms.server.path, SPEC],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout
    assert "3 specfiles checked; 0 errors, 0 warnings" in linted.stdout.replace(
        "2 packages and 1", "3"
    ), linted.stdout


def test_rpmlint_is_asked_with_a_reason_for_each_filter() -> None:
    text = (REPOSITORY / "packaging/rpm/rpmlint.toml").read_text("utf-8")
    filters = text[text.index("Filters") :].splitlines()[1:-1]
    groups = "\n".join(filters).split("  # ")
    assert groups[0].strip() == ""
    assert all('"' in group for group in groups[1:])


def test_build_twice_gives_the_same_bytes(rpms: Rpms, sources: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(sources, tmp_path / "elsewhere")
    for path in elsewhere.rglob("*.py"):
        os.utime(path, (BUILT_AT - 1000, BUILT_AT + 1000))
    again = build(elsewhere, tmp_path / "again")
    assert again.node.path.read_bytes() == rpms.node.path.read_bytes()
    assert again.server.path.read_bytes() == rpms.server.path.read_bytes()


def test_build_scripts_shellcheck_finds_nothing() -> None:
    folder = REPOSITORY / "packaging/rpm"
    checked = subprocess.run(
        ["shellcheck", folder / "build", folder / "payload"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (checked.returncode, checked.stdout) == (0, "")

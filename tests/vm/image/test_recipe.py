# SPDX-License-Identifier: Apache-2.0
"""The recipe gives equal bytes for equal inputs, and each variant what it says."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.demo.layout import REPOSITORY
from tests.vm.image import recipe, tree
from tests.vm.image.layout import CACHE
from tests.vm.image.recipe import Spec, build
from tests.vm.image.toolbox import in_toolbox
from tests.vm.image.uki import make_uki


@pytest.fixture(scope="session")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deb")
    subprocess.run([REPOSITORY / "packaging/deb/build", folder], check=True)
    (built,) = folder.glob("puad_*.deb")
    return built


def built_anew(spec: Spec, folder: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The hash of the root, with nothing but the base from the cache."""
    folder.mkdir()
    monkeypatch.setattr(tree, "CACHE", folder)
    monkeypatch.setattr(recipe, "CACHE", folder)
    return hashlib.sha256(build(spec).root.read_bytes()).digest()


def test_image_built_twice_has_the_same_bytes(
    deb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = Spec("1.0", "required-probe-fails", deb, settings="[update]\ntries = 1\n")
    first = built_anew(spec, tmp_path / "first", monkeypatch)
    assert built_anew(spec, tmp_path / "second", monkeypatch) == first


@pytest.mark.parametrize("name", ["good", "wrong-version", "wrong-profile"])
def test_image_says_in_os_release_what_its_variant_wants(name: str) -> None:
    image = build(Spec("1.7", name))
    command: list[str | Path] = ["dump.erofs", "--cat", "--path=/usr/lib/os-release", image.root]
    text = in_toolbox(command, [image.root.parent])
    version = "99.9" if name == "wrong-version" else "1.7"
    profile = "other" if name == "wrong-profile" else "edge"
    assert f"IMAGE_ID={profile}\nIMAGE_VERSION={version}\nVARIANT_ID={name}\n" in text


def test_fault_of_the_initrd_is_laid_behind_the_good_one() -> None:
    good, bad = build(Spec("1.7")), build(Spec("1.7", "kernel-panic"))
    data = bad.initrd.read_bytes()
    assert data.startswith(good.initrd.read_bytes())
    more = gzip.decompress(data[-(len(data) - good.initrd.stat().st_size) :].lstrip(b"\0"))
    assert b"scripts/init-premount/ORDER\0" in more
    assert b"sysrq-trigger" in more


def test_uki_has_its_command_line_and_the_same_bytes_twice() -> None:
    image = build(Spec("1.7"))
    uki = make_uki(image, "root=PARTUUID=deadbeef ro")
    first = uki.read_bytes()
    assert b"root=PARTUUID=deadbeef ro" in first
    uki.unlink()
    assert make_uki(image, "root=PARTUUID=deadbeef ro").read_bytes() == first
    assert uki.parent == CACHE

# SPDX-License-Identifier: Apache-2.0
"""What the documents tell an integrator to write is what the programs take."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from bootloader import config, slot_entry
from bootloader.provision.layout import Ids
from tests.unit.bootloader.provision.given import SHIPPED

ROOT = SHIPPED.parents[1]
DOCUMENT = (ROOT / "docs/boot-control.md").read_text()
TEMPLATES = [
    block
    for block in re.findall(r"^```toml\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    if "command_line" in block
]
NEEDED = ("root=PARTUUID=", "ro", "panic=10", "gpt", "systemd.gpt_auto=no", "puad.slot=a")


def settings(folder: Path, text: str) -> config.Settings:
    path = folder / "bootloader.toml"
    path.write_text(text)
    return config.load(path)


@pytest.mark.parametrize(
    "text", [*TEMPLATES, (ROOT / "packaging/config/bootloader.toml").read_text()]
)
def test_template_of_a_document_has_what_every_node_needs(tmp_path: Path, text: str) -> None:
    given = settings(tmp_path, text)
    boot = given.backend.table
    assert isinstance(boot, dict)
    mount_point = boot.get("boot") or boot["esp"]
    line = Ids.from_seed(uuid.UUID(int=1)).command_line(given.general.command_line)
    for needed in (*NEEDED, ":/persist:ext4:", f":{mount_point}:vfat:"):
        assert any(needed in word for word in line.split()), needed


def test_documents_have_a_template_for_each_boot_loader_that_the_package_has_none_for(
    tmp_path: Path,
) -> None:
    names = [settings(tmp_path, text).general.backend for text in TEMPLATES]
    assert names == ["grub", "u-boot"]


def test_first_entry_that_is_made_by_hand_is_one_that_boots() -> None:
    found = re.search(
        r'python3 - "\$line" .*?<<\'END\'\n(.*?)^END', DOCUMENT, re.MULTILINE | re.DOTALL
    )
    assert found
    made = subprocess.run(
        [sys.executable, "-", "root=PARTUUID=x ro puad.slot=a"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        input=found[1].encode(),
        capture_output=True,
        check=True,
    )
    entry = slot_entry.decode(made.stdout)
    assert entry
    assert (entry.is_good, sorted(entry.kinds)) == (True, ["initrd", "linux"])
    assert entry.command_line == "root=PARTUUID=x ro puad.slot=a"

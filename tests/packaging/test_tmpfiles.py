# SPDX-License-Identifier: Apache-2.0
"""What tmpfiles.d makes of state that was left by an image with other user numbers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SHIPPED = Path(__file__).parents[2] / "systemd/tmpfiles.d/puad.conf"
AGENT, HEALTH, FORMER = 990, 991, 980
PASSWD = f"""\
root:x:0:0::/root:/bin/sh
puad:x:{AGENT}:{AGENT}::/var/lib/puad:/bin/sh
puad-health:x:{HEALTH}:{HEALTH}::/var/lib/puad-health:/bin/sh
"""
GROUP = f"root:x:0:\npuad:x:{AGENT}:\npuad-health:x:{HEALTH}:puad\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(PASSWD)
    (tmp_path / "etc/group").write_text(GROUP)
    (tmp_path / "var/lib").mkdir(parents=True)
    return tmp_path


def create(root: Path) -> None:
    command: list[str | Path] = ["/usr/bin/systemd-tmpfiles", "--create", f"--root={root}", SHIPPED]
    subprocess.run(command, check=True)


def owner(root: Path, name: str) -> int:
    return (root / "var/lib" / name).stat().st_uid


def test_tmpfiles_of_an_empty_var_belong_to_their_users(root: Path) -> None:
    create(root)
    assert owner(root, "puad") == owner(root, "puad/node.d") == AGENT
    assert owner(root, "puad-health") == HEALTH
    assert owner(root, "puad-bootloader") == 0


def test_tmpfiles_leave_the_agents_store_for_state_directory_to_take_over(root: Path) -> None:
    # systemd looks at the folder alone: the right owner there would keep the wrong ones below
    node_d = root / "var/lib/puad/node.d"
    node_d.mkdir(parents=True)
    for path in (node_d, node_d.parent):
        os.chown(path, FORMER, FORMER)
    create(root)
    assert owner(root, "puad") == owner(root, "puad/node.d") == FORMER


def test_tmpfiles_give_the_verdict_of_another_image_to_the_health_user(root: Path) -> None:
    folder = root / "var/lib/puad-health"
    folder.mkdir()
    secret = root / "etc/secret"
    secret.write_text("root's")
    (folder / "verdict.json").write_text("{}")
    (folder / "link").symlink_to(secret)
    for name in (".", "verdict.json", "link"):
        os.chown(folder / name, FORMER, FORMER, follow_symlinks=False)
    create(root)
    assert owner(root, "puad-health") == owner(root, "puad-health/verdict.json") == HEALTH
    assert secret.stat().st_uid == 0

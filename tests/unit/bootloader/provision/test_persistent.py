# SPDX-License-Identifier: Apache-2.0
"""The persistent partition's first contents."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bootloader.config import General
from bootloader.provision.node_files import NodeFiles
from bootloader.provision.persistent import lay_persistent
from bootloader.provision.refusal import ProvisionError

PASSWD = "root:x:0:0:root:/root:/bin/sh\npuad:x:971:972::/:/x\npuad-health:x:973:974::/:/x\n"
GENERAL = General("systemd-boot")


@pytest.fixture
def passwd(tmp_path: Path) -> Path:
    path = tmp_path / "passwd"
    path.write_text(PASSWD)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = tmp_path / "tree"
    path.mkdir()
    return path


def seen(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


def test_folders_belong_to_whom_the_image_says(tree: Path, passwd: Path) -> None:
    lay_persistent(tree, NodeFiles(), passwd, GENERAL)
    assert seen(tree / "var/lib/puad") == (971, 972, 0o751)
    assert seen(tree / "var/lib/puad/node.d") == (971, 972, 0o755)
    assert seen(tree / "var/lib/puad-health") == (973, 974, 0o750)
    assert seen(tree / "var/lib/puad-bootloader") == (0, 0, 0o700)
    assert seen(tree / "var/log/journal") == (0, 0, 0o755)
    assert seen(tree / "ssh") == (0, 0, 0o700)


def test_users_and_folder_of_boot_control_are_those_of_its_configuration(
    tree: Path, passwd: Path, tmp_path: Path
) -> None:
    passwd.write_text(PASSWD.replace("puad", "agent"))
    general = General(
        "grub", user="agent", health_user="agent-health", state=Path("/var/lib/boot/control")
    )
    token = tmp_path / "token"
    token.write_text("word\n")
    lay_persistent(tree, NodeFiles(token=token), passwd, general)
    assert seen(tree / "var/lib/puad/token") == (971, 972, 0o600)
    assert seen(tree / "var/lib/puad-health") == (973, 974, 0o750)
    assert seen(tree / "var/lib/boot/control") == (0, 0, 0o700)
    assert not (tree / "var/lib/puad-bootloader").exists()


def test_node_files_lie_where_the_agent_looks_and_the_token_is_secret(
    tree: Path, passwd: Path, tmp_path: Path
) -> None:
    given = NodeFiles(*(tmp_path / name for name in ("config", "token", "ca")))
    for path, _, _ in given.placed():
        path.write_text(f"{path.name}\n")
    lay_persistent(tree, given, passwd, GENERAL)
    store = tree / "var/lib/puad"
    assert (store / "node.d/10-node.toml").read_text() == "config\n"
    assert (store / "ca.crt").read_text() == "ca\n"
    assert seen(store / "token") == (971, 972, 0o600)


def test_user_that_the_image_lacks_is_named(tree: Path, passwd: Path) -> None:
    passwd.write_text("root:x:0:0:root:/root:/bin/sh\n")
    with pytest.raises(ProvisionError, match="there is no user puad") as caught:
        lay_persistent(tree, NodeFiles(), passwd, GENERAL)
    assert "--passwd" in caught.value.hint


def test_folder_that_cannot_be_given_away_asks_for_root(
    tree: Path, passwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.chown", refuse)
    with pytest.raises(ProvisionError, match="given to the user puad") as caught:
        lay_persistent(tree, NodeFiles(), passwd, GENERAL)
    assert "as root" in caught.value.hint
    assert caught.value.code == os.EX_NOPERM

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from puad.config.fragments import MAX_FRAGMENT_BYTES, MAX_FRAGMENTS, read_folder
from puad.core.errors import Code, ConfigError


def test_read_folder_absent_has_no_fragments(tmp_path: Path) -> None:
    assert read_folder(tmp_path / "absent") == ()


def test_read_folder_reads_in_order_of_names_and_only_toml(tmp_path: Path) -> None:
    for name in ("20-b.toml", "10-a.toml", "README", "30-c.toml.bak", ".40-d.toml"):
        (tmp_path / name).write_text('[node]\nguid = ""\n')
    fragments = read_folder(tmp_path)
    assert [fragment.path.name for fragment in fragments] == ["10-a.toml", "20-b.toml"]
    assert fragments[0].document == {"node": {"guid": ""}}


def _link(path: Path) -> None:
    (path.parent / "elsewhere").write_text("")
    path.symlink_to(path.parent / "elsewhere")


_BROKEN: dict[str, Callable[[Path], object]] = {
    "symbolic link": _link,
    "not a regular file": Path.mkdir,
    "not a regular": os.mkfifo,
    "larger than": lambda path: path.write_bytes(b"#" * (MAX_FRAGMENT_BYTES + 1)),
    "not TOML: 'utf-8'": lambda path: path.write_bytes(b"\xff\xfe"),
    "not TOML: Expected": lambda path: path.write_text("[server"),
    "not TOML: Exceeds": lambda path: path.write_text(f"a = {'9' * 5000}"),
    "not TOML: ": lambda path: path.write_text(f"a = {'[' * 5000}"),
}


@pytest.mark.parametrize("why", _BROKEN)
def test_read_folder_broken_fragment_is_named(tmp_path: Path, why: str) -> None:
    path = tmp_path / "10-broken.toml"
    _BROKEN[why](path)
    with pytest.raises(ConfigError, match=why) as caught:
        read_folder(tmp_path)
    assert caught.value.code is Code.CONFIG_INVALID
    assert caught.value.on == str(path)


def test_read_folder_dangling_link_is_an_error_and_not_absent(tmp_path: Path) -> None:
    (tmp_path / "10-gone.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="symbolic link"):
        read_folder(tmp_path)


def test_read_folder_socket_cannot_be_opened(tmp_path: Path) -> None:
    os.mknod(tmp_path / "10-socket.toml", 0o140600)
    with pytest.raises(ConfigError, match="No such device"):
        read_folder(tmp_path)


def test_read_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="folder cannot be read"):
        read_folder(tmp_path / "file")


def test_read_folder_with_too_many_files_is_refused(tmp_path: Path) -> None:
    for number in range(MAX_FRAGMENTS + 1):
        (tmp_path / f"{number}.toml").touch()
    with pytest.raises(ConfigError, match="more than"):
        read_folder(tmp_path)

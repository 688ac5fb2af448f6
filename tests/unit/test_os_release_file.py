# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from puad.core.errors import Code, ConfigError
from puad.os_release_file import OsRelease, read_os_release

_TEXT = 'NAME="Edge OS"\nIMAGE_ID=edge\nIMAGE_VERSION="13.2"\n'


def test_read_os_release_names_profile_and_image(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text(_TEXT)
    assert read_os_release(tmp_path / "os-release") == OsRelease("edge", "13.2")


def test_read_os_release_follows_the_links_of_an_image(tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr/os-release").write_text(_TEXT)
    (tmp_path / "etc-os-release").symlink_to("usr/link")
    (tmp_path / "usr/link").symlink_to("os-release")
    assert read_os_release(tmp_path / "etc-os-release").image_id == "13.2"


def test_read_os_release_with_bytes_that_are_no_text_still_names_the_image(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_bytes(b"NAME=\xff\xfe\n" + _TEXT.encode())
    assert read_os_release(tmp_path / "os-release").profile == "edge"


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


_UNREADABLE: dict[str, Callable[[Path], object]] = {
    "No such file": lambda _: None,
    "Too many levels of symbolic links": _loop,
    "not a regular file": os.mkfifo,
    "larger than": lambda path: path.write_text(_TEXT + "#" * (64 << 10)),
    "IMAGE_ID and IMAGE_VERSION are needed": lambda path: path.write_text("IMAGE_ID=edge\n"),
    "IMAGE_VERSION are needed": lambda path: path.write_text("IMAGE_VERSION=13.2\n"),
}


@pytest.mark.parametrize("why", _UNREADABLE)
def test_read_os_release_that_names_no_image_is_an_error(tmp_path: Path, why: str) -> None:
    path = tmp_path / "os-release"
    _UNREADABLE[why](path)
    with pytest.raises(ConfigError, match=why) as caught:
        read_os_release(path)
    assert caught.value.code is Code.CONFIG_INVALID
    assert caught.value.on == str(path)

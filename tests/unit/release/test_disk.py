# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator_stub.release.disk import Disk
from orchestrator_stub.release.errors import WriteError


@pytest.fixture(autouse=True)
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_write_replaces_and_is_readable_by_all_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a/b/file"
    Disk().write(path, b"one")
    Disk().write(path, b"two")
    assert path.read_bytes() == b"two"
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (0o644, 0o755, 0o755)
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_write_private_file_is_never_open_to_others(tmp_path: Path) -> None:
    Disk().write(tmp_path / "state", b"x", mode=0o600)
    assert mode(tmp_path / "state") == 0o600


def test_write_over_what_a_cut_off_write_left_behind_succeeds(tmp_path: Path) -> None:
    (tmp_path / ".file.tmp").write_bytes(b"half of something longer")
    Disk().write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_copy_gives_the_hash_of_what_was_copied(tmp_path: Path) -> None:
    data = os.urandom((1 << 20) + 5)
    (tmp_path / "from").write_bytes(data)
    pieces: list[int] = []
    digest = Disk().copy(tmp_path / "from", tmp_path / "folder/to", pieces.append)
    assert digest == hashlib.sha256(data).hexdigest()
    assert (tmp_path / "folder/to").read_bytes() == data
    assert mode(tmp_path / "folder/to") == 0o644
    assert pieces == [1 << 20, 5]


def test_remove_of_nothing_a_file_or_a_folder(tmp_path: Path) -> None:
    disk = Disk()
    disk.write(tmp_path / "folder/file", b"x")
    disk.remove(tmp_path / "absent/absent")
    disk.remove(tmp_path / "folder/file")
    assert (tmp_path / "folder").is_dir()
    disk.remove(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_every_step_names_the_file_that_the_system_refused(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    disk, inside = Disk(), blocked / "x"
    for step in (
        lambda: disk.write(inside, b""),
        lambda: disk.copy(blocked, inside, print),
        lambda: disk.move(tmp_path / "absent", tmp_path / "target"),
        lambda: disk.make_folder(inside),
    ):
        with pytest.raises(WriteError) as caught:
            step()
        assert str(tmp_path) in caught.value.on


@pytest.fixture
def small_files() -> Iterator[None]:
    """The system refuses files of more than 1000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_write_that_the_system_refuses_keeps_the_old_content(
    tmp_path: Path, small_files: None
) -> None:
    path = tmp_path / "file"
    Disk().write(path, b"old")
    with pytest.raises(WriteError, match="too large"):
        Disk().write(path, bytes(2000))
    assert path.read_bytes() == b"old"

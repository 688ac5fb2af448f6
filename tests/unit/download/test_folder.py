# SPDX-License-Identifier: Apache-2.0
"""A repository in a folder that somebody prepared to make the agent read elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tuf.api import exceptions

from puad.core.errors import Code, DownloadError, OperatorError
from puad.download.folder import FolderOrigin, FolderSource
from tests.unit.download.conftest import Open
from tests.unit.download.signed_repository import SignedRepository


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "stick" / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"secret")
    fd = os.open(tmp_path / "stick", os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def read(folder: int, path: str, size: int = 6, offset: int = 0, length: int = 6) -> bytes:
    return b"".join(FolderSource(folder, path, size).read(offset, length, lambda: False))


@pytest.mark.parametrize(
    "path", ["../secret", "sub/../../secret", "/etc/hostname", "", ".", "sub//x", "a\0b", "sub"]
)
def test_folder_source_with_path_out_of_the_folder_is_refused(folder: int, path: str) -> None:
    with pytest.raises(DownloadError) as caught:
        read(folder, path)
    assert caught.value.code is Code.DOWNLOAD_REFUSED


def test_folder_source_with_linked_file_is_refused(folder: int, tmp_path: Path) -> None:
    (tmp_path / "stick" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(DownloadError) as caught:
        read(folder, "link")
    assert caught.value.code is Code.DOWNLOAD_REFUSED


def test_folder_source_with_linked_folder_is_refused(folder: int, tmp_path: Path) -> None:
    (tmp_path / "stick" / "up").symlink_to(tmp_path)
    with pytest.raises(DownloadError) as caught:
        read(folder, "up/secret")
    assert caught.value.code is Code.DOWNLOAD_REFUSED


def test_folder_source_with_named_pipe_is_refused_at_once(folder: int, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stick" / "pipe")
    with pytest.raises(DownloadError) as caught:
        read(folder, "pipe")
    assert caught.value.code is Code.DOWNLOAD_REFUSED


@pytest.mark.parametrize("content", [b"12345", b"1234567"])
def test_folder_source_with_file_of_another_size_is_refused(
    folder: int, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "stick" / "file").write_bytes(content)
    with pytest.raises(DownloadError) as caught:
        read(folder, "file")
    assert caught.value.code is Code.DOWNLOAD_MISMATCH


def test_folder_source_gives_exactly_the_range(folder: int, tmp_path: Path) -> None:
    (tmp_path / "stick" / "sub" / "file").write_bytes(b"123456")
    assert read(folder, "sub/file", offset=2, length=3) == b"345"


def test_folder_source_whose_file_shrinks_while_read_is_an_error(
    folder: int, tmp_path: Path
) -> None:
    path = tmp_path / "stick" / "file"
    path.write_bytes(bytes(1 << 20))
    pieces = FolderSource(folder, "file", 1 << 20).read(0, 1 << 20, lambda: False)
    next(pieces)
    path.write_bytes(b"")
    with pytest.raises(DownloadError) as caught:
        list(pieces)
    assert caught.value.code is Code.DOWNLOAD_UNREACHABLE


def test_folder_source_when_cancelled_stops(folder: int, tmp_path: Path) -> None:
    (tmp_path / "stick" / "file").write_bytes(b"123456")
    with pytest.raises(OperatorError) as caught:
        list(FolderSource(folder, "file", 6).read(0, 6, lambda: True))
    assert caught.value.code is Code.CANCELLED


def test_metadata_that_are_a_link_are_not_read(
    open_node: Open, published: SignedRepository
) -> None:
    path = published.metadata / "timestamp.json"
    path.rename(published.folder / "elsewhere.json")
    path.symlink_to(published.folder / "elsewhere.json")
    with pytest.raises(DownloadError) as caught:
        open_node().refresh()
    assert caught.value.code is Code.DOWNLOAD_REFUSED


def test_metadata_that_are_a_folder_are_not_read(
    open_node: Open, published: SignedRepository
) -> None:
    path = published.metadata / "timestamp.json"
    path.unlink()
    path.mkdir()
    with pytest.raises(DownloadError) as caught:
        open_node().refresh()
    assert caught.value.code is Code.DOWNLOAD_REFUSED


def test_folder_on_a_medium_that_fails_is_a_download_error() -> None:
    fd = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
    try:  # page 0 of a process is not mapped, and reading it is an input/output error
        with pytest.raises(DownloadError) as caught:
            read(fd, "mem", size=0)
        assert caught.value.code is Code.DOWNLOAD_UNREACHABLE
        with pytest.raises(exceptions.DownloadError):
            FolderOrigin(fd).fetcher().download_bytes("folder:/mem", 10)
    finally:
        os.close(fd)

# SPDX-License-Identifier: Apache-2.0
"""Boot files that are kept: fetched or spooled, and never used with another hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from puad.core.boot_file import BootFile, BootFileKind
from puad.core.errors import Code, DownloadError, OperatorError, StorageError, TrustError
from puad.core.extent import Extent
from puad.effects.boot_files import BootFileCache
from puad.writer import Spool
from tests.unit.writer.workbench import MemorySource

CONTENT = b"kernel and all" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2
UKI = BootFile(
    BootFileKind.UKI,
    "",
    len(CONTENT),
    SHA256,
    (Extent(9000, HALF), Extent(1000, len(CONTENT) - HALF)),
)
LINUX = BootFile(BootFileKind.LINUX, "edge/13.1/linux", len(CONTENT), SHA256)


@pytest.fixture
def cache(tmp_path: Path) -> BootFileCache:
    return BootFileCache(tmp_path)


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "boot-files").glob("*"))


def no_source(path: str) -> MemorySource:
    raise AssertionError(f"the source was asked for {path!r}")


def opened(cache: BootFileCache, file: BootFile) -> bytes:
    with cache.open(file, no_source, lambda: False) as fd:
        return os.pread(fd, 1 << 20, 0)


def fill(spools: tuple[Spool, ...], content: bytes = CONTENT) -> None:
    (spool,) = spools
    spool.write(HALF, memoryview(content[HALF:]))
    spool.write(0, memoryview(content[:HALF]))


def fill_and_break_off(
    spools: tuple[Spool, ...], content: bytes = CONTENT, *, spoil: bool = False
) -> None:
    fill(spools, content)
    if spoil:
        spools[0].spoil()
    raise ZeroDivisionError


def test_spooled_boot_file_is_kept_by_its_hash(cache: BootFileCache, tmp_path: Path) -> None:
    with cache.spooling([UKI]) as spools:
        assert spools[0].extents == UKI.extents
        fill(spools)
    assert kept(tmp_path) == [SHA256]
    assert opened(cache, UKI) == CONTENT


def test_boot_file_that_is_here_is_spooled_no_second_time(cache: BootFileCache) -> None:
    with cache.spooling([UKI]) as spools:
        fill(spools)
    with cache.spooling([UKI]) as spools:
        assert spools == ()


def test_published_boot_file_is_not_spooled(cache: BootFileCache, tmp_path: Path) -> None:
    with cache.spooling([LINUX]) as spools:
        assert spools == ()
    source = MemorySource(CONTENT)
    with cache.open(LINUX, lambda _path: source, lambda: False) as fd:
        assert os.pread(fd, 1 << 20, 0) == CONTENT
    assert kept(tmp_path) == [SHA256]


@pytest.mark.parametrize("left", [CONTENT[:HALF], CONTENT])
def test_fetch_goes_on_where_an_earlier_one_was_cut_off(
    cache: BootFileCache, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "boot-files").mkdir()
    (tmp_path / "boot-files" / f"{SHA256}.partial").write_bytes(left)
    source = MemorySource(CONTENT)
    with cache.open(LINUX, lambda _path: source, lambda: False) as fd:
        assert os.pread(fd, 1 << 20, 0) == CONTENT
    assert sum(length for _, length in source.reads) == len(CONTENT) - len(left)
    assert kept(tmp_path) == [SHA256]


def test_fetch_that_breaks_leaves_what_has_come(cache: BootFileCache, tmp_path: Path) -> None:
    class BreaksOff(MemorySource):
        def read(self, offset: int, length: int, cancelled: Callable[[], bool]) -> Iterator[bytes]:
            yield CONTENT[offset:HALF]
            raise ZeroDivisionError

    with (
        pytest.raises(ZeroDivisionError),
        cache.open(LINUX, lambda _path: BreaksOff(CONTENT), lambda: False),
    ):
        pass
    (left,) = (tmp_path / "boot-files").iterdir()
    assert left.read_bytes() == CONTENT[:HALF]


@pytest.mark.parametrize(
    "left", [bytes(HALF), bytes(len(CONTENT)), CONTENT + b"more"], ids=["torn", "zeros", "longer"]
)
def test_fetch_begins_anew_when_what_was_left_is_not_right(
    cache: BootFileCache, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "boot-files").mkdir()
    (tmp_path / "boot-files" / f"{SHA256}.partial").write_bytes(left)
    with cache.open(LINUX, lambda _path: MemorySource(CONTENT), lambda: False) as fd:
        assert os.pread(fd, 1 << 20, 0) == CONTENT
    assert kept(tmp_path) == [SHA256]


@pytest.mark.parametrize("left", [None, b"", CONTENT[:HALF]])
def test_fetched_bytes_with_another_hash_are_refused_and_deleted(
    cache: BootFileCache, tmp_path: Path, left: bytes | None
) -> None:
    if left is not None:
        (tmp_path / "boot-files").mkdir()
        (tmp_path / "boot-files" / f"{SHA256}.partial").write_bytes(left)
    source = MemorySource(CONTENT[:-1] + b"x")
    with (
        pytest.raises(TrustError) as caught,
        cache.open(LINUX, lambda _path: source, lambda: False),
    ):
        pass
    assert caught.value.code is Code.HASH_MISMATCH
    assert len(source.reads) == 1 + bool(left)
    assert kept(tmp_path) == []


def test_left_over_that_is_no_file_is_removed_and_nothing_is_followed(
    cache: BootFileCache, tmp_path: Path
) -> None:
    (tmp_path / "boot-files").mkdir()
    other = tmp_path / "other"
    other.write_bytes(b"of somebody else")
    (tmp_path / "boot-files" / f"{SHA256}.partial").symlink_to(other)
    with cache.open(LINUX, lambda _path: MemorySource(CONTENT), lambda: False) as fd:
        assert os.pread(fd, 1 << 20, 0) == CONTENT
    assert other.read_bytes() == b"of somebody else"


def test_server_that_gives_no_ranges_is_asked_from_the_beginning_next_time(
    cache: BootFileCache, tmp_path: Path
) -> None:
    class NoRanges(MemorySource):
        def read(self, offset: int, length: int, cancelled: Callable[[], bool]) -> Iterator[bytes]:
            if offset:
                raise DownloadError(Code.DOWNLOAD_MISMATCH, "The answer is the whole file")
            return super().read(offset, length, cancelled)

    (tmp_path / "boot-files").mkdir()
    (tmp_path / "boot-files" / f"{SHA256}.partial").write_bytes(CONTENT[:HALF])
    with (
        pytest.raises(DownloadError),
        cache.open(LINUX, lambda _path: NoRanges(CONTENT), lambda: False),
    ):
        pass
    with cache.open(LINUX, lambda _path: NoRanges(CONTENT), lambda: False) as fd:
        assert os.pread(fd, 1 << 20, 0) == CONTENT


def test_cancel_while_what_was_left_is_hashed(cache: BootFileCache, tmp_path: Path) -> None:
    (tmp_path / "boot-files").mkdir()
    (tmp_path / "boot-files" / f"{SHA256}.partial").write_bytes(CONTENT[:HALF])
    with (
        pytest.raises(OperatorError) as caught,
        cache.open(LINUX, lambda _path: MemorySource(CONTENT), lambda: True),
    ):
        pass
    assert caught.value.code is Code.CANCELLED


def test_spool_of_a_broken_write_waits_for_the_next(cache: BootFileCache, tmp_path: Path) -> None:
    half = CONTENT[:HALF] + bytes(UKI.size - HALF)
    with pytest.raises(ZeroDivisionError), cache.spooling([UKI]) as spools:
        fill_and_break_off(spools, half)
    assert kept(tmp_path) == [f"{SHA256}.spool"]
    with cache.spooling([UKI]) as (spool,):
        into = bytearray(HALF)
        assert spool.read(0, memoryview(into))
        assert into == CONTENT[:HALF]
        spool.write(HALF, memoryview(CONTENT[HALF:]))
    assert opened(cache, UKI) == CONTENT


def test_spool_that_was_whole_before_the_power_went_is_kept(
    cache: BootFileCache, tmp_path: Path
) -> None:
    with pytest.raises(ZeroDivisionError), cache.spooling([UKI]) as spools:
        fill_and_break_off(spools)
    with cache.spooling([UKI]) as spools:
        assert spools == ()
    assert kept(tmp_path) == [SHA256]


def test_spool_with_another_hash_is_refused_and_deleted(
    cache: BootFileCache, tmp_path: Path
) -> None:
    with pytest.raises(TrustError) as caught, cache.spooling([UKI]) as spools:
        fill(spools, CONTENT[:-1] + b"x")
    assert caught.value.code is Code.HASH_MISMATCH
    assert kept(tmp_path) == []


def test_spoilt_spool_is_deleted(cache: BootFileCache, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), cache.spooling([UKI]) as spools:
        fill_and_break_off(spools, spoil=True)
    assert kept(tmp_path) == []


def test_two_boot_files_of_the_same_bytes_are_both_there(cache: BootFileCache) -> None:
    linux = BootFile(BootFileKind.LINUX, "", UKI.size, SHA256, (Extent(50_000, UKI.size),))
    with cache.spooling([UKI, linux]) as (first, second):
        fill((first,))
        second.write(0, memoryview(CONTENT))
    assert opened(cache, UKI) == opened(cache, linux) == CONTENT


def test_damaged_boot_file_of_a_disk_asks_no_source(cache: BootFileCache, tmp_path: Path) -> None:
    with cache.spooling([UKI]) as spools:
        fill(spools)
    (tmp_path / "boot-files" / SHA256).write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(StorageError) as caught:
        opened(cache, UKI)
    assert caught.value.code is Code.STATE_UNWRITABLE
    with cache.spooling([UKI]) as spools:
        fill(spools)
    assert opened(cache, UKI) == CONTENT


def test_keep_only_leaves_what_belongs_to_these_hashes(
    cache: BootFileCache, tmp_path: Path
) -> None:
    folder = tmp_path / "boot-files"
    folder.mkdir()
    for name in ("aa", "aa.spool", "bb", "bb.spool", "bb.partial"):
        (folder / name).touch()
    cache.keep_only({"aa"})
    assert kept(tmp_path) == ["aa", "aa.spool"]
    cache.keep_only(set())
    assert kept(tmp_path) == []


def test_keep_only_of_what_cannot_be_removed_is_a_storage_error(
    cache: BootFileCache, tmp_path: Path
) -> None:
    (tmp_path / "boot-files" / "a-folder").mkdir(parents=True)
    with pytest.raises(StorageError) as caught:
        cache.keep_only(set())
    assert caught.value.code is Code.STATE_UNWRITABLE


def test_spool_where_none_can_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "boot-files").write_text("a file in place of the folder")
    with pytest.raises(StorageError) as caught, BootFileCache(tmp_path).spooling([UKI]):
        pass
    assert caught.value.code is Code.STATE_UNWRITABLE


def test_link_in_place_of_a_spool_is_not_followed(cache: BootFileCache, tmp_path: Path) -> None:
    folder = tmp_path / "boot-files"
    folder.mkdir()
    (folder / f"{SHA256}.spool").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError), cache.spooling([UKI]):
        pass
    assert not (tmp_path / "elsewhere").exists()

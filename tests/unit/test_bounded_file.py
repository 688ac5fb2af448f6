# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from puad.bounded_file import read_bounded


def test_read_bounded_file_of_exactly_the_bound_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 4096)
    assert read_bounded(path, 4096) == b"x" * 4096


def test_read_bounded_file_of_one_byte_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 4097)
    with pytest.raises(OSError, match="larger than 4096"):
        read_bounded(path, 4096)


def test_read_bounded_file_that_hides_its_size_is_refused() -> None:
    # a file of procfs says that it has no bytes, and gives them all the same
    with pytest.raises(OSError, match="larger than 4"):
        read_bounded(Path("/proc/version"), 4)


def test_read_bounded_absent_file_keeps_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "absent", 1)

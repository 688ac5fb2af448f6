# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from tests.bench.delta.pairs import unpack
from tests.bench.delta.roots import packages_of

STATUS = """\
Package: adduser
Status: install ok installed
Description: add users
 Package: not this one
Version: 3.134

Package: zstd
Architecture: amd64
Version: 1.5.4+dfsg2-5
"""


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_initrd_is_unpacked_by_what_it_begins_with(pack: object) -> None:
    assert callable(pack)
    assert unpack(pack(b"070701 an archive")) == b"070701 an archive"


def test_initrd_that_is_not_compressed_is_refused() -> None:
    with pytest.raises(ValueError, match="no compression"):
        unpack(b"070701 an archive")


def test_packages_have_their_versions(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/dpkg"
    folder.mkdir(parents=True)
    (folder / "status").write_text(STATUS)
    assert packages_of(tmp_path) == {"adduser": "3.134", "zstd": "1.5.4+dfsg2-5"}

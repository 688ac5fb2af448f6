# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import lzma
import os
import subprocess
from pathlib import Path

import pytest

from orchestrator_stub.release.errors import InputError
from orchestrator_stub.release.image import MAX_BYTES, open_image
from orchestrator_stub.release.inputs import opened
from puad.core.packing import Packing


@pytest.mark.parametrize(
    ("name", "content", "packing"),
    [
        ("root.xz", gzip.compress(b"x" * 999, mtime=0), Packing.GZIP),
        ("root.gz", lzma.compress(b"x" * 999), Packing.XZ),
        ("root.raw.gz", b"x" * 999, None),
    ],
)
def test_open_image_knows_its_packing_by_its_content_not_by_its_name(
    tmp_path: Path, name: str, content: bytes, packing: Packing | None
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with open_image(path) as image:
        assert image.packing == packing


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("zst", b"\x28\xb5\x2f\xfd" + bytes(99), "zstd"),
        ("empty", b"", "this has 0"),
    ],
)
def test_open_image_of_a_usual_mistake_says_which(
    tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=what), open_image(path):
        pass


def test_open_image_larger_than_an_index_can_hold_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.touch()
    os.truncate(path, MAX_BYTES + 1)
    with pytest.raises(InputError, match="from 1 B to"), open_image(path):
        pass


def test_open_image_beyond_32_bits_has_its_true_size(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, (1 << 32) + 1)
    with open_image(path) as image:
        assert image.size == (1 << 32) + 1


def test_open_image_of_a_block_device_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "backing"
    path.write_bytes(b"a" * 8192)
    losetup = ["losetup", "--find", "--show", str(path)]
    device = Path(
        subprocess.run(losetup, capture_output=True, text=True, check=True).stdout.strip()
    )
    try:
        with open_image(device) as image:
            assert image.size == 8192
            assert b"".join(image.chunks()) == b"a" * 8192
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def test_open_image_of_a_folder_or_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError), open_image(path):
            pass


def test_opened_block_device_serves_only_an_image() -> None:
    with pytest.raises(InputError, match="this is a device, not a file"), opened(Path("/dev/null")):
        pass

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import mmap
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bootloader import claim
from bootloader.claim import Claim, claim_device, claim_file
from bootloader.errors import BootloaderError, ErrorName

BYTES = 1 << 20
Claimer = Callable[..., Claim]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "WAIT_S", 0.1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "slot.img"
    path.write_bytes(bytes(BYTES))
    return path


@pytest.fixture
def device(file: Path) -> Iterator[Path]:
    attach: list[str | Path] = ["/usr/sbin/losetup", "--find", "--show", file]
    done = subprocess.run(attach, check=True, capture_output=True, text=True)
    path = Path(done.stdout.strip())
    # the kernel keeps a write protection of a loop device beyond its file
    subprocess.run(["/usr/sbin/blockdev", "--setrw", path], check=True)
    yield path
    subprocess.run(["/usr/sbin/losetup", "--detach", path], check=True)


@pytest.fixture(params=["file", "device"])
def slot(request: pytest.FixtureRequest) -> tuple[Path, Claimer]:
    claimers = {"file": claim_file, "device": claim_device}
    return request.getfixturevalue(request.param), claimers[request.param]


def refusal(claimer: Claimer, path: Path) -> ErrorName:
    with pytest.raises(BootloaderError) as caught:
        claimer(path, writable=False)
    return caught.value.name


def test_claim_is_exclusive_until_released(slot: tuple[Path, Claimer]) -> None:
    path, claimer = slot
    first = claimer(path, writable=True)
    assert first.is_held()
    assert refusal(claimer, path) is ErrorName.BUSY
    first.release()
    claimer(path, writable=False).release()


def test_claim_waits_for_a_descriptor_that_was_handed_out(slot: tuple[Path, Claimer]) -> None:
    path, claimer = slot
    fd = claimer(path, writable=True).hand_out()
    copy = os.dup(fd)
    os.close(fd)
    assert refusal(claimer, path) is ErrorName.BUSY
    assert os.pwrite(copy, b"x", 0) == 1
    os.close(copy)
    claimer(path, writable=False).release()


def test_claim_waits_for_a_mapping(slot: tuple[Path, Claimer]) -> None:
    path, claimer = slot
    fd = claimer(path, writable=True).hand_out()
    with mmap.mmap(fd, 4096):
        os.close(fd)
        assert refusal(claimer, path) is ErrorName.BUSY
    claimer(path, writable=False).release()


def test_claim_of_a_file_lets_readers_in_and_is_broken_by_a_writer(file: Path) -> None:
    held = claim_file(file, writable=False)
    os.close(os.open(file, os.O_RDONLY | os.O_NONBLOCK))
    assert held.is_held()
    with pytest.raises(BlockingIOError):
        os.open(file, os.O_WRONLY | os.O_NONBLOCK)
    assert not held.is_held()
    held.release()


def test_claim_that_was_released_is_not_held(file: Path) -> None:
    held = claim_file(file, writable=False)
    held.release()
    assert not held.is_held()


def test_claim_does_not_follow_a_link(file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    assert refusal(claim_file, link) is ErrorName.STORAGE_FAILED


def test_claim_of_nothing_fails(tmp_path: Path) -> None:
    assert refusal(claim_device, tmp_path / "none") is ErrorName.STORAGE_FAILED

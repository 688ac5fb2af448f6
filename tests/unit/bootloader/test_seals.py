# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bootloader.claim import Claim, claim_file
from bootloader.manifest import Manifest
from bootloader.seals import Seal, Seals

MANIFEST = Manifest("edge", "13.1", 1, "0" * 64, datetime(2026, 1, 1, tzinfo=UTC), None, None, {})


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("a", "b")]
    for path in made:
        path.write_bytes(b"image")
    return made


def sealed(path: Path) -> Seal:
    return Seal(claim_file(path, writable=False), MANIFEST)


class SlowClaim(Claim):
    """Is asked while another thread puts a seal."""

    seals: Seals
    newcomer: Seal
    threads: list[threading.Thread]

    def is_held(self) -> bool:
        put = threading.Thread(target=self.seals.put, args=("b", self.newcomer))
        self.threads.append(put)
        put.start()
        put.join(0.3)  # it may have to wait for us, and must not come between
        return super().is_held()


def test_drop_broken_while_another_thread_seals(paths: list[Path]) -> None:
    seals = Seals()
    broken = claim_file(paths[0], writable=False)
    slow = SlowClaim(broken.fd, leased=True)
    SlowClaim.seals, SlowClaim.newcomer, SlowClaim.threads = seals, sealed(paths[1]), []
    seals.put("a", Seal(slow, MANIFEST))
    with pytest.raises(BlockingIOError):
        os.open(paths[0], os.O_WRONLY | os.O_NONBLOCK)
    assert seals.drop_broken() == ["a"]
    for thread in SlowClaim.threads:
        thread.join(60)
    assert seals.manifest("a") is None
    assert seals.manifest("b") is MANIFEST
    seals.drop("b")


def test_manifest_of_a_seal_that_was_broken_is_none(paths: list[Path]) -> None:
    seals = Seals()
    seals.put("a", sealed(paths[0]))
    assert seals.manifest("a") is MANIFEST
    with pytest.raises(BlockingIOError):
        os.open(paths[0], os.O_WRONLY | os.O_NONBLOCK)
    assert seals.manifest("a") is None
    assert seals.drop_broken() == ["a"]
    assert seals.drop_broken() == []


def test_drop_gives_the_slot_up_and_may_be_repeated(paths: list[Path]) -> None:
    seals = Seals()
    seals.put("a", sealed(paths[0]))
    seals.drop("a")
    seals.drop("a")
    assert seals.manifest("a") is None
    claim_file(paths[0], writable=True).release()

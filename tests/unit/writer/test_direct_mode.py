# SPDX-License-Identifier: Apache-2.0
"""The direct mode of a descriptor that several threads use."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from puad.writer.direct_mode import DirectMode

PATIENCE_S = 60


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def is_direct(fd: int) -> bool:
    return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT)


def test_mode_is_that_of_who_holds_it(fd: int) -> None:
    mode = DirectMode(fd)
    with mode.held(direct=True):
        assert is_direct(fd)
    with mode.held(direct=False):
        assert not is_direct(fd)


def test_two_hold_the_same_mode_at_once(fd: int) -> None:
    mode = DirectMode(fd)
    both = threading.Barrier(2, timeout=PATIENCE_S)

    def transfer() -> bool:
        with mode.held(direct=True):
            both.wait()
            return is_direct(fd)

    with ThreadPoolExecutor(2) as pool:
        assert all(one.result() for one in [pool.submit(transfer), pool.submit(transfer)])


def test_other_mode_waits_until_nobody_transfers(fd: int) -> None:
    mode = DirectMode(fd)
    asked, found = threading.Event(), []

    def transfer() -> None:
        asked.set()
        with mode.held(direct=False):
            found.append(is_direct(fd))

    thread = threading.Thread(target=transfer)
    with mode.held(direct=True):
        thread.start()
        assert asked.wait(PATIENCE_S)
        thread.join(0.2)
        assert not found
        assert is_direct(fd)
    thread.join(PATIENCE_S)
    assert found == [False]


def test_who_is_alone_waits_for_the_others_and_they_for_it(fd: int) -> None:
    mode = DirectMode(fd)
    asked, entered, done = threading.Event(), threading.Event(), threading.Event()

    def be_alone() -> None:
        asked.set()
        with mode.alone():
            entered.set()
            assert done.wait(PATIENCE_S)

    def transfer() -> None:
        with mode.held(direct=True):
            pass

    thread = threading.Thread(target=be_alone)
    with mode.held(direct=True):
        thread.start()
        assert asked.wait(PATIENCE_S)
        assert not entered.wait(0.2)
    assert entered.wait(PATIENCE_S)
    other = threading.Thread(target=transfer)
    other.start()
    other.join(0.2)
    assert other.is_alive()
    done.set()
    other.join(PATIENCE_S)
    thread.join(PATIENCE_S)
    assert not other.is_alive()


def test_many_threads_never_see_the_other_mode(fd: int) -> None:
    mode = DirectMode(fd)

    def transfer(number: int) -> bool:
        wanted = number % 3 != 0
        with mode.held(direct=wanted):
            return is_direct(fd) == wanted

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(transfer, range(2000)))


def test_descriptor_without_the_mode_is_refused_and_stays_usable() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    mode = DirectMode(writing)
    with pytest.raises(OSError, match="Bad file"), mode.held(direct=True):
        pass
    with mode.held(direct=False):
        pass

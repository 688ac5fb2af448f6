# SPDX-License-Identifier: Apache-2.0
"""Readers as threads: order, ends, and what becomes of an error."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator

import pytest

from bootloader import readers
from bootloader.readers import THREAD_NAME, Readers


@pytest.fixture(autouse=True)
def _no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(readers, "_most_readers", lambda: 6)
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


class Noting(Readers[int]):
    """Notes in turn what it is given; a piece that is negative is an error."""

    def __init__(self, pieces: Iterable[int], count: int) -> None:
        super().__init__(pieces, count)
        self.noted: list[int] = []

    def take(self, number: int, piece: int, buffer: memoryview) -> None:
        if piece < 0:
            raise OSError(5, "the disk is gone")
        with self.turn(number):
            self.noted.append(piece)


def test_each_piece_has_its_turn_in_order() -> None:
    noting = Noting(range(2000), 2000)
    noting.run()
    assert noting.noted == list(range(2000))


@pytest.mark.parametrize("at", [0, 1, 5, 1998, 1999])
def test_error_of_one_ends_those_that_wait_for_their_turn(at: int) -> None:
    noting = Noting([-1 if n == at else n for n in range(2000)], 2000)
    with pytest.raises(OSError, match="the disk is gone"):
        noting.run()
    assert noting.noted == list(range(len(noting.noted)))
    assert len(noting.noted) <= at


def test_error_of_the_list_of_pieces_ends_all() -> None:
    def pieces() -> Iterator[int]:
        yield from range(10)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Noting(pieces(), 1000).run()


class Interrupted(Readers[int]):
    """The thread that asks is interrupted while all others wait."""

    def take(self, number: int, piece: int, buffer: memoryview) -> None:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        with self.turn(-1):
            pytest.fail("nobody has this turn")


def test_interruption_of_who_asks_ends_all() -> None:
    with pytest.raises(KeyboardInterrupt):
        Interrupted(itertools.count(), 1000).run()


def test_without_further_threads_the_work_is_done_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    noting = Noting(range(100), 100)
    noting.run()
    assert noting.noted == list(range(100))


def test_no_pieces_are_no_work() -> None:
    noting = Noting([], 0)
    noting.run()
    assert noting.noted == []


class Meeting(Readers[int]):
    """Each piece waits until three are taken at the same time."""

    barrier = threading.Barrier(3)

    def take(self, number: int, piece: int, buffer: memoryview) -> None:
        self.barrier.wait(60)


def test_pieces_are_taken_at_the_same_time() -> None:
    Meeting(range(3), 3).run()


def test_there_are_a_few_more_readers_than_processors() -> None:
    assert 3 <= readers._MOST_HASHING + readers._MORE_READING <= 6

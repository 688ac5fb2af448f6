# SPDX-License-Identifier: Apache-2.0
"""The pipeline: bounds, errors of each stage, cancelling, and threads that always end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator

import pytest

from puad.core.errors import Code, OperatorError
from puad.writer.pipeline import Pipeline, Stage
from puad.writer.plan import Way
from puad.writer.tray import Tray, make_trays

MANY = 200
Decode = Callable[[Tray], bool]


def never() -> bool:
    return False


def nothing() -> bool:
    return False


def always(_tray: Tray) -> bool:
    return True


def numbers(
    count: int, end: Callable[[], None] = lambda: None
) -> Callable[[Pipeline], Generator[Tray]]:
    """A stage that fills trays with 0, 1, 2 …"""

    def fetch(pipeline: Pipeline) -> Generator[Tray]:
        for number in range(count):
            tray = pipeline.take()
            tray.lay(number, Way.FULL, 1, 1)
            yield tray
        end()

    return fetch


def run(
    fetch: Callable[[Pipeline], Generator[Tray]],
    decode: Decode = always,
    cancelled: Callable[[], bool] = never,
    decoders: int = 3,
    write: Decode = always,
) -> Iterator[int]:
    stages = [Stage("decode", decode, decoders), Stage("write", write, 2)]
    with Pipeline(fetch, stages, make_trays(1, 1, 5)) as pipeline:
        for tray in pipeline.items(cancelled, nothing):
            yield tray.number


def test_each_item_comes_once() -> None:
    assert sorted(run(numbers(MANY))) == list(range(MANY))


def test_stages_of_one_thread_keep_the_order() -> None:
    with Pipeline(
        numbers(MANY), [Stage("a", always, 1), Stage("b", always, 1)], make_trays(1, 1, 5)
    ) as pipeline:
        assert [tray.number for tray in pipeline.items(never, nothing)] == list(range(MANY))


def test_stage_works_on_as_many_at_a_time_as_it_has_threads() -> None:
    both = threading.Barrier(2, timeout=60)

    def write(_tray: Tray) -> bool:
        both.wait()
        return True

    assert sorted(run(numbers(10), write=write)) == list(range(10))


def test_error_of_writing_lets_what_was_written_through_and_stops_the_fetching() -> None:
    fetched: list[int] = []

    def fetch(pipeline: Pipeline) -> Generator[Tray]:
        for tray in numbers(MANY)(pipeline):
            fetched.append(tray.number)
            yield tray

    def write(tray: Tray) -> bool:
        if tray.number == 20:
            fail()
        return True

    taken: list[int] = []
    with pytest.raises(ZeroDivisionError):
        taken.extend(run(fetch, write=write))
    assert sorted(taken) == [number for number in fetched if number != 20]
    assert len(fetched) < MANY


def test_item_that_decoding_keeps_does_not_come() -> None:
    assert sorted(run(numbers(MANY), lambda tray: tray.number % 2 == 0)) == list(range(0, MANY, 2))


def test_fetching_runs_ahead_by_the_trays_and_no_further() -> None:
    fetched: list[int] = []

    def fetch(pipeline: Pipeline) -> Generator[Tray]:
        for tray in numbers(MANY)(pipeline):
            fetched.append(tray.number)
            yield tray

    for done, _ in enumerate(run(fetch)):
        assert len(fetched) <= done + 5


def fail() -> None:
    raise ZeroDivisionError


def test_error_of_fetching_comes_after_what_was_fetched() -> None:
    taken: list[int] = []
    with pytest.raises(ZeroDivisionError):
        taken.extend(run(numbers(10, fail)))
    assert sorted(taken) == list(range(10))


def test_error_of_decoding_stops_the_fetching_and_comes_once() -> None:
    taken: list[int] = []

    def decode(tray: Tray) -> bool:
        if tray.number >= 20:
            fail()
        return True

    with pytest.raises(ZeroDivisionError):
        taken.extend(run(numbers(MANY), decode))
    assert sorted(taken) == list(range(20))


def test_first_error_stands() -> None:
    def decode(tray: Tray) -> bool:
        raise ValueError(tray.number)

    with pytest.raises(ValueError, match=r"^0$"):
        list(run(numbers(MANY, fail), decode, decoders=1))


def test_error_of_the_caller_ends_all_stages() -> None:
    stages = run(numbers(MANY))
    next(stages)
    with pytest.raises(ZeroDivisionError):
        stages.throw(ZeroDivisionError())  # type: ignore[attr-defined]  # a generator has it


def test_leaving_early_closes_the_fetching() -> None:
    closed: list[bool] = []

    def fetch(pipeline: Pipeline) -> Generator[Tray]:
        try:
            yield from numbers(MANY)(pipeline)
        finally:
            closed.append(True)

    stages = run(fetch)
    next(stages)
    stages.close()  # type: ignore[attr-defined]  # a generator has it
    assert closed == [True]


def test_what_the_caller_meets_is_raised_after_all_that_had_been_fetched() -> None:
    fetched: list[int] = []
    taken: list[int] = []

    def fetch(pipeline: Pipeline) -> Generator[Tray]:
        for tray in numbers(MANY)(pipeline):
            fetched.append(tray.number)
            yield tray

    with Pipeline(fetch, [Stage("a", always, 2)], make_trays(1, 1, 5)) as pipeline:

        def take_all() -> None:
            for tray in pipeline.items(never, nothing):
                taken.append(tray.number)
                if tray.number in {7, 8}:
                    pipeline.fail(ZeroDivisionError(tray.number))

        with pytest.raises(ZeroDivisionError, match=r"^[78]$"):
            take_all()
    assert sorted(taken) == fetched
    assert len(fetched) < MANY


def test_cancel_while_fetching_waits_for_the_server() -> None:
    def fetch(pipeline: Pipeline) -> Generator[Tray]:
        yield from numbers(3)(pipeline)
        while not pipeline.stopping:
            waiting.set()

    waiting = threading.Event()
    taken: list[int] = []
    with pytest.raises(OperatorError) as caught:
        taken.extend(run(fetch, cancelled=waiting.is_set))
    assert caught.value.code is Code.CANCELLED
    assert sorted(taken) == [0, 1, 2]


def test_cancel_while_fetching_waits_for_a_tray() -> None:
    held = threading.Event()
    fetched: list[int] = []

    def decode(tray: Tray) -> bool:
        held.wait()
        return True

    def fetch(pipeline: Pipeline) -> Generator[Tray]:
        for tray in numbers(MANY)(pipeline):
            fetched.append(tray.number)
            yield tray

    def cancelled() -> bool:
        if len(fetched) < 5:  # all trays are on their way
            return False
        held.set()
        return True

    with pytest.raises(OperatorError):
        list(run(fetch, decode, cancelled))
    assert len(fetched) == 5


def test_caller_does_something_else_in_place_of_waiting() -> None:
    done: list[int] = []
    enough = threading.Event()

    def fetch(pipeline: Pipeline) -> Generator[Tray]:
        enough.wait()
        yield from numbers(1)(pipeline)

    def meanwhile() -> bool:
        if len(done) == 3:
            enough.set()
            return False
        done.append(1)
        return True

    with Pipeline(fetch, [Stage("decode", always, 1)], make_trays(1, 1, 3)) as pipeline:
        assert [tray.number for tray in pipeline.items(never, meanwhile)] == [0]
    assert len(done) == 3


@pytest.mark.parametrize("started", range(6))
def test_thread_that_cannot_be_started_leaves_none_behind(
    monkeypatch: pytest.MonkeyPatch, started: int
) -> None:
    start = threading.Thread.start
    count: list[str] = []

    def start_some(thread: threading.Thread) -> None:
        if len(count) == started:
            raise RuntimeError("can't start new thread")
        count.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
    with pytest.raises(RuntimeError, match="can't start"):
        list(run(numbers(MANY)))


def test_trays_of_large_chunks_are_few() -> None:
    trays = make_trays((4 << 20) + (1 << 16), 4 << 20, 68)
    assert len(trays) == 3
    assert len(make_trays((1 << 20) + (1 << 16), 1 << 20, 68)) * (2 << 20) <= 20 << 20

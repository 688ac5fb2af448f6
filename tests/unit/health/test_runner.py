# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from puad.health.probe import Deadline, ProbeError
from puad.health.runner import AT_ONCE, Assigned, Runner


@pytest.fixture
def let_go() -> Iterator[threading.Event]:
    """Lets probes that hang end with their test."""
    event = threading.Event()
    yield event
    event.set()


def _soon(seconds: float) -> Deadline:
    return Deadline(time.monotonic() + seconds)


def _pass(_: Deadline) -> str:
    return "fine"


def test_runner_gives_results_in_the_order_of_the_probes() -> None:
    def fail(_: Deadline) -> str:
        raise ProbeError("no\nway", log_tail="last words")

    def crash(_: Deadline) -> str:
        raise KeyError("x")

    probes = [Assigned("a", True, _pass), Assigned("b", False, fail), Assigned("c", True, crash)]
    first, second, third = Runner(_soon(60), 60).run(probes)
    assert (first.name, first.required, first.passed, first.log_tail) == ("a", True, True, "fine")
    assert (second.required, second.passed) == (False, False)
    assert (second.reason, second.log_tail) == ("no way", "last words")
    assert not third.passed
    assert third.reason == "it crashed: KeyError: 'x'"
    assert first.seconds >= 0


def test_runner_without_probes_has_no_results() -> None:
    assert Runner(_soon(60), 60).run([]) == ()


def test_runner_runs_no_more_than_a_few_at_once_and_all_of_them() -> None:
    lock, running, most = threading.Lock(), [0], [0]
    meet = threading.Barrier(AT_ONCE)

    def count(_: Deadline) -> str:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        meet.wait(30)  # proves that so many do run at once
        with lock:
            running[0] -= 1
        return ""

    results = Runner(_soon(60), 60).run([Assigned(f"p{n}", True, count) for n in range(12)])
    assert [result.passed for result in results] == [True] * 12
    assert most[0] == AT_ONCE


def test_runner_gives_each_probe_the_nearer_deadline() -> None:
    seen: list[float] = []

    def look(deadline: Deadline) -> str:
        seen.append(deadline.left_s)
        return ""

    Runner(_soon(1000), 10).run([Assigned("a", True, look)])
    Runner(_soon(10), 1000).run([Assigned("a", True, look)])
    assert all(0 < left <= 10 for left in seen)


def test_runner_probe_that_hangs_fails_and_gives_its_place_to_the_next(
    let_go: threading.Event,
) -> None:
    def hang(_: Deadline) -> str:
        let_go.wait()
        return ""

    hanging = [Assigned(f"hang{n}", True, hang) for n in range(AT_ONCE)]
    results = Runner(_soon(60), 0.1, grace_s=0.1).run([*hanging, Assigned("ok", True, _pass)])
    assert [result.passed for result in results] == [False] * AT_ONCE + [True]
    assert "hangs" in results[0].reason


def test_runner_answer_that_comes_after_its_probe_was_given_up_changes_nothing(
    let_go: threading.Event,
) -> None:
    runner = Runner(_soon(60), 0.1, grace_s=0.1)
    threads: list[threading.Thread] = []

    def late(_: Deadline) -> str:
        threads.append(threading.current_thread())
        runner._grace_s = 60  # only this first probe is given up
        let_go.wait()
        return "late"

    def hold(_: Deadline) -> str:
        let_go.wait()
        return "held"

    def wait_for_late(_: Deadline) -> str:
        let_go.set()
        threads[0].join(30)  # its answer is in the queue now, before this one
        return "fine"

    places = [Assigned("late", True, late)]
    places += [Assigned(f"hold{n}", True, hold) for n in range(AT_ONCE - 1)]
    results = runner.run([*places, Assigned("wait", True, wait_for_late)])
    assert not results[0].passed
    assert "hangs" in results[0].reason
    assert results[-1].passed


def test_runner_past_the_deadline_starts_nothing() -> None:
    started: list[str] = []

    def note(_: Deadline) -> str:
        started.append("x")
        return ""

    (result,) = Runner(_soon(-1), 60).run([Assigned("a", True, note)])
    assert not result.passed
    assert "deadline" in result.reason
    assert not started


def test_deadline_until_gives_the_last_failure_when_the_time_is_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.append(now.pop() + seconds))
    tries: list[int] = []

    def attempt() -> None:
        tries.append(1)
        raise ProbeError(f"failure {len(tries)}")

    with pytest.raises(ProbeError) as caught:
        Deadline(100.6).until(attempt)
    assert caught.value.what == "failure 2"


def test_deadline_until_ends_with_the_first_success() -> None:
    answers = iter([ProbeError("not yet"), None])

    def attempt() -> str:
        if error := next(answers):
            raise error
        return "done"

    assert _soon(60).until(attempt) == "done"

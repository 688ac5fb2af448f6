# SPDX-License-Identifier: Apache-2.0
"""Running probes: a few at once, each in a thread of its own, none longer than its deadline.

A probe ends by its deadline by itself. One that hangs all the same, in a system call or a library,
is left to its thread and counts as failed a moment later, so that a verdict always comes.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from puad.core.model import ProbeResult
from puad.health.probe import Deadline, ProbeError

AT_ONCE: Final = 4
_GRACE_S: Final = 5.0
_MAX_REASON: Final = 512


@dataclass(frozen=True, slots=True)
class Assigned:
    """A probe that this boot must or should pass."""

    name: str
    required: bool
    run: Callable[[Deadline], str]


class Runner:
    """Runs probes and collects what they found.

    Args:
        deadline: When all must have ended.
        probe_deadline_s: What each one has.
        grace_s: What a probe that does not end by itself is given on top.
    """

    def __init__(
        self, deadline: Deadline, probe_deadline_s: float, grace_s: float = _GRACE_S
    ) -> None:
        self._deadline = deadline
        self._probe_deadline_s = probe_deadline_s
        self._grace_s = grace_s
        self._answers: queue.SimpleQueue[tuple[int, ProbeResult]] = queue.SimpleQueue()
        self._ends: dict[int, float] = {}

    def run(self, probes: Sequence[Assigned]) -> tuple[ProbeResult, ...]:
        """The result of each probe, in the order given."""
        results: dict[int, ProbeResult] = {}
        waiting = deque(range(len(probes)))
        while len(results) < len(probes):
            while waiting and len(self._ends) < AT_ONCE:
                number = waiting.popleft()
                if self._deadline.left_s:
                    self._start(number, probes[number])
                else:
                    results[number] = _failed(probes[number], "the boot's deadline passed before")
            results |= self._collect(probes)
        return tuple(results[number] for number in range(len(probes)))

    def _start(self, number: int, probe: Assigned) -> None:
        deadline = self._deadline.within(self._probe_deadline_s)
        self._ends[number] = deadline.end + self._grace_s
        # a daemon thread: one that hangs must not keep the process from ending
        threading.Thread(
            target=lambda: self._answers.put((number, _run_one(probe, deadline))),
            name=f"probe-{probe.name}",
            daemon=True,
        ).start()

    def _collect(self, probes: Sequence[Assigned]) -> dict[int, ProbeResult]:
        """What came in next: an answer, or the end of a probe that gives none."""
        if not self._ends:
            return {}
        patience_s = max(0.0, min(self._ends.values()) - time.monotonic())
        try:
            number, result = self._answers.get(timeout=patience_s)
        except queue.Empty:
            number = min(self._ends, key=self._ends.__getitem__)
            result = _failed(probes[number], "it hangs and did not end in time")
        if number not in self._ends:
            return {}  # it was given up before
        del self._ends[number]
        return {number: result}


def _run_one(probe: Assigned, deadline: Deadline) -> ProbeResult:
    began = time.monotonic()
    reason = log_tail = ""
    try:
        log_tail = probe.run(deadline)
    except ProbeError as error:
        reason, log_tail = error.what, error.log_tail
    except Exception as error:  # noqa: BLE001 - a probe that crashes has failed, and says so
        reason = f"it crashed: {type(error).__name__}: {error}"
    return ProbeResult(
        name=probe.name,
        required=probe.required,
        passed=not reason,
        reason=" ".join(reason.split())[:_MAX_REASON],
        log_tail=log_tail,
        seconds=time.monotonic() - began,
    )


def _failed(probe: Assigned, reason: str) -> ProbeResult:
    return ProbeResult(probe.name, required=probe.required, passed=False, reason=reason)

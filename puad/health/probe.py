# SPDX-License-Identifier: Apache-2.0
"""Probes: one health check each, and the registry that finds them by name.

A probe is a class in a file of its own in `puad.health.probes`; naming itself is all it takes::

    class Disk(Probe, name="disk"):
        def run(self, deadline: Deadline) -> str: ...

`run` returns what it wants to add to the verdict when the probe passes, and raises `ProbeError`
when it does not. It must end by its deadline; what it may wait for, it waits for until then.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, TypeVar

from puad.config import Settings
from puad.core.errors import Code, PuadError
from puad.core.model import Slot

_PAUSE_S: Final = 0.5

Answer = TypeVar("Answer")


class ProbeError(PuadError):
    """A probe did not pass.

    Args:
        reason: Why, in one line.
        log_tail: The last lines that it printed.
    """

    def __init__(self, reason: str, *, log_tail: str = "") -> None:
        super().__init__(Code.PROBE_FAILED, reason)
        self.log_tail = log_tail


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time, on the monotonic clock."""

    end: float

    @property
    def left_s(self) -> float:
        """How long it is until then; never below 0."""
        return max(0.0, self.end - time.monotonic())

    def within(self, seconds: float) -> Deadline:
        """The nearer of this deadline and one in so many seconds."""
        return Deadline(min(self.end, time.monotonic() + seconds))

    def pause(self) -> bool:
        """Wait a moment before looking again; False when the time is up."""
        time.sleep(min(_PAUSE_S, self.left_s))
        return self.left_s > 0

    def until(self, attempt: Callable[[], Answer]) -> Answer:
        """Try again and again.

        Raises:
            ProbeError: The last failure, when the time is up.
        """
        while True:
            try:
                return attempt()
            except ProbeError:
                if not self.pause():
                    raise


@dataclass(frozen=True, slots=True)
class Boot:
    """What a probe may know of this boot: the configuration, and the booted slot if it is known."""

    settings: Settings
    slot: Slot | None


class Probe(ABC):
    """A built-in health check."""

    registry: ClassVar[dict[str, type[Probe]]] = {}

    def __init__(self, boot: Boot) -> None:
        self.boot = boot

    def __init_subclass__(cls, *, name: str) -> None:
        """Register the probe; two of one name are a bug."""
        if name in Probe.registry:
            raise TypeError(f"there are two probes {name}")
        Probe.registry[name] = cls

    @abstractmethod
    def run(self, deadline: Deadline) -> str:
        """Check; return what is worth keeping.

        Raises:
            ProbeError: The check failed.
        """

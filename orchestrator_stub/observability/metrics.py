# SPDX-License-Identifier: Apache-2.0
"""Metrics for Prometheus.

Rules:

1. No label has a value that grows with the fleet: no host, no image, no operator.
2. What a process counts is its own, so several processes are summed up. What is read from the
   records (`observability.fleet`) is the same at each, so one of them is taken.
3. Counters begin at 0 with every value that their labels are known to have, so that the first of a
   kind is seen as a rise.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from puad import __version__

_POLL_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_POLL_STATUSES: Final = (200, 400, 401, 403, 404, 409, 415, 429, 500, 503)


class RunEnd(StrEnum):
    """How an update run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Metrics:
    """The metrics of one running orchestrator, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._polls = self._counter("polls", "Polls of nodes, by HTTP status.", "code")
        self._poll_time = Histogram(
            "puad_poll_duration_seconds",
            "How long polls took, from their first byte to the last of the answer.",
            buckets=_POLL_BUCKETS_S,
            registry=self._registry,
        )
        self._runs = self._counter("update_runs_ended", "Update runs that ended, by end.", "end")
        self._begin_at_zero()

    def _counter(self, name: str, what: str, label: str) -> Counter:
        return Counter(f"puad_{name}", what, [label], registry=self._registry)

    def _begin_at_zero(self) -> None:
        for status in _POLL_STATUSES:
            self._polls.labels(status)
        for end in RunEnd:
            self._runs.labels(end)
        build = Gauge(
            "puad_build_info", "The version that runs.", ["version"], registry=self._registry
        )
        build.labels(__version__).set(1)

    def add(self, collector: Collector) -> None:
        """Ask somebody else as well when the metrics are read."""
        self._registry.register(collector)

    def poll(self, status: int, duration_s: float) -> None:
        """A node was answered."""
        self._polls.labels(status).inc()
        self._poll_time.observe(duration_s)

    def run_ended(self, end: RunEnd) -> None:
        """An update run ended, and that is committed."""
        self._runs.labels(end).inc()

    def text(self, accept: str) -> tuple[bytes, str]:
        """Everything in the form that a reader accepts, and the name of that form."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

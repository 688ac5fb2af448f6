# SPDX-License-Identifier: Apache-2.0
"""What the parts of the server count for themselves, as metrics.

They know nothing of metrics: they keep numbers, and these are read when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from orchestrator_stub.services import Services


class Tallies(Collector):
    """The numbers of one server's parts."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterable[Metric]:
        """Read them."""
        polls = self._services.maintenance.tally
        yield _counter(
            "puad_poll_answers",
            "How polls were answered: from memory, by reading the records, by writing them.",
            "way",
            {
                "memory": polls.remembered,
                "reading": polls.read,
                "writing": polls.written,
                "refused": polls.refused,
            },
        )
        yield _counter(
            "puad_database_errors",
            "What the database refused or did not answer; aborted is a lost race, tried again.",
            "code",
            {str(code): number for code, number in self._services.database.errors().items()},
        )
        manager = self._services.resource_manager
        if manager is not None:
            yield _counter(
                "puad_os_resource_refreshes",
                "Looks at the release service, by result.",
                "result",
                {"succeeded": manager.tally.succeeded, "failed": manager.tally.failed},
            )


def _counter(name: str, what: str, label: str, numbers: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, what, labels=[label])
    for value, number in numbers.items():
        family.add_metric([value], number)
    return family

# SPDX-License-Identifier: Apache-2.0
"""What whoever runs the orchestrator sees of it: metrics, logs, whether it lives and is ready.

None of it changes a record, and none of it ever holds a token.
"""

from __future__ import annotations

from fastapi import FastAPI

from orchestrator_stub.observability import health, run_ends
from orchestrator_stub.observability.fleet import Fleet
from orchestrator_stub.observability.metrics import Metrics
from orchestrator_stub.observability.requests import Observed
from orchestrator_stub.observability.tallies import Tallies
from orchestrator_stub.services import Services

__all__ = ["install"]


def install(app: FastAPI, services: Services, metrics_token: str = "") -> None:
    """Observe an application; nothing may be put around it afterwards.

    Args:
        app: The application.
        services: The parts behind it.
        metrics_token: What a reader of the metrics must present; when it is empty, only the
            loopback address may read them.
    """
    metrics = Metrics()
    metrics.add(Fleet(services.database))
    metrics.add(Tallies(services))
    run_ends.watch(services.database.sessions, metrics.run_ended)
    app.state.metrics, app.state.metrics_token = metrics, metrics_token
    app.include_router(health.router)
    app.add_middleware(Observed, metrics=metrics)

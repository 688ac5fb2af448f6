# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's pages, rendered on the server; they work without a script.

One file a page; what it reads stands in `queries_*` beside it, what it decides in pure functions.
"""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI

from orchestrator_stub.web import (
    account,
    api_tokens,
    errors,
    host,
    hosts,
    login,
    os_resources,
    places,
    policies,
    rollouts,
    schedule_edit,
    schedules,
)
from orchestrator_stub.web.live import Streams

_PAGES: Final = (
    login,
    hosts,
    host,
    os_resources,
    policies,
    schedules,
    schedule_edit,
    rollouts,
    places,
    account,
    api_tokens,
)


def install(app: FastAPI) -> None:
    """Serve the pages, and answer browsers with pages where something is refused."""
    app.state.live_streams = Streams()
    for module in _PAGES:
        app.include_router(module.router)
    errors.install(app)

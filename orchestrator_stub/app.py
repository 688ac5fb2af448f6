# SPDX-License-Identifier: Apache-2.0
"""The orchestrator as one ASGI application: its parts, and in which order they are put together."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from orchestrator_stub import observability, problem, web
from orchestrator_stub.body_limit import BodyLimit
from orchestrator_stub.gathering import Gathering
from orchestrator_stub.maintenance import Call
from orchestrator_stub.poll_queue import PollQueue
from orchestrator_stub.release_files import OneRangeFiles, ReleaseFiles
from orchestrator_stub.rest import openapi, routers
from orchestrator_stub.safe_headers import SafeHeaders
from orchestrator_stub.services import Services
from orchestrator_stub.southbound import Southbound
from puad import __version__
from puad.core.wire import Answer

_STATIC: Final = Path(__file__).parent / "static"
_PUBLISHED: Final = ("metadata", "targets")  # beside them lie releases that are not published yet


def create_app(
    services: Services, release_folder: Path | None = None, metrics_token: str = ""
) -> FastAPI:
    """The application over its services.

    Args:
        services: The parts behind the API.
        release_folder: The release service's static files, to be served under /release/.
        metrics_token: What a reader of /metrics must present; empty: the loopback address only.
    """
    app = FastAPI(
        title="puad orchestrator",
        version=__version__,
        lifespan=_lifespan,
        openapi_url=None,  # and so no page for it either, which would load scripts from elsewhere
    )
    app.state.services = services
    app.state.poll_queue = PollQueue()
    app.state.recalled = Gathering(services.maintenance.recall, "recall")
    app.add_middleware(BodyLimit)
    app.add_middleware(SafeHeaders)
    app.add_middleware(
        Southbound,
        services=services,
        poll_queue=app.state.poll_queue,
        recalled=app.state.recalled,
    )
    problem.install(app, openapi.allowed_methods)
    for router in (*routers(), openapi.router):
        app.include_router(router)
    web.install(app)
    app.mount("/static", OneRangeFiles(directory=_STATIC))
    if release_folder is not None:
        for part in _PUBLISHED:
            files = ReleaseFiles(directory=release_folder / part, check_dir=False)
            app.mount(f"/release/{part}", files)
    observability.install(app, services, metrics_token)  # around all that is above
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    manager = services.resource_manager
    services.maintenance.start()
    if manager is not None:
        manager.start()
    try:
        yield
    finally:
        if manager is not None:
            manager.stop()
        poll_queue: PollQueue = app.state.poll_queue
        poll_queue.close()
        recalled: Gathering[Call, Answer | None] = app.state.recalled
        recalled.close()
        services.maintenance.stop()
        services.database.close()

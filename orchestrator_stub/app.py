# SPDX-License-Identifier: Apache-2.0
"""The orchestrator as one ASGI application: southbound, REST, page, release files, health."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles

from orchestrator_stub import page, problem, southbound
from orchestrator_stub.body_limit import BodyLimit
from orchestrator_stub.release_files import ReleaseFiles
from orchestrator_stub.rest import routers
from orchestrator_stub.services import Services
from puad import __version__

_STATIC: Final = Path(__file__).parent / "static"
_PUBLISHED: Final = ("metadata", "targets")  # beside them lie releases that are not published yet


def create_app(services: Services, release_folder: Path | None = None) -> FastAPI:
    """The application over its services.

    Args:
        services: The parts behind the API.
        release_folder: The release service's static files, to be served under /release/.
    """
    app = FastAPI(
        title="puad orchestrator",
        version=__version__,
        lifespan=_lifespan,
        docs_url=None,  # the page that it would serve loads scripts from elsewhere
        redoc_url=None,
    )
    app.state.services = services
    app.add_middleware(BodyLimit)
    problem.install(app)
    app.include_router(southbound.router)
    app.include_router(page.router)
    for router in routers():
        app.include_router(router)
    app.add_api_route("/healthz", healthz, methods=["GET"], tags=["health"])
    app.mount("/static", StaticFiles(directory=_STATIC))
    if release_folder is not None:
        for part in _PUBLISHED:
            files = ReleaseFiles(directory=release_folder / part, check_dir=False)
            app.mount(f"/release/{part}", files)
    return app


def healthz(request: Request) -> dict[str, str]:
    """Whether the orchestrator can answer: 200 when its database does, 503 otherwise."""
    services: Services = request.app.state.services
    services.database.check()
    return {"status": "ok", "version": __version__}


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    manager = services.resource_manager
    if manager is not None:
        manager.start()
    try:
        yield
    finally:
        if manager is not None:
            manager.stop()
        services.database.close()

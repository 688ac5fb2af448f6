# SPDX-License-Identifier: Apache-2.0
"""Whether the orchestrator lives, whether it is ready, and its metrics, for whoever runs it.

`/healthz` says that the process answers, and asks nothing else: who restarts a server whose
database is away makes it worse. `/readyz` says whether it can do its work, and what is missing.
Both are open to anybody and tell nothing that is worth hiding.

`/metrics` tells how big the fleet is. Without a metrics token only the loopback address may read
it; with one, whoever presents it, and nobody else: what comes through a proxy on the same machine
comes from the loopback address, too.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from orchestrator_stub.access.bearer import token_of
from orchestrator_stub.access.secret import is_same
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.observability.metrics import Metrics
from orchestrator_stub.services import Services
from puad import __version__
from puad.core.addresses import is_loopback

OK: Final = "ok"
_FORWARDED: Final = ("forwarded", "via", "x-forwarded-for")
_NO_STORE: Final = {"Cache-Control": "no-store"}

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> JSONResponse:
    """Say that the process answers."""
    return JSONResponse({"status": OK, "version": __version__}, headers=_NO_STORE)


@router.get("/readyz")
def readyz(request: Request) -> JSONResponse:
    """Say whether it can do its work."""
    checks = readiness(request.app.state.services)
    is_ready = all(state == OK for state in checks.values())
    document: dict[str, Any] = {"status": OK if is_ready else "not ready", "checks": checks}
    return JSONResponse(document, status_code=200 if is_ready else 503, headers=_NO_STORE)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Give the metrics to who may read them."""
    _authorise(request, request.app.state.metrics_token)
    found: Metrics = request.app.state.metrics
    content, content_type = found.text(request.headers.get("accept", ""))
    return Response(content, headers={**_NO_STORE, "Content-Type": content_type})


def readiness(services: Services) -> dict[str, str]:
    """Each thing that has to be there: `ok`, or what is wrong with it."""
    checks = {"database": OK, "migrations": OK, "release_service": OK}
    try:
        if not services.database.is_current():
            checks["migrations"] = "the tables are of another version"
    except OrchestratorError:
        checks["database"] = "it does not answer"
        checks["migrations"] = "not known"
    manager = services.resource_manager
    if manager is not None and not manager.tally.succeeded:
        checks["release_service"] = "it has not been read yet"
    return checks


def _authorise(request: Request, token: str) -> None:
    if token:
        if not is_same(token_of(request.headers.get("authorization")), token):
            raise OrchestratorError(Code.UNAUTHENTICATED, "the metrics need the metrics token")
        return
    is_near = request.client is not None and is_loopback(request.client.host)
    if not is_near or any(name in request.headers for name in _FORWARDED):
        raise OrchestratorError(
            Code.PERMISSION_DENIED,
            "without a metrics token the metrics are for the loopback address alone",
        )

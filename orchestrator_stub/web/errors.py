# SPDX-License-Identifier: Apache-2.0
"""What a browser sees when something is refused or missing: a page, not a problem document.

Programs keep getting problem documents (`orchestrator_stub.problem`): the handlers that are
installed already answer for every path that belongs to an interface.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from orchestrator_stub.errors import HTTP_STATUS, OrchestratorError
from orchestrator_stub.web import rendering
from orchestrator_stub.web.visit import LoginNeededError, sentence

INTERFACES: Final = (
    "/v1/",
    "/maintmgr.v1.",
    "/release/",
    "/static/",
    "/metrics",
    "/healthz",
    "/readyz",
    "/openapi.json",
)
_Handler = Callable[[Request, Any], Response | Awaitable[Response]]

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Answer a browser with pages where the application has problem documents."""
    app.add_exception_handler(LoginNeededError, _log_in_first)
    for kind, answer in (
        (OrchestratorError, _refused),
        (RequestValidationError, _invalid),
        (HTTPException, _http),
        (Exception, _broken),
    ):
        app.add_exception_handler(kind, _for_browsers(answer, app.exception_handlers.get(kind)))


def _for_browsers(
    answer: Callable[[Request, Any], Response], otherwise: _Handler | None
) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handler(request: Request, error: Exception) -> Response:
        if otherwise is None or not request.scope["path"].startswith(INTERFACES):
            return answer(request, error)
        response = otherwise(request, error)
        return await response if inspect.isawaitable(response) else response

    return handler


def _log_in_first(request: Request, _error: Exception) -> Response:
    where = rendering.here(request)
    query = f"?{urlencode({'next': where})}" if where != "/" else ""
    return RedirectResponse(f"/login{query}", status_code=303, headers=rendering.HEADERS)


def _refused(request: Request, error: OrchestratorError) -> Response:
    if error.is_ours:
        log.error("%s %s: %s", request.method, request.scope["path"], error)
    return _page(request, HTTP_STATUS[error.code], sentence(error))


def _invalid(request: Request, _error: RequestValidationError) -> Response:
    return _page(request, 400, "The address has a value that no page can have.")


def _http(request: Request, error: HTTPException) -> Response:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _page(request, 404, "There is no such page.")
    response = _page(request, error.status_code, f"{error.detail}.")
    response.headers.update(error.headers or {})
    return response


def _broken(request: Request, error: Exception) -> Response:
    log.error("%s %s could not be answered", request.method, request.scope["path"], exc_info=error)
    return _page(request, 500, "The orchestrator could not answer. Its log says why.")


def _page(request: Request, status_code: int, what: str) -> Response:
    title = HTTPStatus(status_code).phrase
    return rendering.page(request, "error.html", {"title": title, "what": what}, status_code)

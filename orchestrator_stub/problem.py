# SPDX-License-Identifier: Apache-2.0
"""Errors of the REST API as RFC 9457 problem documents.

`code` is the word that a node would get for the same refusal (`orchestrator_stub.errors`). What a
caller sent is never repeated, and what broke inside stays in the log.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from orchestrator_stub.errors import HTTP_STATUS, Code, OrchestratorError

MEDIA_TYPE: Final = "application/problem+json"
_MAX_FIELDS: Final = 10

log = logging.getLogger(__name__)


def problem(
    status: int, code: Code, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """A problem document as a response."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    return JSONResponse(document, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def install(app: FastAPI) -> None:
    """Make every error of an application a problem document."""
    app.add_exception_handler(OrchestratorError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _broken)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, OrchestratorError):  # the signature is Starlette's
        return await _broken(request, error)
    if error.code in {Code.INTERNAL, Code.UNAVAILABLE}:
        log.error("%s %s: %s", request.method, request.url.path, error)
    headers = {"WWW-Authenticate": "Bearer"} if error.code is Code.UNAUTHENTICATED else None
    return problem(HTTP_STATUS[error.code], error.code, error.what, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        return await _broken(request, error)
    detail = "; ".join(_sentence(row) for row in error.errors()[:_MAX_FIELDS])
    return problem(400, Code.INVALID_ARGUMENT, detail)


def _sentence(row: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in row.get("loc", ()) if part not in {"body", "query"})
    what = str(row.get("msg", "it has a wrong value")).removeprefix("Value error, ")
    return f"{where}: {what}" if where else what


async def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        return await _broken(request, error)
    codes = {401: Code.UNAUTHENTICATED, 403: Code.PERMISSION_DENIED, 404: Code.NOT_FOUND}
    code = codes.get(error.status_code, Code.INVALID_ARGUMENT)
    return problem(error.status_code, code, str(error.detail), dict(error.headers or {}))


async def _broken(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s could not be answered", request.method, request.url.path, exc_info=error)
    return problem(500, Code.INTERNAL, "the orchestrator could not answer; see its log")

# SPDX-License-Identifier: Apache-2.0
"""Errors of the REST API as RFC 9457 problem documents.

`code` is the word that a node would get for the same refusal (`orchestrator_stub.errors`). What a
caller sent is never repeated, and what broke inside stays in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from orchestrator_stub.errors import HTTP_STATUS, Code, OrchestratorError, ThrottledError

MEDIA_TYPE: Final = "application/problem+json"
_MAX_FIELDS: Final = 10
_CODES: Final = {
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    405: Code.UNIMPLEMENTED,
    413: Code.RESOURCE_EXHAUSTED,
}
"""What the framework refuses by itself; the rest are invalid arguments."""
_WORDS: Final = {
    "missing": "it is needed",
    "extra_forbidden": "there is no such field",
    "dict_type": "it is no JSON object",
    "model_attributes_type": "it is no JSON object",
}
"""What is said in place of pydantic's words, which are for who knows its models."""

log = logging.getLogger(__name__)


def problem(
    status: int,
    code: Code,
    detail: str,
    headers: dict[str, str] | None = None,
    hint: str = "",
) -> JSONResponse:
    """A problem document as a response; `hint`, ours, says what to do next."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **({"hint": hint} if hint else {}),
    }
    return JSONResponse(document, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def install(app: FastAPI, allowed_methods: Callable[[str], str] = lambda _: "") -> None:
    """Make every error of an application a problem document.

    Args:
        app: The application.
        allowed_methods: The `Allow` header of a path. A router knows only the methods of the first
            route that it meets, but the header names all (RFC 9110); empty leaves the router's.
    """
    app.state.allowed_methods = allowed_methods
    app.add_exception_handler(OrchestratorError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _broken)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, OrchestratorError):  # the signature is Starlette's
        return await _broken(request, error)
    if error.is_ours:
        log.error("%s %s: %s", request.method, request.scope["path"], error)
    headers = {"WWW-Authenticate": "Bearer"} if error.code is Code.UNAUTHENTICATED else {}
    if isinstance(error, ThrottledError):
        headers["Retry-After"] = str(error.retry_after_s)
    return problem(HTTP_STATUS[error.code], error.code, error.what, headers, error.hint)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        return await _broken(request, error)
    # what may be left out could also be null, says pydantic, but nobody should write that
    rows = [row for row in error.errors() if row.get("type") != "none_required"]
    detail = "; ".join(_sentence(row) for row in rows[:_MAX_FIELDS])
    return problem(400, Code.INVALID_ARGUMENT, detail)


def _sentence(row: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in row.get("loc", ()) if part not in {"body", "query"})
    kind = row.get("type", "")
    if kind == "json_invalid":
        return f"the body is not JSON: {row['ctx']['error']} after {where} characters"
    if kind in _WORDS:
        return f"{where or 'the body'}: {_WORDS[kind]}"
    what = str(row.get("msg", "it has a wrong value")).removeprefix("Value error, ")
    return f"{where}: {what}" if where else what


async def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        return await _broken(request, error)
    code = _CODES.get(error.status_code, Code.INVALID_ARGUMENT)
    path: str = request.scope["path"]
    headers, detail, hint = dict(error.headers or {}), str(error.detail), ""
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        methods: str = request.app.state.allowed_methods(path)
        headers |= {"Allow": methods} if methods else {}
        detail = f"the path has other methods: {headers.get('Allow', 'none')}"
    elif error.status_code == HTTPStatus.NOT_FOUND:
        detail = "there is no such path"
        hint = "GET /openapi.json tells every path." if path.startswith("/v1/") else ""
    return problem(error.status_code, code, detail, headers, hint)


async def _broken(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s could not be answered", request.method, request.scope["path"], exc_info=error)
    return problem(500, Code.INTERNAL, "the orchestrator could not answer; see its log")

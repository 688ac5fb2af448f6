# SPDX-License-Identifier: Apache-2.0
"""Log in and out. The login form has a CSRF token of its own, because there is no session yet."""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from orchestrator_stub.access import browsers
from orchestrator_stub.errors import HTTP_STATUS, OrchestratorError, ThrottledError
from orchestrator_stub.web import rendering
from orchestrator_stub.web import session as sessions
from orchestrator_stub.web.forms import Form, read_form
from orchestrator_stub.web.visit import CSRF_FIELD, ChangingOwn, sentence

LOGIN_COOKIE: Final = "puad_login"
HOME: Final = "/hosts"
_NAME_CHARS: Final = 64
_NEXT_CHARS: Final = 2000

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(
    request: Request, next_page: Annotated[str, Query(alias="next")] = "", out: str = ""
) -> Response:
    """Ask for a name and a password."""
    if sessions.visitor_of(request, int(time.time())) is not None:
        return _go(_safe(next_page))
    note = "You are logged out." if out else ""
    if next_page and not out:
        note = "Log in to see that page."
    return _page(request, {"next": next_page, "name": "", "note": note, "error": ""})


@router.post("/login")
def log_in(request: Request, form: Annotated[Form, Depends(read_form)]) -> Response:
    """Open a session; it has a new id, so one that somebody else has planted is worth nothing."""
    sessions.check_login(request, form.secret(CSRF_FIELD), browsers.cookie(request, LOGIN_COOKIE))
    name, next_page = form.text("name", "Name", _NAME_CHARS), form.text("next", "", _NEXT_CHARS)
    try:
        opened = sessions.log_in(request, name, form.secret("password"), int(time.time()))
    except OrchestratorError as error:
        values = {"next": next_page, "name": name, "note": "", "error": sentence(error)}
        refused = _page(request, values, HTTP_STATUS[error.code])
        if isinstance(error, ThrottledError):
            refused.headers["Retry-After"] = str(error.retry_after_s)
        return refused
    response = _go(_safe(next_page))
    sessions.remember(request, response, opened)
    browsers.drop_cookie(request, response, LOGIN_COOKIE)
    return response


@router.post("/logout")
def log_out(visit: ChangingOwn) -> Response:
    """End the session."""
    response = _go("/login?out=1")
    sessions.log_out(visit.request, response)
    return response


@router.post("/theme")
def choose_theme(visit: ChangingOwn) -> Response:
    """Keep light, dark, or what the system has, for this browser."""
    response = _go(_safe(visit.form.text("next", "", _NEXT_CHARS)))
    theme = visit.form.text("theme")
    if theme in rendering.THEMES:
        browsers.keep_cookie(visit.request, response, rendering.THEME_COOKIE, theme, 365 * 86_400)
    return response


def _safe(next_page: str) -> str:
    return next_page if rendering.is_local(next_page) else HOME


def _go(path: str) -> Response:
    return RedirectResponse(path, status_code=303, headers=rendering.HEADERS)


def _page(request: Request, values: dict[str, Any], status_code: int = 200) -> Response:
    token = browsers.cookie(request, LOGIN_COOKIE) or secrets.token_urlsafe(32)
    response = rendering.page(request, "login.html", {CSRF_FIELD: token, **values}, status_code)
    browsers.keep_cookie(request, response, LOGIN_COOKIE, token, None)
    return response

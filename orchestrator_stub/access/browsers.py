# SPDX-License-Identifier: Apache-2.0
"""Browsers over HTTP: the cookie of a session, and what a request that changes something shows.

The cookie is out of reach of scripts, goes with no request that another site starts but a plain
link, and under TLS never over plain HTTP.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from orchestrator_stub.access import csrf, sessions
from orchestrator_stub.access.access import Browser
from orchestrator_stub.access.sessions import Opened

COOKIE: Final = "puad_session"


def cookie_of(request: Request) -> str:
    """The session's id that a browser presents; empty without one."""
    return request.cookies.get(COOKIE, "")


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def remember(request: Request, response: Response, opened: Opened) -> None:
    """Let the browser keep the session that was opened."""
    response.set_cookie(
        COOKIE,
        opened.cookie,
        max_age=sessions.MOST_S,
        path="/",
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="lax",
    )


def forget(request: Request, response: Response) -> None:
    """Let the browser forget its session."""
    response.delete_cookie(
        COOKIE,
        path="/",
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="lax",
    )


def check_origin(request: Request) -> None:
    """Refuse what another site has sent; all that a login can be held to.

    Raises:
        OrchestratorError: `PERMISSION_DENIED`.
    """
    csrf.refuse_other_sites(request.headers, request.scope["scheme"])


def check_change(request: Request, browser: Browser, token: str | None) -> None:
    """Refuse a request to change something that is not of a page of this session.

    Args:
        request: A POST, PUT, PATCH or DELETE.
        browser: Who has sent it.
        token: What its form holds; None when it is a script, which sends a header.

    Raises:
        OrchestratorError: `PERMISSION_DENIED`.
    """
    check_origin(request)
    csrf.check(token or request.headers.get(csrf.HEADER), browser.csrf_token)

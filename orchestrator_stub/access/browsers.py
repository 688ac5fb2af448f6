# SPDX-License-Identifier: Apache-2.0
"""Browsers over HTTP: the cookie of a session, and what a request that changes something shows.

A cookie is out of reach of scripts and goes with no request that another site starts but a plain
link. Under TLS it never goes over plain HTTP, and its name keeps others from planting one: a
neighbour in the domain, or another service of the same machine, would log the operator in as
somebody else.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from orchestrator_stub.access import csrf, sessions
from orchestrator_stub.access.access import Browser
from orchestrator_stub.access.sessions import Opened

COOKIE: Final = "puad_session"
_OWN_HOST: Final = "__Host-"  # RFC 6265bis: only this very host, over TLS, can have set it


def cookie(request: Request, name: str) -> str:
    """What a browser presents as a cookie of this server; empty without one."""
    return request.cookies.get(_spelt(request, name), "")


def keep_cookie(
    request: Request, response: Response, name: str, value: str, max_age_s: int | None
) -> None:
    """Let the browser keep a cookie that no script reads and no other site's form sends.

    Args:
        request: That is answered.
        response: Its answer.
        name: What the cookie is called here.
        value: What it holds.
        max_age_s: How long it is kept; None for as long as the browser runs.
    """
    response.set_cookie(
        _spelt(request, name),
        value,
        max_age=max_age_s,
        path="/",
        secure=_is_tls(request),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: Request, response: Response, name: str) -> None:
    """Let the browser forget a cookie."""
    response.delete_cookie(
        _spelt(request, name), path="/", secure=_is_tls(request), httponly=True, samesite="lax"
    )


def cookie_of(request: Request) -> str:
    """The session's id that a browser presents; empty without one."""
    return cookie(request, COOKIE)


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def remember(request: Request, response: Response, opened: Opened) -> None:
    """Let the browser keep the session that was opened."""
    keep_cookie(request, response, COOKIE, opened.cookie, sessions.MOST_S)


def forget(request: Request, response: Response) -> None:
    """Let the browser forget its session."""
    drop_cookie(request, response, COOKIE)


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


def _is_tls(request: Request) -> bool:
    return bool(request.scope["scheme"] == "https")


def _spelt(request: Request, name: str) -> str:
    return f"{_OWN_HOST}{name}" if _is_tls(request) else name

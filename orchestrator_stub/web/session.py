# SPDX-License-Identifier: Apache-2.0
"""Who is logged in: the one module through which the pages know operators and their sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from orchestrator_stub.access import browsers, callers, csrf, operators
from orchestrator_stub.access.access import Access, Browser, Login
from orchestrator_stub.access.passwords import LEAST_CHARS
from orchestrator_stub.access.sessions import Opened
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.services import Services
from orchestrator_stub.vocabulary import Scope

LEAST_PASSWORD_CHARS: Final = LEAST_CHARS


@dataclass(frozen=True, slots=True)
class ProjectAccess:
    """A project that an operator may see, and whether they may change it."""

    uuid: str
    name: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class Visitor:
    """An operator who is logged in, as one request finds them.

    Attributes:
        browser: Their session.
        projects: Those that exist for them, by name.
    """

    browser: Browser = field(repr=False)
    projects: tuple[ProjectAccess, ...]

    @property
    def name(self) -> str:
        """The operator's name."""
        return self.browser.caller.name

    @property
    def time_zone(self) -> str:
        """The zone that they think in."""
        return self.browser.time_zone

    @property
    def project_uuid(self) -> str:
        """The project that they looked at last; empty before they chose one."""
        return self.browser.project_uuid or ""

    @property
    def csrf_token(self) -> str:
        """What each of their forms sends along."""
        return self.browser.csrf_token


def visitor_of(request: Request, now_s: int) -> Visitor | None:
    """Who sits before the browser of a request; None when nobody is logged in."""
    browser = _access(request).browser(browsers.cookie_of(request), now_s)
    if browser is None:
        return None
    caller = browser.caller
    with _services(request).database.reading() as session:
        projects = tuple(
            ProjectAccess(project.uuid, project.name, scope)
            for project in callers.projects_of(session, caller)
            if (scope := caller.scope_in(project.uuid)) is not None
        )
    return Visitor(browser, projects)


def log_in(request: Request, name: str, password: str, now_s: int) -> Opened:
    """Open a session.

    Raises:
        OrchestratorError: `UNAUTHENTICATED`, with the same words for a wrong name.
        ThrottledError: When too many have failed.
    """
    return _access(request).log_in(_login(request, name, password), now_s)


def remember(request: Request, response: Response, opened: Opened) -> None:
    """Let the browser keep the session that was opened."""
    browsers.remember(request, response, opened)


def log_out(request: Request, response: Response) -> None:
    """End the session, and let the browser forget it."""
    _access(request).log_out(browsers.cookie_of(request))
    browsers.forget(request, response)


def choose(request: Request, visitor: Visitor, project_uuid: str) -> None:
    """Remember which project the browser looks at."""
    _access(request).choose(visitor.browser, project_uuid)


def check_change(request: Request, visitor: Visitor, token: str) -> None:
    """Refuse a form that is not of a page of this session.

    Raises:
        OrchestratorError: `PERMISSION_DENIED`.
    """
    browsers.check_change(request, visitor.browser, token)


def check_login(request: Request, token: str, expected: str) -> None:
    """Refuse a login that is not of a login page which this browser has; it has no session yet.

    Raises:
        OrchestratorError: `PERMISSION_DENIED`.
    """
    browsers.check_origin(request)
    csrf.check(token if expected else None, expected)


def set_time_zone(session: Session, visitor: Visitor, time_zone: str) -> None:
    """Set the zone in which an operator reads times."""
    operators.get(session, visitor.name).time_zone = time_zone


def change_password(request: Request, visitor: Visitor, old: str, new: str) -> None:
    """Give an operator another password; their other sessions end.

    Raises:
        OrchestratorError: `UNAUTHENTICATED`, when the old one is wrong; `INVALID_ARGUMENT`, when
            the new one would be guessed.
        ThrottledError: When too many have failed.
    """
    login = _login(request, visitor.name, old)
    try:
        _access(request).change_password(visitor.browser, login, new)
    except OrchestratorError as error:
        if error.code is not Code.UNAUTHENTICATED:
            raise
        raise OrchestratorError(error.code, "The present password is wrong.") from error


def _login(request: Request, name: str, password: str) -> Login:
    return Login(name, password, browsers.address_of(request), browsers.cookie_of(request))


def _access(request: Request) -> Access:
    return _services(request).access


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services

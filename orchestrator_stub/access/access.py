# SPDX-License-Identifier: Apache-2.0
"""Access: what a running orchestrator asks about who calls.

Bearer tokens are for programs, sessions for browsers; both become a `Caller`. Operators and their
memberships are read at each request, so what a command takes away is gone at once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.orm import Session

from orchestrator_stub.access import callers, operators, sessions, tokens
from orchestrator_stub.access.bearer import token_of
from orchestrator_stub.access.callers import Caller
from orchestrator_stub.access.passwords import Passwords, check_new
from orchestrator_stub.access.secret import is_same
from orchestrator_stub.access.sessions import Opened
from orchestrator_stub.access.throttle import LoginThrottle
from orchestrator_stub.database import Database
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Operator, OperatorSession

log = logging.getLogger(__name__)

_MOST_COOKIE_CHARS: Final = 256


@dataclass(frozen=True, slots=True)
class Login:
    """What somebody logs in with.

    Attributes:
        name: The operator's name, as they wrote it.
        password: Their password.
        address: Where they call from.
        cookie: The session that the browser has already, which ends; empty without one.
    """

    name: str
    password: str = field(repr=False)
    address: str
    cookie: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser that is logged in, as one request finds it.

    Attributes:
        caller: Who sits before it.
        time_zone: The zone that they think in.
        project_uuid: The project that they look at; None before they chose one.
        csrf_token: What each of its forms sends along.
        token_hash: The stored name of its session.
    """

    caller: Caller
    time_zone: str
    project_uuid: str | None
    csrf_token: str = field(repr=False)
    token_hash: str = field(repr=False)


class Access:
    """Who calls, and what they may do.

    Args:
        database: Operators, sessions, API tokens.
        api_token: What opens every project, of the data directory.
        passwords: Hashes and verifies.
        throttle: Slows guessing down.
    """

    def __init__(
        self,
        database: Database,
        api_token: str,
        passwords: Passwords | None = None,
        throttle: LoginThrottle | None = None,
    ) -> None:
        self._database = database
        self._api_token = api_token
        self._passwords = passwords or Passwords()
        self._throttle = throttle or LoginThrottle()

    def bearer(self, authorization: str | None, now_s: int) -> Caller:
        """The caller of an `Authorization` header.

        Raises:
            OrchestratorError: `UNAUTHENTICATED`, without a token that is valid.
        """
        token = token_of(authorization)
        if not token:
            raise _locked("an API token is needed, as Authorization: Bearer")
        if is_same(token, self._api_token):
            return callers.OWNER
        if token.startswith(tokens.PREFIX):
            with self._database.reading() as session:
                found = tokens.find(session, token)
                if found is not None and tokens.has_expired(found, now_s):
                    raise _locked("the API token has expired")
                if found is not None:
                    return callers.of_token(found)
        raise _locked("there is no such API token")

    def browser(self, cookie: str | None, now_s: int) -> Browser | None:
        """The logged-in browser of a cookie; None when there is none, or its session has ended."""
        if not cookie or len(cookie) > _MOST_COOKIE_CHARS:
            return None
        with self._database.reading() as session:
            found = sessions.find(session, cookie, now_s)
            if found is None:
                return None
            needs_mark = sessions.needs_mark(found, now_s)
            browser = Browser(
                caller=callers.of_operator(found.operator),
                time_zone=found.operator.time_zone,
                project_uuid=found.project_uuid,
                csrf_token=found.csrf_token,
                token_hash=found.token_hash,
            )
        if needs_mark:
            self._database.write(lambda session: _mark(session, browser, now_s))
        return browser

    def log_in(self, login: Login, now_s: int) -> Opened:
        """Open a session for whoever has the password.

        Raises:
            OrchestratorError: `UNAUTHENTICATED`, with the same words for a wrong name.
            ThrottledError: When too many have failed.
        """
        name = operators.spelt(login.name)
        stored = self._verified(name, login)
        outdated = self._passwords.is_outdated(stored)
        kept = self._passwords.hash_of(login.password) if outdated else stored

        def open_session(session: Session) -> Opened:
            operator = _unchanged(session, name, stored)
            operator.password_hash = kept
            sessions.close(session, login.cookie)
            return sessions.open_for(session, operator, now_s)

        opened = self._database.write(open_session)
        log.info("operator %s has logged in from %s", name, login.address)
        return opened

    def log_out(self, cookie: str | None) -> None:
        """End the session of a cookie."""
        if cookie:
            self._database.write(lambda session: sessions.close(session, cookie))

    def choose(self, browser: Browser, project_uuid: str) -> None:
        """Remember which project a browser looks at; it has to exist for its operator."""
        if browser.caller.scope_in(project_uuid) is None:
            raise OrchestratorError(Code.NOT_FOUND, "there is no such project")

        def remember(session: Session) -> None:
            found = session.get(OperatorSession, browser.token_hash)
            if found is not None:
                found.project_uuid = project_uuid

        self._database.write(remember)

    def change_password(self, browser: Browser, login: Login, new: str) -> None:
        """Give a logged-in operator another password; their other sessions end.

        Args:
            browser: Whose session goes on.
            login: The present password, and where the call comes from.
            new: The password to be.

        Raises:
            OrchestratorError: `UNAUTHENTICATED` for a wrong present password, `INVALID_ARGUMENT`
                for a new one that would be guessed.
            ThrottledError: When too many have failed.
        """
        name = browser.caller.name
        check_new(new, name)
        stored = self._verified(name, login)
        made = self._passwords.hash_of(new)

        def change(session: Session) -> None:
            operator = _unchanged(session, name, stored)
            operators.set_password(session, operator, made, kept=browser.token_hash)

        self._database.write(change)
        log.info("operator %s has changed their password", name)

    def _verified(self, name: str, login: Login) -> str:
        """The stored hash of the password that was given."""
        self._throttle.begin(name, login.address)
        with self._database.reading() as session:
            found = operators.find(session, name)
            stored = found.password_hash if found else None
        if not self._passwords.is_right(stored, login.password) or stored is None:
            # what is no operator's name may be a password in the wrong field
            known = "a name that nobody has" if stored is None else name
            log.warning("a login as %s from %s failed", known, login.address)
            raise _wrong()
        self._throttle.succeeded(name, login.address)
        return stored


def _locked(what: str) -> OrchestratorError:
    hint = "`puad-orchestrator token add` makes one, and so does the page API tokens."
    return OrchestratorError(Code.UNAUTHENTICATED, what, hint=hint)


def _unchanged(session: Session, name: str, stored: str) -> Operator:
    """The operator whose password was verified, unless it has been changed meanwhile."""
    operator = operators.find(session, name)
    if operator is None or operator.password_hash != stored:
        raise _wrong()
    return operator


def _mark(session: Session, browser: Browser, now_s: int) -> None:
    found = session.get(OperatorSession, browser.token_hash)
    if found is not None:
        found.used_s = max(found.used_s, now_s)


def _wrong() -> OrchestratorError:
    return OrchestratorError(Code.UNAUTHENTICATED, "the name or the password is wrong")

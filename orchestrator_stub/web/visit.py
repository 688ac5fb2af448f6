# SPDX-License-Identifier: Apache-2.0
"""One request of an operator's browser: who, in which project, and what may be done.

Rules:

1. A page needs a session; without one the browser is sent to the login page and comes back.
2. The project is one of the operator's own: `?project=` chooses it, the session remembers it,
   and both are looked up in the memberships each time. Records of another project are not found.
3. Whoever posts a form presents the session's CSRF token and has write scope. Handlers cannot
   forget it: a form reaches them only through `Changing`.
4. A form changes the project of the page that it stands on, whatever another tab has chosen since.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from orchestrator_stub.access import browsers
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Base
from orchestrator_stub.records.base import is_id, of_project
from orchestrator_stub.services import Services
from orchestrator_stub.vocabulary import Scope
from orchestrator_stub.web import clock, messages, rendering
from orchestrator_stub.web import session as sessions
from orchestrator_stub.web.forms import Form, read_form
from orchestrator_stub.web.messages import Message, Tone
from orchestrator_stub.web.session import ProjectAccess, Visitor

CSRF_FIELD: Final = "csrf_token"
PROJECT_FIELD: Final = "project"
_PROJECT_CHARS: Final = 64

Row = TypeVar("Row", bound=Base)


class LoginNeededError(Exception):
    """Nobody is logged in; the login page comes first."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is logged in."""

    request: Request
    services: Services
    visitor: Visitor
    project: ProjectAccess
    clock: clock.Clock
    form: Form = field(default_factory=Form)

    @property
    def now_s(self) -> int:
        """The time of the request, Unix seconds."""
        return self.clock.now_s

    @property
    def may_write(self) -> bool:
        """Whether this operator may change this project."""
        return self.project.scope is Scope.WRITE

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that changes nothing."""
        with self.services.database.reading() as session:
            yield session

    def mine(self, session: Session, table: type[Row], row_id: str) -> Row:
        """A record of this project.

        Raises:
            OrchestratorError: `NOT_FOUND`, also when it belongs to another project.
        """
        row = of_project(session, table, row_id, self.project.uuid)
        if row is None:
            known = row_id if is_id(row_id) else "such record"
            raise OrchestratorError(
                Code.NOT_FOUND, f"There is no {known} in project {self.project.name}."
            )
        return row

    def page(self, template: str, values: dict[str, Any], status_code: int = 200) -> Response:
        """A page with its values, and the message that a redirect has left for it."""
        cookie = browsers.cookie(self.request, messages.COOKIE)
        message = messages.load(cookie, self.visitor.csrf_token) if cookie else None
        response = rendering.page(
            self.request, template, {**self.common(), "message": message, **values}, status_code
        )
        if cookie:
            browsers.drop_cookie(self.request, response, messages.COOKIE)
        return response

    def common(self) -> dict[str, Any]:
        """What every template of a visit knows."""
        return {
            "visitor": self.visitor,
            "project": self.project,
            "may_write": self.may_write,
            "clock": self.clock,
            "csrf_token": self.visitor.csrf_token,
        }

    def to(self, path: str, text: str, tone: Tone = Tone.DONE) -> Response:
        """The way to another page, with a message for it."""
        response = RedirectResponse(path, status_code=303, headers=rendering.HEADERS)
        value = messages.dump(Message(tone, text), self.visitor.csrf_token)
        browsers.keep_cookie(self.request, response, messages.COOKIE, value, messages.MAX_AGE_S)
        return response

    def change(
        self,
        path: str,
        change: Callable[[Session], str],
        back: str | None = None,
        then: Callable[[], None] | None = None,
    ) -> Response:
        """Make a change and go on to a page that says what was done, or why it was refused.

        Args:
            path: Where to go on.
            change: It makes the change and gives the message; see `Database.write`.
            back: Where to go when it is refused; `path` when left out.
            then: What follows from the change, once that is made.
        """
        try:
            text = self.services.database.write(change)
            if then is not None:
                then()
            return self.to(path, text)
        except OrchestratorError as error:
            if error.code in {Code.NOT_FOUND, Code.INTERNAL}:
                raise
            return self.to(back or path, sentence(error), Tone.REFUSED)


def sentence(error: OrchestratorError) -> str:
    """An error as an operator reads it: what happened, and what to do."""
    what = error.what[:1].upper() + error.what[1:]
    if what[-1:] not in ".!?":
        what += "."
    return f"{what} {error.hint}".strip()


def visiting(
    request: Request, project: Annotated[str, Query(max_length=_PROJECT_CHARS)] = ""
) -> Visit:
    """The visit that a request is; its session remembers the project.

    Raises:
        LoginNeededError: When nobody is logged in.
        OrchestratorError: `NOT_FOUND`, when the operator has no such project.
    """
    return _remembered(looking(request, project))


def looking(request: Request, project: str) -> Visit:
    """The visit that a request is, which leaves no trace.

    Raises:
        LoginNeededError: When nobody is logged in.
        OrchestratorError: `NOT_FOUND`, when the operator has no such project.
    """
    now_s = int(time.time())
    visitor = sessions.visitor_of(request, now_s)
    if visitor is None:
        raise LoginNeededError
    return Visit(
        request=request,
        services=request.app.state.services,
        visitor=visitor,
        project=_chosen(visitor, project),
        clock=clock.Clock(now_s, clock.zone(visitor.time_zone)),
    )


def writing(visit: Annotated[Visit, Depends(visiting)]) -> Visit:
    """A visit of somebody who may change the project.

    Raises:
        OrchestratorError: `PERMISSION_DENIED`, without write scope.
    """
    if not visit.may_write:
        raise OrchestratorError(
            Code.PERMISSION_DENIED,
            f"You may look at project {visit.project.name}, but change nothing in it.",
        )
    return visit


def changing(request: Request, form: Annotated[Form, Depends(read_form)]) -> Visit:
    """A visit that sends a form, once that has been proved to be meant.

    Raises:
        LoginNeededError: When nobody is logged in.
        OrchestratorError: `PERMISSION_DENIED`, without the CSRF token or write scope; `NOT_FOUND`,
            when the operator has no such project.
    """
    visit = looking(request, form.text(PROJECT_FIELD, "Project", _PROJECT_CHARS))
    return writing(_remembered(_sent(visit, form)))


def changing_own(request: Request, form: Annotated[Form, Depends(read_form)]) -> Visit:
    """The same, for what is the operator's own and needs no write scope."""
    return _sent(looking(request, ""), form)


Visiting = Annotated[Visit, Depends(visiting)]
Writing = Annotated[Visit, Depends(writing)]
Changing = Annotated[Visit, Depends(changing)]
ChangingOwn = Annotated[Visit, Depends(changing_own)]


def _remembered(visit: Visit) -> Visit:
    if visit.visitor.project_uuid != visit.project.uuid:
        sessions.choose(visit.request, visit.visitor, visit.project.uuid)
    return visit


def _sent(visit: Visit, form: Form) -> Visit:
    sessions.check_change(visit.request, visit.visitor, form.secret(CSRF_FIELD))
    return Visit(visit.request, visit.services, visit.visitor, visit.project, visit.clock, form)


def _chosen(visitor: Visitor, asked: str) -> ProjectAccess:
    if asked:
        for project in visitor.projects:
            if asked in {project.name, project.uuid}:
                return project
        raise OrchestratorError(Code.NOT_FOUND, "There is no such project.")
    if not visitor.projects:
        raise OrchestratorError(
            Code.PERMISSION_DENIED,
            "You are a member of no project yet.",
            hint="Ask whoever runs the orchestrator for a membership.",
        )
    known = {project.uuid: project for project in visitor.projects}
    return known.get(visitor.project_uuid, visitor.projects[0])

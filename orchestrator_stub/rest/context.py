# SPDX-License-Identifier: Apache-2.0
"""What every REST handler needs: an authorised caller, its project, and sessions on the records.

A client presents a bearer token (`access`). A GET reads; everything else writes. Who calls is
settled before a byte of the body is read: FastAPI alone would first read and parse what a stranger
sends.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from orchestrator_stub.access import callers
from orchestrator_stub.access.callers import project_for, scope_of
from orchestrator_stub.database import Database
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import ApiToken, Base, lock_project
from orchestrator_stub.records.base import is_id, of_project
from orchestrator_stub.services import Services

_JSON: Final = re.compile(r"application/([a-z0-9.-]+\+)?json")

Row = TypeVar("Row", bound=Base)
_Result = TypeVar("_Result")


def authorise(request: Request, project: str) -> tuple[str, str]:
    """Let in who may do this in that project.

    Returns:
        The project's UUID, and who it is, as operators know them.

    Raises:
        OrchestratorError: `UNAUTHENTICATED`, without a valid token; `NOT_FOUND`, when the project
            does not exist, or not for this caller; `PERMISSION_DENIED`, when they may only read.
    """
    services: Services = request.app.state.services
    caller = services.access.bearer(request.headers.get("authorization"), int(time.time()))
    if "\0" in project:  # no name has it, and PostgreSQL refuses the question
        raise OrchestratorError(Code.NOT_FOUND, "there is no such project")
    with services.database.reading() as session:
        found = project_for(session, caller, project, scope_of(request.method))
        return found.uuid, _known_as(session, caller)


def _known_as(session: Session, caller: callers.Caller) -> str:
    if caller.kind is not callers.CallerKind.TOKEN:
        return caller.name
    token = session.get(ApiToken, caller.name)
    return f"API token {token.name if token else caller.name}"


@dataclass(frozen=True, slots=True)
class Context:
    """One request for one project, of somebody who may make it."""

    services: Services
    project_uuid: str
    who: str

    @property
    def database(self) -> Database:
        """The records."""
        return self.services.database

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that changes nothing."""
        with self.database.reading() as session:
            yield session

    def write(self, change: Callable[[Session], _Result]) -> _Result:
        """Make a change; it is made again when another writer was quicker, such as a poll."""
        return self.database.write(change)

    def now_s(self) -> int:
        """The time, Unix seconds."""
        return int(time.time())

    def mine(self, session: Session, table: type[Row], row_id: str) -> Row:
        """A record of this project.

        Raises:
            OrchestratorError: `NOT_FOUND`, also when it belongs to another project.
        """
        row = of_project(session, table, row_id, self.project_uuid)
        if row is None:
            known = row_id if is_id(row_id) else "such record"
            raise OrchestratorError(Code.NOT_FOUND, f"there is no {known} in this project")
        return row

    def alone(self, session: Session) -> None:
        """Be the only one to change this project's tree or names (`records.lock_project`)."""
        lock_project(session, self.project_uuid)


def _require_json(request: Request) -> None:
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _JSON.fullmatch(media_type):
        raise HTTPException(
            415, "send Content-Type: application/json", {"Accept-Post": "application/json"}
        )


class AuthorisedRoute(APIRoute):
    """A route that lets nobody in who may not do this in that project."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        answer = super().get_route_handler()

        async def settle_and_answer(request: Request) -> Response:
            named = request.path_params["project"]
            request.state.caller = await run_in_threadpool(authorise, request, named)
            _require_json(request)
            return await answer(request)

        return settle_and_answer


def _context(
    request: Request,
    project: Annotated[str, Path(description="The project's name or UUID.")],  # noqa: ARG001 - for the document; the route has settled it
) -> Context:
    project_uuid, who = request.state.caller
    return Context(request.app.state.services, project_uuid, who)


Caller = Annotated[Context, Depends(_context)]
AUTHORISED: Final = (Depends(_context),)
"""For a handler that needs nothing of the caller but that it is one."""

# SPDX-License-Identifier: Apache-2.0
"""What every REST handler needs: an authorised caller, a project, a session, a page of a list.

An operator's client presents the API token as a bearer token; it is the same for every project.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query, Request
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from orchestrator_stub.database import Database
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.services import Services
from orchestrator_stub.tables import Base, Project

DEFAULT_PAGE_SIZE: Final = 20
MAX_PAGE_SIZE: Final = 100
MAX_OFFSET: Final = 1_000_000
_JSON: Final = re.compile(r"application/([a-z0-9.-]+\+)?json")

Row = TypeVar("Row", bound=Base)


def authorise(request: Request) -> Services:
    """Let only an operator's client in.

    Raises:
        OrchestratorError: `UNAUTHENTICATED`, without the API token.
    """
    services: Services = request.app.state.services
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not is_token(services, token.strip()):
        raise OrchestratorError(
            Code.UNAUTHENTICATED, "the API token is needed, as Authorization: Bearer"
        )
    return services


def is_token(services: Services, token: str) -> bool:
    """Whether this is the API token, compared in constant time."""
    return secrets.compare_digest(token.encode(errors="replace"), services.api_token.encode())


@dataclass(frozen=True, slots=True)
class Context:
    """One authorised request for one project."""

    services: Services
    project_uuid: str

    @property
    def database(self) -> Database:
        """The records."""
        return self.services.database

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that changes nothing."""
        with self.database.reading() as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed at the end."""
        with self.database.writing() as session:
            yield session

    def now_s(self) -> int:
        """The time, Unix seconds."""
        return int(time.time())

    def mine(self, session: Session, table: type[Row], row_id: str) -> Row:
        """A record of this project.

        Raises:
            OrchestratorError: `NOT_FOUND`, also when it belongs to another project.
        """
        row = session.get(table, row_id)
        if row is None or getattr(row, "project_uuid", None) != self.project_uuid:
            raise OrchestratorError(Code.NOT_FOUND, f"there is no {row_id} in this project")
        return row


def _require_json(request: Request) -> None:
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _JSON.fullmatch(media_type):
        raise HTTPException(
            415, "send Content-Type: application/json", {"Accept-Post": "application/json"}
        )


def _context(
    request: Request, project: str, services: Annotated[Services, Depends(authorise)]
) -> Context:
    _require_json(request)
    with services.database.reading() as session:
        found = session.scalars(
            select(Project).where(or_(Project.uuid == project.lower(), Project.name == project))
        ).first()
    if found is None:
        raise OrchestratorError(Code.NOT_FOUND, "there is no such project")
    return Context(services, found.uuid)


Caller = Annotated[Context, Depends(_context)]


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted."""

    size: int
    offset: int


def _page(
    page_size: Annotated[int, Query(alias="pageSize", ge=1, le=MAX_PAGE_SIZE)] = DEFAULT_PAGE_SIZE,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
) -> Page:
    return Page(page_size, offset)


WantedPage = Annotated[Page, Depends(_page)]


def listing(
    session: Session,
    page: Page,
    plural: str,
    wanted: Select[Row],
    document: Callable[[Row], dict[str, Any]],
) -> dict[str, Any]:
    """One page of a list, as every list of the API has it."""
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    rows = session.scalars(wanted.limit(page.size).offset(page.offset)).unique().all()
    return {
        plural: [document(row) for row in rows],
        "totalElements": total,
        "hasNext": page.offset + len(rows) < total,
    }

# SPDX-License-Identifier: Apache-2.0
"""API tokens of a project: what programs call the REST API with."""

from __future__ import annotations

import logging
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.access import tokens
from orchestrator_stub.errors import HTTP_STATUS, OrchestratorError
from orchestrator_stub.records import ApiToken, Project
from orchestrator_stub.vocabulary import Scope
from orchestrator_stub.web.visit import Changing, Visit, Visiting, sentence

PATH: Final = "/api-tokens"
SCOPE_TEXTS: Final = {Scope.READ: "Read", Scope.WRITE: "Read and write"}
LIFETIMES: Final = {"30": "30 days", "90": "90 days", "365": "1 year"}
_DAY_S: Final = 86_400
_MOST_DAYS: Final = 3653
_NAME_CHARS: Final = 64

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False, prefix=PATH)


@router.get("")
def api_tokens(visit: Visiting) -> Response:
    """List the tokens."""
    return _page(visit, {})


@router.post("")
def make_token(visit: Changing) -> Response:
    """Make a token, and tell it: this page is the only one that has it.

    It is the answer itself and no redirect, because nothing keeps a token in between. Sending the
    form again makes no second one: its name is taken then.
    """
    form = visit.form
    try:
        name = form.text("name", "Name", _NAME_CHARS)
        scope = form.word("scope", Scope, "Scope")
        until_s = visit.now_s + form.number("days", "Valid for", 1, _MOST_DAYS) * _DAY_S
        with visit.services.database.writing() as session:
            project = session.get_one(Project, visit.project.uuid)
            issued = tokens.issue(session, project, name, scope, until_s)
        _note(visit, "made", issued.token_id, name)
    except OrchestratorError as error:
        return _page(visit, {"error": sentence(error)}, HTTP_STATUS[error.code])
    return _page(visit, {"issued": issued, "issued_name": name})


@router.post("/{token_id}/revoke")
def revoke_token(visit: Changing, token_id: str) -> Response:
    """Forget a token: whoever calls with it is refused from now on."""

    def change(session: Session) -> str:
        row = visit.mine(session, ApiToken, token_id)
        name = row.name
        tokens.revoke(session, session.get_one(Project, visit.project.uuid), row.id)
        return name

    name = visit.services.database.write(change)
    _note(visit, "revoked", token_id, name)
    return visit.to(PATH, f"Token {name} is revoked.")


def _note(visit: Visit, done: str, token_id: str, name: str) -> None:
    """Say in the log who has done it: a token outlives the membership of whoever made it."""
    log.info(
        "operator %s has %s API token %s (%s) of project %s",
        visit.visitor.name,
        done,
        name,
        token_id,
        visit.project.name,
    )


def _page(visit: Visit, values: dict[str, Any], status_code: int = 200) -> Response:
    with visit.reading() as session:
        rows = session.scalars(
            select(ApiToken)
            .where(ApiToken.project_uuid == visit.project.uuid)
            .order_by(ApiToken.name, ApiToken.id)
        ).all()
        common = {
            "tokens": rows,
            "scope_texts": SCOPE_TEXTS,
            "lifetimes": LIFETIMES,
            "values": visit.form.values(),
            "issued": None,
            "error": "",
        }
        return visit.page("api_tokens.html", {**common, **values}, status_code)

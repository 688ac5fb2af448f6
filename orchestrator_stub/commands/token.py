# SPDX-License-Identifier: Apache-2.0
"""`token add`, `token list`, `token revoke`: what programs present to the REST API."""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import select

from orchestrator_stub.access import tokens
from orchestrator_stub.commands.command import (
    Verbs,
    add_handover,
    add_noun,
    add_project,
    add_scope,
    add_verb,
    open_database,
    project_named,
    rfc3339,
    tell,
)
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import ApiToken
from orchestrator_stub.token_file import open_token_file
from orchestrator_stub.vocabulary import Scope


def add_to(verbs: Verbs) -> None:
    """Add the verbs."""
    own = add_noun(verbs, "token", "make and revoke the API tokens of programs")
    verb = add_verb(own, "add", "make an API token, and tell it this once")
    verb.add_argument("name", metavar="NAME", help="what the program is called")
    add_project(verb)
    add_scope(verb, Scope.READ)
    add_handover(verb)
    verb.set_defaults(command=_add)
    verb = add_verb(own, "list", "show the API tokens of a project")
    add_project(verb)
    verb.set_defaults(command=_list)
    verb = add_verb(own, "revoke", "let an API token open nothing more")
    verb.add_argument("name", metavar="NAME", help="its name or its id")
    add_project(verb)
    verb.set_defaults(command=_revoke)


def _add(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    if arguments.expires > tokens.MOST_LIFETIME_S:
        raise OrchestratorError(Code.INVALID_ARGUMENT, "a token lives for at most ten years")
    file: Path | None = arguments.token_file
    scope, until_s = Scope(arguments.scope), int(time.time()) + arguments.expires
    with open_token_file(file) if file else nullcontext() as write:
        with open_database(directory) as database, database.writing() as session:
            project = project_named(session, arguments.project)
            issued = tokens.issue(session, project, arguments.name, scope, until_s)
            facts: dict[str, Any] = {
                "id": issued.token_id,
                "name": arguments.name,
                "project": project.name,
                "scope": str(scope),
                "expires_at": rfc3339(until_s),
            }
        if write:
            write(issued.token)
            facts["token_file"] = str(file)
        else:
            facts["token"] = issued.token
    tell(
        arguments,
        facts,
        f"{arguments.name} may {scope} project {facts['project']} until {facts['expires_at']}.",
        f"Its token is in {file}." if file else "Its token, which is told only now:",
        *([] if file else [issued.token]),
    )
    return 0


def _list(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    now_s = int(time.time())
    with open_database(directory) as database, database.reading() as session:
        project = project_named(session, arguments.project)
        mine = select(ApiToken).where(ApiToken.project_uuid == project.uuid)
        rows = sorted(session.scalars(mine), key=lambda token: token.name)
        name, told = project.name, [_facts(row, now_s) for row in rows]
    lines = [
        f"{row['name']}  may {row['scope']}, "
        f"{'expired at' if row['expired'] else 'until'} {row['expires_at']}  ({row['id']})"
        for row in told
    ]
    facts = {"project": name, "tokens": told}
    tell(arguments, facts, *(lines or [f"Project {name} has no API tokens."]))
    return 0


def _facts(row: ApiToken, now_s: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "scope": str(row.scope),
        "expires_at": None if row.expires_s is None else rfc3339(row.expires_s),
        "expired": tokens.has_expired(row, now_s),
    }


def _revoke(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    with open_database(directory) as database, database.writing() as session:
        project = project_named(session, arguments.project)
        facts = {
            "id": tokens.revoke(session, project, arguments.name),
            "name": arguments.name,
            "project": project.name,
        }
    tell(arguments, facts, f"{arguments.name} opens project {facts['project']} no more.")
    return 0

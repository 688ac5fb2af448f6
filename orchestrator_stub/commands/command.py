# SPDX-License-Identifier: Apache-2.0
"""What the commands have in common: their arguments, the database, and how facts are told."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from orchestrator_stub.arguments import Parser
from orchestrator_stub.complaint import SCHEMA
from orchestrator_stub.data_directory import STANDARD, DataDirectory
from orchestrator_stub.database import Database
from orchestrator_stub.duration import parse_duration
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Project
from orchestrator_stub.vocabulary import Scope
from puad.core.printable import printable

Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 - its only name


def of_directory(directory: DataDirectory) -> str:
    """What a command that is told to somebody needs besides, to be about the same directory."""
    if directory.path == STANDARD:
        return ""
    return f" --data-dir {shlex.quote(str(directory.path))}"


def add_verb(verbs: Verbs, name: str, text: str) -> Parser:
    """A command, with the options that all of them have."""
    verb = verbs.add_parser(name, help=text, description=_sentence(text))
    verb.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        default=STANDARD,
        help="where database, secrets and configuration are (default: %(default)s)",
    )
    verb.add_argument("--json", action="store_true", help="print facts as one JSON object")
    return verb


def add_noun(verbs: Verbs, name: str, text: str) -> Verbs:
    """A noun that has commands of its own."""
    noun = verbs.add_parser(name, help=text, description=_sentence(text))
    return noun.add_subparsers(required=True, metavar="COMMAND", title="commands")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def tell(arguments: argparse.Namespace, facts: dict[str, Any], *lines: str) -> None:
    """Print the facts, as lines for people, or with `--json` as one object on one line."""
    text = json.dumps({"schema": SCHEMA, **facts}) if arguments.json else "\n".join(lines)
    sys.stdout.write(printable(text, kept="\n") + "\n")
    sys.stdout.flush()


def lifetime(text: str) -> int:
    """The seconds of a time such as 90d, as argparse asks for it."""
    try:
        return int(parse_duration(text).total_seconds())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def rfc3339(unix_s: int) -> str:
    """A time as it is told: UTC, whole seconds."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def open_database(directory: DataDirectory) -> Iterator[Database]:
    """The database of a data directory, until the block ends."""
    database = Database(directory.settings().database_url)
    try:
        yield database
    finally:
        database.close()


def add_project(verb: Parser) -> None:
    """Take `--project`."""
    text = "name or UUID of its project (default: the one that init has made)"
    verb.add_argument("--project", metavar="P", default="", help=text)


def add_scope(verb: Parser, default: Scope) -> None:
    """Take `--scope`."""
    verb.add_argument(
        "--scope",
        choices=[str(scope) for scope in Scope],
        metavar="SCOPE",
        default=str(default),
        help="what they may do there, read or write (default: %(default)s)",
    )


def add_handover(verb: Parser) -> None:
    """Take how long a token is valid, and where it is written."""
    verb.add_argument(
        "--expires",
        type=lifetime,
        metavar="TIME",
        default="365d",
        help="how long the token is valid, such as 90d or 12h (default: %(default)s)",
    )
    verb.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="write the token there, for its owner alone, and do not print it",
    )


def project_named(session: Session, named: str) -> Project:
    """The project of that name or UUID; without one, that which `init` has made.

    Raises:
        OrchestratorError: `NOT_FOUND`, or `FAILED_PRECONDITION` when there is none at all.
    """
    wanted = select(Project).order_by(Project.created_s)
    if named:
        wanted = wanted.where(or_(Project.uuid == named.lower(), Project.name == named))
    project = session.scalars(wanted).first()
    if project is not None:
        return project
    if named:
        raise OrchestratorError(
            Code.NOT_FOUND,
            f"there is no project {named}",
            hint="`puad-orchestrator project list` shows those that there are.",
        )
    raise OrchestratorError(
        Code.FAILED_PRECONDITION,
        "the database has no project",
        hint="Make a new data directory with `init`.",
    )

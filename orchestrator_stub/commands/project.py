# SPDX-License-Identifier: Apache-2.0
"""`project add` and `project list`: the tenants."""

from __future__ import annotations

import argparse
import re
import uuid
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import select

from orchestrator_stub import names
from orchestrator_stub.commands.command import (
    Verbs,
    add_noun,
    add_verb,
    of_directory,
    open_database,
    tell,
)
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Project

_NAME: Final = re.compile(names.PROGRAM)


def add_to(verbs: Verbs) -> None:
    """Add the verbs."""
    own = add_noun(verbs, "project", "make projects, and see which there are")
    verb = add_verb(own, "add", "make a project")
    verb.add_argument("name", metavar="NAME", help="the project's name")
    verb.set_defaults(command=_add)
    add_verb(own, "list", "show every project").set_defaults(command=_list)


def check_name(name: str) -> None:
    """Refuse a name that REST paths could not have, or that another project's UUID could be.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`.
    """
    is_uuid = False
    with suppress(ValueError):
        is_uuid = bool(uuid.UUID(name))
    if is_uuid or not _NAME.fullmatch(name):
        raise OrchestratorError(
            Code.INVALID_ARGUMENT,
            "a project's name is 1 to 64 letters, digits, dots, dashes, underscores, and no UUID"
            f" ({name!r})",
        )


def _add(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    check_name(arguments.name)
    project_uuid = str(uuid.uuid4())
    with open_database(directory) as database, database.writing() as session:
        if session.scalars(select(Project).where(Project.name == arguments.name)).first():
            raise OrchestratorError(
                Code.ALREADY_EXISTS, f"there is a project {arguments.name} already"
            )
        session.add(Project(uuid=project_uuid, name=arguments.name))
    tell(
        arguments,
        {"project": arguments.name, "project_uuid": project_uuid},
        f"Made project {arguments.name}, {project_uuid}.",
        f"Next: puad-orchestrator operator add NAME --project {arguments.name}"
        f"{of_directory(directory)}",
    )
    return 0


def _list(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    with open_database(directory) as database, database.reading() as session:
        rows = sorted((project.name, project.uuid) for project in session.scalars(select(Project)))
    projects: list[dict[str, Any]] = [{"project": name, "project_uuid": own} for name, own in rows]
    tell(arguments, {"projects": projects}, *(f"{own}  {name}" for name, own in rows))
    return 0

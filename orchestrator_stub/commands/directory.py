# SPDX-License-Identifier: Apache-2.0
"""`init` and `backup`: the data directory, and a copy of its database."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from orchestrator_stub.backup import back_up
from orchestrator_stub.commands.command import Verbs, add_verb, of_directory, open_database, tell
from orchestrator_stub.commands.project import check_name
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.database import Database
from orchestrator_stub.engines import has_password
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Project
from orchestrator_stub.tls.certificates import Certificates
from orchestrator_stub.tls.names import of_this_machine, parse


def add_to(verbs: Verbs) -> None:
    """Add the verbs."""
    about = "make a data directory with fresh secrets, certificates and one project"
    verb = add_verb(verbs, "init", about)
    text = "name of its project (default: %(default)s)"
    verb.add_argument("--project", metavar="NAME", default="default", help=text)
    verb.add_argument(
        "--name",
        action="append",
        default=[],
        dest="names",
        metavar="HOST",
        help="host name or address that nodes and browsers call it by; may be given again "
        "(default: this machine's host name, and the loopback's)",
    )
    text = "PostgreSQL to use, postgresql+psycopg://… (default: SQLite in the data directory)"
    verb.add_argument("--database-url", metavar="URL", default="", help=text)
    verb.set_defaults(command=_init)
    verb = add_verb(verbs, "backup", "copy the database into a file, while it is used")
    verb.add_argument("file", metavar="FILE", type=Path, help="what to write; it is replaced")
    verb.set_defaults(command=_backup)


def init(
    directory: DataDirectory,
    project_name: str,
    names: Sequence[str] = (),
    database_url: str = "",
) -> dict[str, Any]:
    """Make a data directory, its secrets and certificates, its database and its project."""
    check_name(project_name)
    vouched = parse(names) if names else of_this_machine()
    if database_url:
        _check_empty(database_url)
    directory.create(vouched.texts, database_url)
    certificates = Certificates(directory.tls_folder)
    certificates.keep(vouched, datetime.now(UTC))
    project_uuid = str(uuid.uuid4())
    with open_database(directory) as database:
        database.upgrade()
        with database.writing() as session:
            session.add(Project(uuid=project_uuid, name=project_name))
    return {
        "data_dir": str(directory.path),
        "project": project_name,
        "project_uuid": project_uuid,
        "api_token_file": str(directory.path / "api.token"),
        "ca_file": str(certificates.ca_file),
        "names": list(vouched.texts),
    }


def _check_empty(database_url: str) -> None:
    """Refuse a database that cannot be reached, or that another orchestrator has.

    Raises:
        OrchestratorError: Before anything is made.
    """
    with closing(Database(database_url)) as database:
        database.upgrade()
        with database.reading() as session:
            if session.scalars(select(Project).limit(1)).first() is not None:
                raise OrchestratorError(
                    Code.ALREADY_EXISTS,
                    "the database belongs to an orchestrator already",
                    hint="A second server needs a copy of the data directory of the first.",
                )


def _init(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    if arguments.database_url and has_password(arguments.database_url):
        raise OrchestratorError(
            Code.INVALID_ARGUMENT,
            "everybody on this machine sees a password on the command line",
            hint="Leave it out, and put it into ~/.pgpass of the user who runs the server.",
        )
    same = of_directory(directory)
    facts = init(directory, arguments.project, arguments.names, arguments.database_url)
    tell(
        arguments,
        facts,
        f"Made {facts['data_dir']} for project {facts['project']}.",
        f"  project UUID  {facts['project_uuid']}",
        f"  API token in  {facts['api_token_file']}",
        f"  CA in         {facts['ca_file']}, for nodes and browsers",
        f"  it serves as  {', '.join(facts['names'])}",
        "Next:",
        f"  puad-orchestrator operator add NAME{same}, for each person",
        f"  puad-orchestrator enrol NAME --guid UUID --profile P{same}, for each node",
        f"  puad-orchestrator serve{same}",
    )
    return 0


def _backup(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    with open_database(directory) as database:
        with database.reading() as session:
            session.execute(select(Project.uuid).limit(1))  # an empty database is none to keep
        size = back_up(database, arguments.file)
    tell(
        arguments,
        {"file": str(arguments.file), "bytes": size},
        f"The database is copied to {arguments.file}, {size} bytes.",
        f"Keep secret.key, api.token, orchestrator.toml and tls of {directory.path} with it.",
    )
    return 0

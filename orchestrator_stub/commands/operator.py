# SPDX-License-Identifier: Apache-2.0
"""`operator add`, `passwd`, `list`, `remove`: the people who log in.

A password is asked for at the terminal, or read from standard input; never from the command line,
which everybody on the machine can see.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any, Final

from sqlalchemy import select

from orchestrator_stub.access import operators, tokens
from orchestrator_stub.access.passwords import LEAST_CHARS, Passwords, check_new
from orchestrator_stub.arguments import Parser
from orchestrator_stub.commands.command import (
    Verbs,
    add_noun,
    add_project,
    add_scope,
    add_verb,
    of_directory,
    open_database,
    project_named,
    tell,
)
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.database import Database
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Operator
from orchestrator_stub.vocabulary import Scope

_MOST_LINE_CHARS: Final = 4096


def add_to(verbs: Verbs) -> None:
    """Add the verbs."""
    own = add_noun(verbs, "operator", "let people in and out")
    verb = add_verb(own, "add", "make an operator, or let one into another project")
    verb.add_argument("name", metavar="NAME", help="who logs in")
    add_project(verb)
    add_scope(verb, Scope.WRITE)
    _add_password(verb)
    verb.set_defaults(command=_add)
    verb = add_verb(own, "passwd", "change a password, and end every session of its operator")
    verb.add_argument("name", metavar="NAME", help="whose password")
    _add_password(verb)
    verb.set_defaults(command=_passwd)
    add_verb(own, "list", "show every operator").set_defaults(command=_list)
    verb = add_verb(own, "remove", "forget an operator, or let them out of one project")
    verb.add_argument("name", metavar="NAME", help="who goes")
    text = "name or UUID of the project (default: all, and they are forgotten)"
    verb.add_argument("--project", metavar="P", default="", help=text)
    verb.set_defaults(command=_remove)


def _add_password(verb: Parser) -> None:
    verb.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )


def _add(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    name, scope = operators.check_name(arguments.name), Scope(arguments.scope)
    with open_database(directory) as database:
        made = not _is_known(database, name, arguments.project)
        if not made and arguments.password_stdin:
            raise OrchestratorError(
                Code.ALREADY_EXISTS,
                f"there is an operator {name} already",
                hint="Leave out --password-stdin, or use `operator passwd`.",
            )
        password_hash = _new_password(arguments, name) if made else ""
        with database.writing() as session:
            project = project_named(session, arguments.project)
            if made:
                operator = operators.add(session, name, password_hash)
            else:
                operator = operators.get(session, name)
            if not operators.admit(session, operator, project, scope):
                raise OrchestratorError(
                    Code.ALREADY_EXISTS,
                    f"operator {name} may {scope} project {project.name} already",
                )
            facts = {"name": name, "made": made, "project": project.name, "scope": str(scope)}
    tell(
        arguments,
        facts,
        f"{'Made operator' if made else 'Operator'} {name}, who may {scope} "
        f"project {facts['project']}.",
    )
    return 0


def _is_known(database: Database, name: str, project: str) -> bool:
    """Whether there is that operator; a project that is not there is told before a password."""
    with database.reading() as session:
        project_named(session, project)
        return operators.find(session, name) is not None


def _passwd(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    with open_database(directory) as database:
        with database.reading() as session:
            name = operators.get(session, arguments.name).name
        password_hash = _new_password(arguments, name)
        with database.writing() as session:
            operators.set_password(session, operators.get(session, name), password_hash)
    tell(arguments, {"name": name}, f"Operator {name} has another password, and logs in anew.")
    return 0


def _list(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    with open_database(directory) as database, database.reading() as session:
        rows = sorted(session.scalars(select(Operator)), key=lambda operator: operator.name)
        facts = [_facts(row) for row in rows]
    lines = [f"{row['name']}  {_places(row)}" for row in facts]
    add = f"puad-orchestrator operator add NAME{of_directory(directory)}"
    nobody = [f"There are no operators: `{add}` makes one."]
    tell(arguments, {"operators": facts}, *(lines or nobody))
    return 0


def _facts(operator: Operator) -> dict[str, Any]:
    memberships = sorted(operator.memberships, key=lambda membership: membership.project.name)
    return {
        "name": operator.name,
        "projects": [
            {
                "project": membership.project.name,
                "project_uuid": membership.project_uuid,
                "scope": str(membership.scope),
            }
            for membership in memberships
        ],
    }


def _places(row: dict[str, Any]) -> str:
    places = [f"may {each['scope']} {each['project']}" for each in row["projects"]]
    return ", ".join(places) or "is in no project"


def _remove(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    with open_database(directory) as database, database.writing() as session:
        operator = operators.get(session, arguments.name)
        name = operator.name
        projects = {membership.project_uuid for membership in operator.memberships}
        place: str | None = None
        if arguments.project:
            project = project_named(session, arguments.project)
            operators.dismiss(session, operator, project)
            place, projects = project.name, {project.uuid}
        else:
            operators.remove(session, operator)
        known = tokens.of_projects(session, projects)
    done = (
        f"Operator {name} is out of project {place}."
        if place
        else f"Operator {name} is removed, and their sessions have ended."
    )
    same = of_directory(directory)
    left = [
        "API tokens stay; revoke those that this operator may know:",
        *(f"  puad-orchestrator token revoke {one} --project {of}{same}" for of, one in known),
    ]
    named = [{"project": of, "name": one} for of, one in known]
    tell(arguments, {"name": name, "project": place, "tokens_left": named}, done, *known and left)
    return 0


def _new_password(arguments: argparse.Namespace, name: str) -> str:
    """The hash of the password that is given twice at the terminal, or once on standard input."""
    at_terminal = not arguments.password_stdin
    if at_terminal and not sys.stdin.isatty():
        raise OrchestratorError(
            Code.INVALID_ARGUMENT,
            "there is no terminal to ask for a password",
            hint="Give it on standard input, with --password-stdin.",
        )
    if at_terminal:
        password = _asked(f"Password of {name}, at least {LEAST_CHARS} characters: ")
    else:
        password = sys.stdin.readline(_MOST_LINE_CHARS).removesuffix("\n")
    check_new(password, name)
    if at_terminal and _asked("The same again: ") != password:
        raise OrchestratorError(
            Code.INVALID_ARGUMENT,
            "the two passwords differ",
            hint="Nothing was changed; run it again.",
        )
    return Passwords().hash_of(password)


def _asked(prompt: str) -> str:
    """What somebody writes at the terminal, which does not show it."""
    try:
        return getpass.getpass(prompt)
    except EOFError:
        sys.stderr.write("\n")  # the prompt's line is still open
        raise OrchestratorError(
            Code.INVALID_ARGUMENT, "no password was given", hint="Nothing was changed."
        ) from None
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise

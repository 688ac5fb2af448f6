# SPDX-License-Identifier: Apache-2.0
"""`enrol`: hosts, and the tokens of their nodes."""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from orchestrator_stub import enrolment
from orchestrator_stub.commands.command import (
    Verbs,
    add_handover,
    add_project,
    add_verb,
    open_database,
    project_named,
    rfc3339,
    tell,
)
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.token_file import open_token_file

_GUID: Final = "the node's GUID: root reads it on the node in /sys/class/dmi/id/product_uuid"


def add_to(verbs: Verbs) -> None:
    """Add the verb."""
    verb = add_verb(verbs, "enrol", "enrol a host, print its node's token")
    verb.add_argument("name", metavar="NAME", help="the host's name")
    verb.add_argument("--guid", required=True, metavar="UUID", help=_GUID)
    text = "its OS profile, IMAGE_ID in os-release"
    verb.add_argument("--profile", required=True, metavar="P", help=text)
    text = "what it runs, IMAGE_VERSION in os-release (default: what its first poll tells)"
    verb.add_argument("--image-id", metavar="V", default="", help=text)
    add_project(verb)
    add_handover(verb)
    verb.add_argument(
        "--renew", action="store_true", help="a new token for a host that is enrolled already"
    )
    verb.set_defaults(command=_enrol)


def enrol(
    directory: DataDirectory,
    candidate: Candidate,
    lifetime_s: int,
    *,
    renew: bool,
    project: str = "",
) -> dict[str, Any]:
    """Enrol a host, or renew its token, and give what its node needs."""
    key = directory.secret_key()

    def change(session: Session) -> dict[str, Any]:
        owner = project_named(session, project)
        if renew:
            host = enrolment.renew(session, owner, candidate)
        else:
            host = enrolment.enrol(session, owner, candidate)
        result = enrolment.token_for(host, key, int(time.time()), lifetime_s)
        return {
            "name": host.name,
            "renewed": renew,
            "project": owner.name,
            "guid": result.guid,
            "host_id": result.host_id,
            "instance_id": result.instance_id,
            "os_id": result.os_id,
            "token": result.token,
            "token_expires_at": rfc3339(result.expires_s),
        }

    with open_database(directory) as database:
        return database.write(change)


def _enrol(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    candidate = Candidate(arguments.name, arguments.guid, arguments.profile, arguments.image_id)
    file: Path | None = arguments.token_file
    with open_token_file(file) if file else nullcontext() as write:
        facts = enrol(
            directory,
            candidate,
            arguments.expires,
            renew=arguments.renew,
            project=arguments.project,
        )
        if write:
            write(facts.pop("token"))
            facts["token_file"] = str(file)
    until = facts["token_expires_at"]
    handed_over = (
        [f"Token, valid until {until}, in {file}; it is what server.token_file names."]
        if file
        else [f"Token, valid until {until}; put it into server.token_file:", facts["token"]]
    )
    tell(
        arguments,
        facts,
        f"{facts['name']} has a renewed token; the node takes it without a restart."
        if facts["renewed"]
        else f"{facts['name']} is enrolled.",
        f"  project      {facts['project']}",
        f"  GUID         {facts['guid']}",
        f"  host         {facts['host_id']}",
        f"  instance     {facts['instance_id']}",
        f"  OS resource  {facts['os_id'] or 'not known yet'}",
        *handed_over,
    )
    return 0

# SPDX-License-Identifier: Apache-2.0
"""The command line of the orchestrator: `init`, `enrol`, `serve`, `refresh`.

Facts go to standard output, as text for people or with `--json` as one object on one line; what
goes wrong goes to standard error, and with `--json` to standard output as well, with an exit status
of sysexits.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from orchestrator_stub import commands
from orchestrator_stub.arguments import Parser
from orchestrator_stub.commands import ReleaseOptions
from orchestrator_stub.complaint import SCHEMA, Complaint, bug
from orchestrator_stub.data_directory import STANDARD, DataDirectory
from orchestrator_stub.duration import parse_duration
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.errors import EXIT_STATUS, Code, OrchestratorError
from orchestrator_stub.server import Endpoint
from orchestrator_stub.token_file import open_token_file

_LAST_PORT: Final = 65535
_EXIT_CODES: Final = {
    os.EX_OK: "done",
    os.EX_USAGE: "wrong use",
    os.EX_NOINPUT: "there is no such thing",
    os.EX_UNAVAILABLE: "the release service cannot be read or trusted, or the address is taken",
    os.EX_SOFTWARE: "a bug",
    os.EX_CANTCREAT: "it exists already, nothing was changed",
    os.EX_TEMPFAIL: "too much at a time, try again later",
    os.EX_NOPERM: "not allowed",
    os.EX_CONFIG: "the data directory or its configuration cannot be used",
}
_GUID: Final = "the node's GUID: root reads it on the node in /sys/class/dmi/id/product_uuid"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        return int(arguments.command(arguments, DataDirectory(arguments.data_dir)))
    except OrchestratorError as error:
        return _failed(error, as_json=arguments.json)
    except Exception as error:  # noqa: BLE001 - the last border: a bug is told as one, with its trace
        traceback.print_exc()
        what, hint = bug(error)
        return _failed(OrchestratorError(Code.INTERNAL, what, hint=hint), as_json=arguments.json)


def _failed(error: OrchestratorError, *, as_json: bool) -> int:
    complaint = Complaint(error.code.value, str(error), error.hint, EXIT_STATUS[error.code])
    complaint.tell("puad-orchestrator")
    if as_json:
        print(json.dumps(complaint.document()), flush=True)
    return complaint.exit_code


def _init(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    facts = commands.init(directory, arguments.project)
    _tell(
        arguments,
        facts,
        f"Made {facts['data_dir']} for project {facts['project']}.",
        f"  project UUID  {facts['project_uuid']}",
        f"  API token in  {facts['api_token_file']}",
        "Next: puad-orchestrator serve, and puad-orchestrator enrol NAME for each node.",
    )
    return 0


def _enrol(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    candidate = Candidate(arguments.name, arguments.guid, arguments.profile, arguments.image_id)
    file: Path | None = arguments.token_file
    with open_token_file(file) if file else nullcontext() as write:
        facts = commands.enrol(directory, candidate, arguments.expires, renew=arguments.renew)
        if write:
            write(facts.pop("token"))
            facts["token_file"] = str(file)
    until = facts["token_expires_at"]
    handed_over = (
        [f"Token, valid until {until}, in {file}; it is what server.token_file names."]
        if file
        else [f"Token, valid until {until}; put it into server.token_file:", facts["token"]]
    )
    _tell(
        arguments,
        facts,
        f"{facts['name']} has a renewed token."
        if facts["renewed"]
        else f"{facts['name']} is enrolled.",
        f"  GUID         {facts['guid']}",
        f"  host         {facts['host_id']}",
        f"  instance     {facts['instance_id']}",
        f"  OS resource  {facts['os_id'] or 'not known yet'}",
        *handed_over,
    )
    return 0


def _refresh(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    facts = commands.refresh(directory, _release_options(arguments))
    _tell(
        arguments,
        facts,
        f"{len(facts['created'])} new, {facts['known']} known, "
        f"{len(facts['withdrawn'])} withdrawn, {len(facts['refused'])} refused.",
        *(f"  new        {label}" for label in facts["created"]),
        *(f"  withdrawn  {label}" for label in facts["withdrawn"]),
        *(f"  refused    {label}" for label in facts["refused"]),
    )
    return 0


def _serve(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    endpoint = Endpoint(
        host=arguments.host,
        port=arguments.port,
        tls_cert=arguments.tls_cert,
        tls_key=arguments.tls_key,
        tls_min=arguments.tls_min,
    )
    server = commands.prepare_server(directory, endpoint, _release_options(arguments))
    _tell(
        arguments,
        {"url": server.url},
        f"Listening at {server.url} (Ctrl+C stops).",
        f"The page asks for a password: the content of {directory.path / 'api.token'}.",
    )
    server.run()
    return 0


def _tell(arguments: argparse.Namespace, facts: dict[str, Any], *lines: str) -> None:
    text = json.dumps({"schema": SCHEMA, **facts}) if arguments.json else "\n".join(lines)
    print(text, flush=True)


def _release_options(arguments: argparse.Namespace) -> ReleaseOptions:
    return ReleaseOptions(
        folder=arguments.release_dir,
        url=arguments.release_url,
        root=arguments.release_root,
        ca_file=arguments.release_ca,
        period_s=getattr(arguments, "refresh_period", 0),
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="puad-orchestrator",
        description="Orchestrator of edge nodes: hosts, OS resources, policies, schedules.",
    )
    parser.exit_codes = _EXIT_CODES
    parser.add_version()
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    verb = _verb(verbs, "init", "make a data directory with fresh secrets and one project")
    text = "name of its project (default: %(default)s)"
    verb.add_argument("--project", metavar="NAME", default="default", help=text)
    verb.set_defaults(command=_init)
    _add_enrol(_verb(verbs, "enrol", "enrol a host, print its node's token"))
    _add_serve(_verb(verbs, "serve", "serve nodes and operators"))
    verb = _verb(verbs, "refresh", "look for new OS profiles now")
    _add_release(verb)
    verb.set_defaults(command=_refresh)
    return parser


def _verb(verbs: argparse._SubParsersAction[Parser], name: str, text: str) -> Parser:
    """A command, with the options that all of them have."""
    verb = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    verb.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        default=STANDARD,
        help="where database, secrets and configuration are (default: %(default)s)",
    )
    verb.add_argument("--json", action="store_true", help="print facts as one JSON object")
    return verb


def _add_enrol(verb: Parser) -> None:
    verb.add_argument("name", metavar="NAME", help="the host's name")
    verb.add_argument("--guid", required=True, metavar="UUID", help=_GUID)
    text = "its OS profile, IMAGE_ID in os-release"
    verb.add_argument("--profile", required=True, metavar="P", help=text)
    text = "what it runs, IMAGE_VERSION in os-release (default: what its first poll tells)"
    verb.add_argument("--image-id", metavar="V", default="", help=text)
    verb.add_argument(
        "--expires",
        type=_lifetime,
        metavar="TIME",
        default="365d",
        help="how long the token is valid, such as 90d or 12h (default: %(default)s)",
    )
    verb.add_argument(
        "--renew", action="store_true", help="a new token for a host that is enrolled already"
    )
    verb.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="write the token there, for its owner alone, and do not print it",
    )
    verb.set_defaults(command=_enrol)


def _add_serve(verb: Parser) -> None:
    add = verb.add_argument
    add("--host", metavar="HOST", default="127.0.0.1", help="address (default: %(default)s)")
    text = "port (default: %(default)s); 0 takes a free one"
    add("--port", type=_port, metavar="PORT", default=8443, help=text)
    add("--tls-cert", type=Path, metavar="FILE", help="certificate chain, PEM")
    add("--tls-key", type=Path, metavar="FILE", help="its key, PEM")
    text = "lowest version of TLS, 1.2 or 1.3 (default: %(default)s)"
    add("--tls-min", choices=("1.2", "1.3"), metavar="VERSION", default="1.3", help=text)
    _add_release(verb)
    text = "how often OS profiles are looked for, such as 12h (default: as configured)"
    add("--refresh-period", type=_lifetime, metavar="TIME", default=0, help=text)
    verb.set_defaults(command=_serve)


def _add_release(verb: Parser) -> None:
    add = verb.add_argument
    add("--release-dir", type=Path, metavar="DIR", help="folder of the release service's files")
    add("--release-url", metavar="URL", default="", help="the release service's address")
    text = "its root of trust, 1.root.json"
    add("--release-root", type=Path, metavar="FILE", help=text)
    add("--release-ca", metavar="FILE", default="", help="CA of its certificate, PEM")


def _lifetime(text: str) -> int:
    try:
        return int(parse_duration(text).total_seconds())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

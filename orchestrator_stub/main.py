# SPDX-License-Identifier: Apache-2.0
"""The command line of the orchestrator; `orchestrator_stub.commands` has what it can do.

Facts go to standard output, as text for people or with `--json` as one object on one line; what
goes wrong goes to standard error, and with `--json` to standard output as well, with an exit status
of sysexits.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Final

from orchestrator_stub.arguments import Parser
from orchestrator_stub.commands import directory, host, operator, project, release, server, token
from orchestrator_stub.complaint import INTERRUPTED, Complaint, bug, interrupted, untold
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.errors import EXIT_STATUS, Code, OrchestratorError
from orchestrator_stub.observability.logs import LogFormat, configure

_PROGRAM: Final = "puad-orchestrator"
_EXIT_CODES: Final = {
    os.EX_OK: "done",
    os.EX_USAGE: "wrong use",
    os.EX_NOINPUT: "there is no such thing",
    os.EX_UNAVAILABLE: "the database or the release service does not answer, the latter is not to "
    "be trusted, or the address cannot be listened at",
    os.EX_SOFTWARE: "a bug",
    os.EX_CANTCREAT: "it exists already, nothing was changed",
    os.EX_IOERR: "what it told was not read to its end",
    os.EX_TEMPFAIL: "too much at a time, try again later",
    os.EX_NOPERM: "not allowed",
    os.EX_CONFIG: "the data directory or its configuration cannot be used",
    INTERRUPTED: "interrupted",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status."""
    arguments = _parser().parse_args(argv)
    configure(LogFormat(getattr(arguments, "log_format", LogFormat.TEXT)))
    try:
        return int(arguments.command(arguments, DataDirectory(arguments.data_dir)))
    except OrchestratorError as error:
        return _failed(error, as_json=arguments.json)
    except BrokenPipeError as error:
        return untold(_PROGRAM, error)
    except KeyboardInterrupt:
        return interrupted(_PROGRAM)
    except Exception as error:  # noqa: BLE001 - the last border: a bug is told as one, with its trace
        traceback.print_exc()
        what, hint = bug(error)
        return _failed(OrchestratorError(Code.INTERNAL, what, hint=hint), as_json=arguments.json)


def _failed(error: OrchestratorError, *, as_json: bool) -> int:
    complaint = Complaint(error.code.value, str(error), error.hint, EXIT_STATUS[error.code])
    complaint.tell(_PROGRAM)
    if as_json:
        print(json.dumps(complaint.document()), flush=True)
    return complaint.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=_PROGRAM,
        description="Orchestrator of edge nodes: hosts, OS resources, policies, schedules.",
    )
    parser.exit_codes = _EXIT_CODES
    parser.add_version()
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for noun in (directory, host, server, release, operator, token, project):
        noun.add_to(verbs)
    return parser


if __name__ == "__main__":
    sys.exit(main())

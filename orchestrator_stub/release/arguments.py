# SPDX-License-Identifier: Apache-2.0
"""The command line of `puad-release`."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from orchestrator_stub.arguments import Parser
from orchestrator_stub.complaint import INTERRUPTED
from orchestrator_stub.release.delta.publishing import MAX_BASES
from orchestrator_stub.release.formats import DEFAULT_FORMAT, FORMATS
from orchestrator_stub.release.frames import MAX_LEVEL, MIN_LEVEL
from orchestrator_stub.release.roles import Role
from puad.core.profile import SecurityFeature

_DEFAULT_LEVEL: Final = 19
_MAX_THREADS: Final = 64
_DEFAULT_DELTAS: Final = 3
_DEFAULT_EXPIRES: Final = "root=365d targets=90d snapshot=7d timestamp=1d"
_EXIT_CODES: Final = {
    os.EX_OK: "done, or nothing to do",
    os.EX_USAGE: "wrong use",
    os.EX_DATAERR: "the input, a release or the repository cannot be used",
    os.EX_SOFTWARE: "a bug",
    os.EX_IOERR: "the disk refused a read or a write, or the answer was not read to its end",
    os.EX_TEMPFAIL: "another publisher is at work",
    os.EX_NOPERM: "a key is missing, locked, or open to others",
    INTERRUPTED: "interrupted",
}
_REPO: Final = "folder of the repository; its metadata/ and targets/ are what may be served"
_KEYS: Final = "folder of the private keys, outside the repository"


class _Subcommands:
    """The subcommands, each with the options that all of them have."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._subparsers = parser.add_subparsers(
            dest="command", required=True, metavar="COMMAND", title="commands"
        )

    def add(self, name: str, text: str, *, keys: bool = True) -> argparse.ArgumentParser:
        """A subcommand; `keys` says whether it cannot do without them."""
        parser: argparse.ArgumentParser = self._subparsers.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False
        )
        parser.add_argument("--repo", type=Path, required=True, metavar="DIR", help=_REPO)
        parser.add_argument("--keys", type=Path, required=keys, metavar="DIR", help=_KEYS)
        parser.add_argument("--json", action="store_true", help="print the answer as JSON")
        if keys:
            parser.add_argument(
                "--passphrase-file",
                type=Path,
                metavar="FILE",
                help="file with the passphrase that locks the keys",
            )
        return parser


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="puad-release",
        description="Publish signed OS images as static files.",
        allow_abbrev=False,
    )
    parser.exit_codes = _EXIT_CODES
    parser.add_version()
    commands = _Subcommands(parser)
    _add_init(commands)
    _add_add(commands)
    publish = commands.add("publish", "sign and publish what is staged, renew what nears expiry")
    publish.add_argument("--refresh", action="store_true", help="sign anew even if nothing is due")
    _add_withdraw(commands)
    _add_rotate(commands)
    _add_export(commands)
    commands.add("status", "show roles, keys and releases", keys=False)
    return parser


def _add_init(commands: _Subcommands) -> None:
    init = commands.add("init", "make keys and an empty repository")
    for option, text in (
        ("--key-count", "number of keys of a role (default: root=3, others 1)"),
        ("--threshold", "how many of them must sign, at most all (default: root=2, others 1)"),
        ("--expires", f"how long a role's metadata hold (default: {_DEFAULT_EXPIRES})"),
    ):
        init.add_argument(
            option, nargs="+", action="extend", default=[], metavar="ROLE=VALUE", help=text
        )


def _add_add(commands: _Subcommands) -> None:
    add = commands.add("add", "compress an image and stage it as a release", keys=False)
    text = "raw image of the root file system or of a whole disk, or one that gzip or xz compressed"
    add.add_argument("image", type=Path, metavar="IMAGE", help=text)
    add.add_argument("--profile", required=True, metavar="P", help="IMAGE_ID of its os-release")
    add.add_argument("--version", required=True, metavar="V", help="IMAGE_VERSION of it")
    text = f"{', '.join(FORMATS)} (default: {DEFAULT_FORMAT}; a compressed image stays as it is)"
    add.add_argument("--format", choices=FORMATS, metavar="WORD", help=text)
    add.add_argument(
        "--level",
        type=_number(MIN_LEVEL, MAX_LEVEL),
        default=_DEFAULT_LEVEL,
        metavar="N",
        help=f"zstd level {MIN_LEVEL} to {MAX_LEVEL} (default: {_DEFAULT_LEVEL})",
    )
    add.add_argument(
        "--threads",
        type=_number(1, _MAX_THREADS),
        default=min(len(os.sched_getaffinity(0)), _MAX_THREADS),
        metavar="N",
        help="how many compress at a time (default: one for each processor)",
    )
    add.add_argument(
        "--deltas",
        type=_number(0, MAX_BASES),
        default=_DEFAULT_DELTAS,
        metavar="N",
        help=f"make deltas from the last N published versions (default: {_DEFAULT_DELTAS})",
    )
    for kind, text in (
        ("uki", "a unified kernel image"),
        ("linux", "a kernel"),
        ("initrd", "its initial RAM disk"),
    ):
        add.add_argument(f"--{kind}", type=Path, metavar="FILE", help=f"boot file: {text}")
    text = "label or number of a whole disk's root partition (default: the only one)"
    add.add_argument("--root-partition", metavar="PARTITION", help=text)
    text = "where on the ESP of a whole disk the UKI lies (default: the only one in /EFI/Linux)"
    add.add_argument("--uki-path", metavar="PATH", help=text)
    add.add_argument("--min-version", metavar="V", help="version floor that the image brings")
    add.add_argument("--root-partuuid", metavar="UUID", help="partition id its boot files expect")
    add.add_argument(
        "--built-at",
        type=_moment,
        metavar="TIME",
        help="UTC, 2026-11-23T10:00:00Z (default: SOURCE_DATE_EPOCH, else the image's date)",
    )
    _add_profile_options(add)
    _add_progress(add)


def _add_progress(command: argparse.ArgumentParser) -> None:
    text = "show progress off a terminal, too"
    command.add_argument("--progress", action="store_true", help=text)


def _add_profile_options(add: argparse.ArgumentParser) -> None:
    text = "name of the OS (default: profile and version)"
    add.add_argument("--name", default="", metavar="NAME", help=text)
    add.add_argument("--description", default="", metavar="TEXT", help="what it is")
    text = "its architecture (default: %(default)s)"
    add.add_argument("--architecture", default="x86_64", metavar="A", help=text)
    add.add_argument(
        "--security-feature",
        choices=[word.value for word in SecurityFeature if word is not SecurityFeature.UNSPECIFIED],
        default=SecurityFeature.NONE.value,
        metavar="WORD",
        help="SECURITY_FEATURE_… of the OS profile manifest (default: %(default)s)",
    )
    text = "version of the OS profile manifest (default: %(default)s)"
    add.add_argument("--app-version", default="1.0.0", metavar="V", help=text)
    for option, text in (
        ("--package-manifest", "JSON list of its packages"),
        ("--existing-cves", "JSON list of its known CVEs"),
        ("--fixed-cves", "JSON list of the CVEs that it fixes"),
    ):
        add.add_argument(option, type=Path, metavar="FILE", help=text)


def _add_withdraw(commands: _Subcommands) -> None:
    withdraw = commands.add("withdraw", "withdraw a release and publish that at once")
    withdraw.add_argument("version", metavar="VERSION", help="version of the release")
    withdraw.add_argument("--profile", metavar="P", help="needed when several have that version")
    withdraw.add_argument("--reason", required=True, metavar="TEXT", help="one line, for operators")
    withdraw.add_argument("--delete", action="store_true", help="delete its files as well")


def _add_rotate(commands: _Subcommands) -> None:
    rotate = commands.add("rotate", "give a role new keys")
    roles = [role.value for role in Role]
    text = f"{', '.join(roles[:-1])} or {roles[-1]}"
    rotate.add_argument("role", choices=roles, metavar="ROLE", help=text)
    rotate.add_argument(
        "--old-key",
        action="append",
        default=[],
        metavar="ID",
        help="beginning of the id of a key to replace (default: all of the role)",
    )


def _add_export(commands: _Subcommands) -> None:
    export = commands.add("export", "write one release as a repository for offline nodes")
    export.add_argument("folder", type=Path, metavar="DIR", help="a new or an empty folder")
    text = "its OS profile; needed when several are published"
    export.add_argument("--profile", metavar="P", help=text)
    export.add_argument("--version", metavar="V", help="its version (default: the newest)")
    text = "how long it can be installed (default: %(default)s)"
    export.add_argument("--valid", default="90d", metavar="SPAN", help=text)
    _add_progress(export)


def _number(least: int, most: int) -> Any:  # noqa: ANN401 - what argparse takes as a type
    def number(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least} to {most}")
        return int(text)

    return number


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 2026-11-23T10:00:00Z") from error

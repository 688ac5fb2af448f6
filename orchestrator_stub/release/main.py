# SPDX-License-Identifier: Apache-2.0
"""`puad-release`: publish signed OS images as static files.

Answers go to stdout, errors and progress to stderr. With `--json` the answer is one JSON object on
stdout, and an error is one as well. Exit codes are those of sysexits; nothing to do is success with
`"changed": false`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from tqdm import tqdm

from orchestrator_stub.complaint import SCHEMA, Complaint, bug, interrupted, untold
from orchestrator_stub.release import commands
from orchestrator_stub.release.answers import answer_text
from orchestrator_stub.release.arguments import make_parser
from orchestrator_stub.release.disk import Disk
from orchestrator_stub.release.draft import Draft
from orchestrator_stub.release.errors import KeyAccessError, ReleaseError, UsageError
from orchestrator_stub.release.formats import choose_format
from orchestrator_stub.release.image import RawImage, open_image
from orchestrator_stub.release.keys import KeyFolder, read_private
from orchestrator_stub.release.layout import Layout
from orchestrator_stub.release.publication import Publisher
from orchestrator_stub.release.roles import Role, parse_validity, plan_roles
from orchestrator_stub.release.withdrawal import Request
from orchestrator_stub.release.work import Progress, Work
from puad.core.boot_file import BootFileKind
from puad.core.profile import OSProfile, SecurityFeature

_PROGRAM: Final = "puad-release"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is the process's."""
    if argv is None:  # a process of its own takes back what it has begun when it is ended
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(make_parser().parse_args(argv))
    except OSError as error:  # of the output: what a command meets is translated
        return untold(_PROGRAM, error)


def _run(options: argparse.Namespace) -> int:
    try:
        answer = _perform(options)
    except ReleaseError as error:
        return _failed(error, as_json=options.json)
    except KeyboardInterrupt:
        return interrupted(_PROGRAM)
    except Exception as error:  # noqa: BLE001 - the last border: a bug is told as one, with its trace
        traceback.print_exc()
        what, hint = bug(error)
        return _failed(ReleaseError(what, hint=hint), as_json=options.json)
    if options.json:
        print(json.dumps({"schema": SCHEMA, **answer}, indent=1), flush=True)
    else:
        print(answer_text(options.command, answer), flush=True)
    return os.EX_OK


def _perform(options: argparse.Namespace) -> dict[str, Any]:
    perform = {
        "init": _init,
        "add": _add,
        "publish": _publish,
        "withdraw": _withdraw,
        "rotate": _rotate,
        "export": _export,
        "status": _status,
    }
    return perform[options.command](options)


def _init(options: argparse.Namespace) -> dict[str, Any]:
    plans = plan_roles(options.key_count, options.threshold, options.expires)
    return commands.init(_publisher(options), plans)


def _publish(options: argparse.Namespace) -> dict[str, Any]:
    return commands.publish(_key_holder(options), refresh=options.refresh)


def _withdraw(options: argparse.Namespace) -> dict[str, Any]:
    request = Request(options.version, options.profile, options.reason, options.delete)
    return commands.withdraw(_key_holder(options), request)


def _rotate(options: argparse.Namespace) -> dict[str, Any]:
    return commands.rotate(_key_holder(options), Role(options.role), options.old_key)


def _export(options: argparse.Namespace) -> dict[str, Any]:
    name = (options.profile, options.version)
    valid = parse_validity(options.valid)
    with _bars(options) as progress:
        return commands.export(_key_holder(options), options.folder, name, valid, progress)


def _status(options: argparse.Namespace) -> dict[str, Any]:
    return commands.status(Layout(options.repo), _keys(options), _now())


def _publisher(options: argparse.Namespace) -> Publisher:
    passphrase = None
    if options.passphrase_file is not None:
        hint = "Name the right file with --passphrase-file, or leave that out for unlocked keys."
        passphrase = read_private(options.passphrase_file, hint).rstrip(b"\r\n")
        if not passphrase:
            raise KeyAccessError("the passphrase is empty", on=str(options.passphrase_file))
    keys = KeyFolder(options.keys, passphrase)
    return Publisher(Layout(options.repo), Disk(), keys, _now())


def _key_holder(options: argparse.Namespace) -> Publisher:
    """A publisher whose keys are there: that none is needed today must not hide a wrong --keys."""
    publisher = _publisher(options)
    publisher.keys.require()
    return publisher


def _keys(options: argparse.Namespace) -> KeyFolder | None:
    return KeyFolder(options.keys) if options.keys else None


def _now() -> datetime:
    return datetime.now(UTC)


def _add(options: argparse.Namespace) -> dict[str, Any]:
    with open_image(options.image) as image, _bars(options) as progress:
        draft = _draft(options, image)
        draft.check(_now())
        work = Work(options.level, options.threads, progress, options.deltas)
        return commands.add(Layout(options.repo), Disk(), _keys(options), image, draft, work)


def _draft(options: argparse.Namespace, image: RawImage) -> Draft:
    about = OSProfile(
        name=options.name or f"{options.profile} {options.version}",
        profile_name=options.profile,
        image_url="",
        image_id=options.version,
        file_hash="",
        security_feature=SecurityFeature(options.security_feature),
        architecture=options.architecture,
        description=options.description,
        app_version=options.app_version,
    )
    documents = {
        "package_manifest_url": options.package_manifest,
        "existing_cves_url": options.existing_cves,
        "fixed_cves_url": options.fixed_cves,
    }
    boot_files = {kind: getattr(options, kind.value) for kind in BootFileKind}
    return Draft(
        about=about,
        format=choose_format(options.format, image.packing),
        built_at=options.built_at or _build_date(image),
        min_version=options.min_version,
        root_partuuid=options.root_partuuid,
        boot_files={kind: path for kind, path in boot_files.items() if path is not None},
        documents={key: path for key, path in documents.items() if path is not None},
        root_partition=options.root_partition,
        uki_path=options.uki_path,
    )


def _build_date(image: RawImage) -> datetime:
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return image.modified_at
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError("SOURCE_DATE_EPOCH is not a Unix time", on=text) from error


@contextmanager
def _bars(options: argparse.Namespace) -> Iterator[Progress]:
    """Progress bars on stderr: on a terminal, or when asked for."""
    shown = options.progress or sys.stderr.isatty()
    with ExitStack() as bars:

        def begin(what: str, total: int) -> Callable[[int], object]:
            bar = tqdm(
                desc=what,
                total=total,
                unit="iB",
                unit_scale=True,
                unit_divisor=1024,
                disable=not shown,
                file=sys.stderr,
            )
            return bars.enter_context(bar).update

        yield begin


def _failed(error: ReleaseError, *, as_json: bool) -> int:
    more = {"what": error.what, "on": error.on}
    complaint = Complaint(error.code, str(error), error.hint, error.exit_code, more)
    complaint.tell(_PROGRAM)
    if as_json:
        print(json.dumps(complaint.document(), indent=1), flush=True)
    return error.exit_code

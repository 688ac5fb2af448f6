# SPDX-License-Identifier: Apache-2.0
"""The commands of `puad-release`: each does one thing and answers with plain values.

An answer has `changed` and what a script or a person wants to know next; `main` prints it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from orchestrator_stub.release.adding import add_release
from orchestrator_stub.release.disk import Disk
from orchestrator_stub.release.draft import Draft
from orchestrator_stub.release.export import choose_release, export_release
from orchestrator_stub.release.founding import found_repository
from orchestrator_stub.release.image import RawImage
from orchestrator_stub.release.keys import KeyFolder
from orchestrator_stub.release.layout import Layout, require_apart
from orchestrator_stub.release.lock import publisher_lock
from orchestrator_stub.release.publication import Outcome, Publisher, Session
from orchestrator_stub.release.publication import publish as publish_content
from orchestrator_stub.release.report import (
    describe_release,
    describe_repository,
    moment,
    warnings,
)
from orchestrator_stub.release.repository import Published, read_published
from orchestrator_stub.release.roles import Role, RolePlan
from orchestrator_stub.release.rotation import rotate as rotate_keys
from orchestrator_stub.release.staging import read_staged, sweep, unstage
from orchestrator_stub.release.state import load_state
from orchestrator_stub.release.withdrawal import Request
from orchestrator_stub.release.withdrawal import withdraw as withdraw_release
from orchestrator_stub.release.work import Progress, Work

Answer = dict[str, Any]
_NO_BOOT_FILE: Final = (
    "the release has no boot file (--uki, or --linux and --initrd, or a UKI on a whole disk): "
    "a node whose boot loader starts the kernel cannot boot it"
)


def init(publisher: Publisher, plans: Mapping[Role, RolePlan]) -> Answer:
    """Make keys and a repository."""
    require_apart(publisher.keys.folder, publisher.layout.folder)
    publisher.disk.make_folder(publisher.layout.folder)
    with publisher_lock(publisher.layout.lock):
        root = found_repository(publisher, plans)
    return {
        "changed": True,
        "root_json": str(root),
        "keys": str(publisher.keys.folder),
        "roles": {
            role.value: {"keys": plan.key_count, "threshold": plan.threshold}
            for role, plan in plans.items()
        },
    }


def add(
    layout: Layout, disk: Disk, keys: KeyFolder | None, image: RawImage, draft: Draft, work: Work
) -> Answer:
    """Stage an image as a release."""
    load_state(layout)
    added = add_release(layout, disk, _anchor(keys), image, draft, work)
    missing = [] if added.release.manifest.boot_files else [_NO_BOOT_FILE]
    return {
        "changed": added.changed,
        "replaced": added.replaced,
        "release": describe_release(added.release),
        "warnings": [*missing, *added.warnings],
    }


def publish(publisher: Publisher, *, refresh: bool) -> Answer:
    """Publish what is staged, and sign anew what nears its expiry."""
    with _opened(publisher) as session:
        staged = read_staged(publisher.layout)
        content = session.content
        for one in staged:
            content = content.plus(one.release.files)
        outcome = publish_content(session, content, staged=staged, refresh=refresh)
        for one in staged:
            unstage(publisher.disk, one.folder)
        sweep(publisher.layout, publisher.disk)
    before = {release.key for release in session.published.releases}
    new = [one.release for one in staged if one.release.key not in before]
    return {
        "changed": bool(outcome.versions),
        "published": [describe_release(release) for release in new],
        "warnings": list(warnings(session, outcome.expires)),
        **_signed(outcome),
    }


def withdraw(publisher: Publisher, request: Request) -> Answer:
    """Withdraw a release, and publish that at once."""
    with _opened(publisher) as session:
        done = withdraw_release(session, request)
    return {
        "changed": done.was_published or done.was_staged or done.deleted,
        "profile": done.profile,
        "version": request.version,
        "reason": done.reason,
        "was_published": done.was_published,
        "was_staged": done.was_staged,
        "deleted": done.deleted,
        **_signed(done.outcome),
    }


def rotate(publisher: Publisher, role: Role, chosen: Sequence[str]) -> Answer:
    """Give a role new keys."""
    with _opened(publisher, previous_root_counts=True) as session:
        done = rotate_keys(session, role, chosen)
    keys = publisher.keys
    return {
        "changed": True,
        "role": role.value,
        "root_json": str(publisher.layout.root(done.root_version)),
        "old_keys": [str(keys.file_of(role, key_id)) for key_id in done.old_key_ids],
        "new_keys": [str(keys.file_of(role, key_id)) for key_id in done.new_key_ids],
    }


def export(
    publisher: Publisher,
    folder: Path,
    name: tuple[str | None, str | None],
    valid: timedelta,
    progress: Progress,
) -> Answer:
    """Write one release as a repository of its own."""
    with _opened(publisher) as session:
        release = choose_release(session.published, *name)
        done = export_release(session, release, folder, valid, progress)
    return {
        "changed": True,
        "folder": str(folder),
        "release": describe_release(done.release),
        "expires": moment(done.expires),
        **_signed(done.outcome),
    }


def status(layout: Layout, keys: KeyFolder | None, now: datetime) -> Answer:
    """Describe the repository."""
    state = load_state(layout)
    published = _read(layout, keys)
    return describe_repository(published, state, read_staged(layout), keys, now)


@contextmanager
def _opened(publisher: Publisher, *, previous_root_counts: bool = False) -> Iterator[Session]:
    layout, keys = publisher.layout, publisher.keys
    require_apart(keys.folder, layout.folder)
    load_state(layout)
    with publisher_lock(layout.lock):
        published = _read(layout, keys, previous_root_counts=previous_root_counts)
        session = Session(publisher, load_state(layout), published)
        session.refuse_rollback()
        yield session


def _read(
    layout: Layout, keys: KeyFolder | None, *, previous_root_counts: bool = False
) -> Published:
    return read_published(layout, anchor=_anchor(keys), previous_root_counts=previous_root_counts)


def _anchor(keys: KeyFolder | None) -> Path | None:
    return keys.anchor if keys and keys.anchor.is_file() else None


def _signed(outcome: Outcome) -> Answer:
    return {
        "signed": {
            role.value: {"version": version, "expires": moment(outcome.expires[role])}
            for role, version in outcome.versions.items()
        }
    }

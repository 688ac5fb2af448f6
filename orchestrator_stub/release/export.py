# SPDX-License-Identifier: Apache-2.0
"""Exporting: one release as a complete repository in a folder, for nodes without a network.

Rules:

1. Its metadata take their version numbers from the served repository's counters, and the served
   metadata are signed anew above them at once. A node that has installed from the folder so finds
   nothing older online.
2. They hold for as long as was asked, all of them, and the root too.
3. It has no deltas: the full file is there, and nothing is saved on the way to it.
4. The folder appears under its name when it is complete. So it cannot be a mount point: nothing can
   take its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator_stub.release.chain import (
    Authority,
    expiries,
    next_versions,
    sign_chain,
)
from orchestrator_stub.release.content import Content
from orchestrator_stub.release.delta.listing import without_deltas
from orchestrator_stub.release.disk import Disk
from orchestrator_stub.release.errors import (
    ReleaseError,
    RepositoryError,
    UnknownReleaseError,
    UsageError,
)
from orchestrator_stub.release.layout import CATALOGUE_PATH, Layout
from orchestrator_stub.release.publication import Outcome, Publisher, Session, publish
from orchestrator_stub.release.release import Release, make_release
from orchestrator_stub.release.repository import Published
from orchestrator_stub.release.roles import CHAIN
from orchestrator_stub.release.work import Progress
from puad.core.version import newest


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported: the release, until when it can be installed, and its versions."""

    release: Release
    expires: datetime
    outcome: Outcome


def choose_release(published: Published, profile: str | None, version: str | None) -> Release:
    """The published release of that name; the newest of a profile without a version.

    Raises:
        UnknownReleaseError: When there is none.
        UsageError: When several profiles would do.
    """
    matching = [
        release
        for release in published.releases
        if profile in (None, release.key[0]) and version in (None, release.key[1])
    ]
    if not matching:
        raise UnknownReleaseError(
            "there is no such release",
            on=" ".join(filter(None, (profile, version))),
            hint="`puad-release status` lists what is published; what is staged is not yet.",
        )
    profiles = sorted({release.key[0] for release in matching})
    if len(profiles) > 1:
        raise UsageError(
            "several profiles have such a release",
            on=version or "the newest version",
            hint=f"Say which with --profile: {', '.join(profiles)}.",
        )
    latest = newest(release.key[1] for release in matching)
    return next(release for release in matching if release.key[1] == latest)


def export_release(
    session: Session, release: Release, folder: Path, valid: timedelta, progress: Progress
) -> Exported:
    """Write one release as a repository of its own.

    Args:
        session: The open repository.
        release: Which release.
        folder: Where; it must not exist yet, or be empty and no mount point.
        valid: For how long its metadata hold.
        progress: Who is told how far it is.

    Raises:
        UsageError: When the folder cannot be used, or the root would expire earlier.
        ReleaseError: When it cannot be signed or written.
    """
    publisher, published = session.publisher, session.published
    folder = folder.resolve()
    _check_folder(publisher, folder, release)
    _check_validity(publisher, published, valid)
    state = next_versions(session.state, published, CHAIN)
    release = make_release(without_deltas(release))
    content = Content(release.files, published.catalogue.withdrawn)
    expires = expiries(publisher.now, dict.fromkeys(CHAIN, valid))
    chain = sign_chain(
        Authority(publisher.keys, (published.root,), (published.root,)),
        state,
        CHAIN,
        targets=content.targets,
        published=published,
        expires=expires,
    )
    state.save(publisher.layout, publisher.disk)
    told = progress("copying", sum(file.size for file in content.files))
    with _appearing(publisher.disk, folder) as partial:
        _write_content(session, content, partial, told)
        chain.write(partial, publisher.disk)
    outcome = publish(replace(session, state=state), session.content)
    return Exported(release, expires[CHAIN[-1]], outcome)


def _check_folder(publisher: Publisher, folder: Path, release: Release) -> None:
    if folder.is_relative_to(publisher.layout.folder.resolve()):
        raise UsageError(
            "the folder lies inside the repository that is served",
            on=str(folder),
            hint="Name a folder outside --repo.",
        )
    if folder.is_mount():
        raise UsageError(
            "the folder is a mount point",
            on=str(folder),
            hint=f"Name a new folder on it, such as {folder / '-'.join(release.key)}.",
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            "the folder is in use", on=str(folder), hint="Name a new or an empty folder."
        )


def _check_validity(publisher: Publisher, published: Published, valid: timedelta) -> None:
    if published.root.expires < publisher.now + valid:
        raise UsageError(
            "the root would expire before the export does",
            on=f"root expires {published.root.expires.isoformat()}",
            hint="Shorten --valid, or run `puad-release rotate root` first.",
        )


@contextmanager
def _appearing(disk: Disk, folder: Path) -> Iterator[Layout]:
    """A place beside the folder, which takes its name when it is complete, and else is removed."""
    partial = Layout(folder.with_name(f".{folder.name}.partial"))
    disk.remove(partial.folder)
    try:
        yield partial
    except BaseException:
        with suppress(ReleaseError):  # what led here is the error to tell
            disk.remove(partial.folder)
        raise
    if folder.exists():
        disk.remove(folder)
    disk.move(partial.folder, folder)


def _write_content(
    session: Session, content: Content, partial: Layout, told: Callable[[int], object]
) -> None:
    publisher, published = session.publisher, session.published
    for file in content.files:
        source = publisher.layout.target(file.path, file.sha256)
        if not source.exists():
            raise RepositoryError(
                "a published file is missing",
                on=str(source),
                hint="Bring the file back from a backup: nodes cannot fetch it either.",
            )
        target = partial.target(file.path, file.sha256)
        if publisher.disk.copy(source, target, told) != file.sha256:
            raise RepositoryError(
                "a published file does not have its signed hash",
                on=str(source),
                hint="Bring the file back from a backup: nodes will refuse it as it is.",
            )
    catalogue = partial.target(CATALOGUE_PATH, content.catalogue_file.sha256)
    publisher.disk.write(catalogue, content.catalogue)
    for number, root in enumerate(published.roots, start=1):
        publisher.disk.write(partial.root(number), root)

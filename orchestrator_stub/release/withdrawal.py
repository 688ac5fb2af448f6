# SPDX-License-Identifier: Apache-2.0
"""Withdrawing: a release that must not be installed any more is gone from the targets, at once.

Other staged releases stay staged. The files stay on the disk unless they are to be deleted, so
that a look at what went wrong is still possible; without an entry in the targets no node installs
them.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_stub.release.catalogue import MAX_WITHDRAWN, Withdrawal, check_reason
from orchestrator_stub.release.errors import UnknownReleaseError, UsageError
from orchestrator_stub.release.publication import Outcome, Publisher, Session, publish
from orchestrator_stub.release.release import release_folder
from orchestrator_stub.release.repository import Published
from orchestrator_stub.release.staging import read_staged, unstage


@dataclass(frozen=True, slots=True)
class Request:
    """What is withdrawn and why; without a profile the version must say it."""

    version: str
    profile: str | None
    reason: str
    delete: bool


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What was withdrawn, and what that changed.

    Attributes:
        profile: The release's profile.
        reason: The reason that is on record; empty when it was only staged.
        was_published: False when it was only staged, or withdrawn before.
        was_staged: Whether it waited for `publish`.
        deleted: Whether files were deleted.
        outcome: What was signed anew.
    """

    profile: str
    reason: str
    was_published: bool
    was_staged: bool
    deleted: bool
    outcome: Outcome


def withdraw(session: Session, ask: Request) -> Withdrawn:
    """Withdraw a release.

    Raises:
        UnknownReleaseError: When there is none of that name.
        UsageError: When several profiles have that version, or the reason does not fit.
        ReleaseError: When it cannot be signed or written.
    """
    publisher, published = session.publisher, session.published
    reason = check_reason(ask.reason)
    profile = _find_profile(publisher, published, ask)
    key = (profile, ask.version)
    outcome = Outcome()
    before = published.catalogue.withdrawal(*key)
    recorded = before.reason if before else ""
    release = next((r for r in published.releases if r.key == key), None)
    if release is not None:
        at = publisher.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        entry = Withdrawal(profile, ask.version, reason, at)
        content = session.content.without(release.files, entry)
        if len(content.withdrawn) > MAX_WITHDRAWN:
            raise UsageError(f"a repository keeps at most {MAX_WITHDRAWN} withdrawals")
        outcome = publish(session, content)
        recorded = reason
    staged = publisher.layout.staged.joinpath(*key)
    was_staged = staged.exists()
    if was_staged:
        unstage(publisher.disk, staged)
    files = publisher.layout.targets / release_folder(*key)
    deleted = ask.delete and files.exists()
    if deleted:
        publisher.disk.remove(files)
    return Withdrawn(profile, recorded, release is not None, was_staged, deleted, outcome)


def _find_profile(publisher: Publisher, published: Published, ask: Request) -> str:
    keys = {release.key for release in published.releases}
    keys |= {staged.release.key for staged in read_staged(publisher.layout)}
    keys |= {(w.profile, w.version) for w in published.catalogue.withdrawn}
    profiles = sorted(
        profile
        for profile, version in keys
        if version == ask.version and ask.profile in (None, profile)
    )
    if not profiles:
        raise UnknownReleaseError(
            "there is no such release",
            on=" ".join(filter(None, (ask.profile, ask.version))),
            hint="`puad-release status` lists all releases.",
        )
    if len(profiles) > 1:
        raise UsageError(
            "several profiles have this version",
            on=ask.version,
            hint=f"Say which with --profile: {', '.join(profiles)}.",
        )
    return profiles[0]

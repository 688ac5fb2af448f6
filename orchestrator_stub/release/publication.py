# SPDX-License-Identifier: Apache-2.0
"""A publication: from what is published now to what shall be, in steps that readers survive.

Rules:

1. Everything is signed before anything is written, so that a missing key changes nothing.
2. The counters are saved before anything that bears their numbers is written.
3. Order of the steps: target files, catalogue, root, targets, snapshot, and last the timestamp.
   A reader who comes in between finds the old timestamp, and everything that it names is there.
4. Only what changed, nears its expiry, or was overtaken by an export is signed anew.
5. No file that a timestamp has ever named is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tuf.api.metadata import Root

from orchestrator_stub.release.chain import (
    Authority,
    Chain,
    expiries,
    next_versions,
    sign_chain,
    with_those_above,
)
from orchestrator_stub.release.content import Content
from orchestrator_stub.release.disk import Disk
from orchestrator_stub.release.errors import RepositoryError
from orchestrator_stub.release.keys import KeyFolder
from orchestrator_stub.release.layout import CATALOGUE_PATH, Layout
from orchestrator_stub.release.repository import MAX_ROOTS, Published
from orchestrator_stub.release.roles import CHAIN, Role, is_near
from orchestrator_stub.release.signing import expiry, missing_keys, next_root, sign
from orchestrator_stub.release.staging import StagedRelease
from orchestrator_stub.release.state import State

# Renewed when less than half of the validity is left: a publisher that runs a few times in that
# span never lets readers see expired metadata.
_RENEW_PART: Final = 2


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes: the repository's folder, the disk under it, the keys, and the time."""

    layout: Layout
    disk: Disk
    keys: KeyFolder
    now: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A repository that is open for change, under the publisher's lock.

    Attributes:
        publisher: Who publishes.
        state: The counters and validities.
        published: What readers see now.
    """

    publisher: Publisher
    state: State
    published: Published

    def refuse_rollback(self) -> None:
        """Refuse to go on from metadata that are older than what readers were given.

        Raises:
            RepositoryError: When somebody has put an old timestamp in place.
        """
        version = self.published.timestamp.version
        if version < self.state.published:
            raise RepositoryError(
                f"the served timestamp has version {version}, readers were given "
                f"{self.state.published}: what was withdrawn since would come back",
                on=str(self.publisher.layout.timestamp),
                hint="Bring the newest metadata/ back from a mirror or a backup.",
            )

    @property
    def content(self) -> Content:
        """What is published now, as content."""
        files = tuple(file for release in self.published.releases for file in release.files)
        return Content(files, self.published.catalogue.withdrawn)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a publication signed anew: roles with their new version and expiry."""

    versions: Mapping[Role, int] = field(default_factory=dict)
    expires: Mapping[Role, datetime] = field(default_factory=dict)


def publish(
    session: Session,
    content: Content,
    *,
    staged: Sequence[StagedRelease] = (),
    refresh: bool = False,
) -> Outcome:
    """Bring readers from what is published to `content`.

    Args:
        session: The open repository.
        content: What readers shall see.
        staged: Releases whose files become readable on the way.
        refresh: Sign targets, snapshot and timestamp anew even if nothing is due.

    Raises:
        ReleaseError: When it cannot be done; readers see what they saw before.
    """
    publisher = session.publisher
    roles = CHAIN if refresh else _due(session, content)
    root, root_data = _renewed_root(session)
    if not (roles or root_data):
        return Outcome()
    state, chain = _sign(session, root, roles, content)
    state.save(publisher.layout, publisher.disk)
    _write_content(publisher, content, staged)
    versions = dict(chain.versions)
    if root_data is not None:
        publisher.disk.write(publisher.layout.root(root.version), root_data)
        versions[Role.ROOT] = root.version
    if chain.documents:
        chain.publish(publisher.layout, publisher.disk, state)
    expires = {**expiries(publisher.now, state.validity), Role.ROOT: root.expires}
    return Outcome(versions, {role: expires[role] for role in versions})


def _sign(
    session: Session, root: Root, roles: Sequence[Role], content: Content
) -> tuple[State, Chain]:
    publisher, published = session.publisher, session.published
    state = next_versions(session.state, published, roles)
    chain = sign_chain(
        Authority(publisher.keys, (root,), (root,)),
        state,
        roles,
        targets=content.targets,
        published=published,
        expires=expiries(publisher.now, state.validity),
    )
    return state, chain


def _write_content(publisher: Publisher, content: Content, staged: Sequence[StagedRelease]) -> None:
    for release in staged:
        release.move_files(publisher.layout, publisher.disk)
    catalogue = publisher.layout.target(CATALOGUE_PATH, content.catalogue_file.sha256)
    if not catalogue.exists():
        publisher.disk.write(catalogue, content.catalogue)


def _due(session: Session, content: Content) -> tuple[Role, ...]:
    published, versions = session.published, session.state.versions
    due = {role for role in CHAIN if versions[role] > published.signed[role].version}
    due |= {role for role in CHAIN if _is_renewable(session, role)}
    if content.targets != published.targets.targets:
        due.add(Role.TARGETS)
    return with_those_above(due)


def _is_renewable(session: Session, role: Role) -> bool:
    """Whether a role nears its expiry and its keys are here.

    A publisher that has only some roles' keys, say those of the timestamp, renews what it can.
    """
    publisher, published = session.publisher, session.published
    expires, validity = published.signed[role].expires, session.state.validity[role]
    return is_near(expires, validity, publisher.now, part=_RENEW_PART) and not missing_keys(
        role, published.root, publisher.keys
    )


def _renewed_root(session: Session) -> tuple[Root, bytes | None]:
    old = session.published.root
    if old.version >= MAX_ROOTS or not _is_renewable(session, Role.ROOT):
        return old, None
    root = next_root(old, expiry(session.publisher.now, session.state.validity[Role.ROOT]))
    return root, sign(root, session.publisher.keys, signers=(old,), judges=(old, root))

# SPDX-License-Identifier: Apache-2.0
"""A publication: from what is published now to what shall be, in steps that readers survive.

Rules:

1. The counters are saved before anything is signed with their numbers.
2. Everything is signed before anything is written, so that a missing key changes nothing.
3. Order of the steps: target files, catalogue, root, targets, snapshot, and last the timestamp.
   A reader who comes in between finds the old timestamp, and everything that it names is there.
4. Only what changed, nears its expiry, or was overtaken by an export is signed anew.
5. No file that a timestamp has ever named is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tuf.api.metadata import Root

from orchestrator_stub.release.chain import (
    Authority,
    expiries,
    next_versions,
    sign_chain,
    with_those_above,
)
from orchestrator_stub.release.content import Content
from orchestrator_stub.release.disk import Disk
from orchestrator_stub.release.keys import KeyFolder
from orchestrator_stub.release.layout import CATALOGUE_PATH, Layout
from orchestrator_stub.release.repository import MAX_ROOTS, Published
from orchestrator_stub.release.roles import CHAIN, Role, is_near
from orchestrator_stub.release.signing import expiry, missing_keys, sign
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
class Outcome:
    """What a publication signed anew: roles with their new version and expiry."""

    versions: dict[Role, int]
    expires: dict[Role, datetime]


def current_content(published: Published) -> Content:
    """What is published now."""
    files = tuple(file for release in published.releases for file in release.files)
    return Content(files, published.catalogue.withdrawn)


def publish(
    publisher: Publisher,
    state: State,
    published: Published,
    *,
    content: Content,
    staged: Sequence[StagedRelease] = (),
    refresh: bool = False,
) -> Outcome:
    """Bring readers from what is published to `content`.

    Args:
        publisher: Who publishes.
        state: The counters and validities.
        published: What readers see now.
        content: What they shall see.
        staged: Releases whose files become readable on the way.
        refresh: Sign targets, snapshot and timestamp anew even if nothing is due.

    Raises:
        ReleaseError: When it cannot be signed or written; readers then see what they saw before.
    """
    roles = _due(publisher, state, published, content) if not refresh else CHAIN
    root, root_data = _renewed_root(publisher, state, published)
    if not roles and root_data is None:
        return Outcome({}, {})
    state = next_versions(state, published, roles)
    state.save(publisher.layout, publisher.disk)
    expires = expiries(publisher.now, state.validity)
    chain = sign_chain(
        Authority(publisher.keys, (root,), (root,)),
        state,
        roles,
        targets=content.targets,
        published=published,
        expires=expires,
    )
    for release in staged:
        release.move_files(publisher.layout, publisher.disk)
    file = content.catalogue_file
    catalogue = publisher.layout.target(CATALOGUE_PATH, file.sha256)
    if not catalogue.exists():
        publisher.disk.write(catalogue, content.catalogue)
    if root_data is not None:
        publisher.disk.write(publisher.layout.root(root.version), root_data)
    chain.write(publisher.layout, publisher.disk)
    outcome = Outcome(dict(chain.versions), {role: expires[role] for role in roles})
    if root_data is not None:
        outcome.versions[Role.ROOT] = root.version
        outcome.expires[Role.ROOT] = root.expires
    return outcome


def _due(
    publisher: Publisher, state: State, published: Published, content: Content
) -> tuple[Role, ...]:
    due = {
        role
        for role in CHAIN
        if state.versions[role] > published.signed[role].version
        or is_near(
            published.signed[role].expires,
            state.validity[role],
            publisher.now,
            part=_RENEW_PART,
        )
    }
    if content.targets != published.targets.targets:
        due.add(Role.TARGETS)
    return with_those_above(due)


def _renewed_root(
    publisher: Publisher, state: State, published: Published
) -> tuple[Root, bytes | None]:
    old = published.root
    validity = state.validity[Role.ROOT]
    near = is_near(old.expires, validity, publisher.now, part=_RENEW_PART)
    full = old.version >= MAX_ROOTS
    if not near or full or missing_keys(Role.ROOT, old, publisher.keys):
        return old, None
    root = Root.from_dict(old.to_dict())
    root.version += 1
    root.expires = expiry(publisher.now, validity)
    return root, sign(root, publisher.keys, signers=(old,), judges=(old, root))

# SPDX-License-Identifier: Apache-2.0
"""The chain of signed documents: targets, the snapshot that names them, the timestamp above it.

Rules:

1. Version numbers come from the state, one counter for each role, whatever the document is for.
   An export and the served folder therefore never give one number to two documents, and what is
   signed later is always higher.
2. A role that is signed anew has the roles above it signed anew as well, since they name it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from tuf.api.metadata import MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from orchestrator_stub.release.disk import Disk
from orchestrator_stub.release.keys import KeyFolder
from orchestrator_stub.release.layout import Layout
from orchestrator_stub.release.repository import Published
from orchestrator_stub.release.roles import CHAIN, Role
from orchestrator_stub.release.signing import describe, expiry, sign
from orchestrator_stub.release.state import State


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs, and whose rules must be met.

    Attributes:
        keys: Where the private keys lie.
        signers: Roots whose keys sign; two while a role's keys are exchanged.
        judges: Roots whose threshold each document must meet.
    """

    keys: KeyFolder
    signers: tuple[Root, ...]
    judges: tuple[Root, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Documents that are signed together, and the version of each."""

    documents: Mapping[Role, bytes]
    versions: Mapping[Role, int]

    def publish(self, layout: Layout, disk: Disk, state: State) -> None:
        """Give the documents to readers, and remember that they have them."""
        self.write(layout, disk)
        replace(state, published=self.versions[Role.TIMESTAMP]).save(layout, disk)

    def write(self, layout: Layout, disk: Disk) -> None:
        """Put the documents where readers look, the timestamp last."""
        for role in CHAIN:
            if role in self.documents:
                disk.write(self._path(layout, role), self.documents[role])

    def _path(self, layout: Layout, role: Role) -> Path:
        if role is Role.TIMESTAMP:
            return layout.timestamp
        return layout.metadata / f"{self.versions[role]}.{role}.json"


def with_those_above(roles: Collection[Role]) -> tuple[Role, ...]:
    """These roles and all above the lowest of them, in the order of signing."""
    lowest = min((CHAIN.index(role) for role in roles), default=len(CHAIN))
    return CHAIN[lowest:]


def next_versions(state: State, published: Published | None, roles: Sequence[Role]) -> State:
    """The state with the next number taken for each of these roles."""
    taken = {}
    for role in roles:
        seen = published.signed[role].version if published else 0
        taken[role] = max(state.versions[role], seen) + 1
    return state.after(taken)


def sign_chain(
    authority: Authority,
    state: State,
    roles: Sequence[Role],
    *,
    targets: Mapping[str, TargetFile],
    published: Published | None,
    expires: Mapping[Role, datetime],
) -> Chain:
    """Sign the documents of these roles with the numbers that the state has taken for them.

    Args:
        authority: Who signs.
        state: Where the numbers stand.
        roles: Which documents, without gaps up to the timestamp.
        targets: What the targets metadata list.
        published: What is not signed anew.
        expires: When each document stops to count.

    Raises:
        KeyAccessError: When too few keys are here.
        InputError: When a document would be too large for its readers.
    """
    documents: dict[Role, bytes] = {}
    named: dict[Role, MetaFile] = {}
    if published:
        named[Role.TARGETS] = published.snapshot.meta["targets.json"]
        named[Role.SNAPSHOT] = published.timestamp.snapshot_meta
    for role in roles:
        version = state.versions[role]
        signed = _make(role, version, expires[role], targets, named)
        data = sign(signed, authority.keys, signers=authority.signers, judges=authority.judges)
        documents[role] = data
        named[role] = describe(data, version)
    return Chain(documents, {role: state.versions[role] for role in roles})


def _make(
    role: Role,
    version: int,
    expires: datetime,
    targets: Mapping[str, TargetFile],
    named: Mapping[Role, MetaFile],
) -> Targets | Snapshot | Timestamp:
    match role:
        case Role.TARGETS:
            return Targets(version, expires=expires, targets=dict(targets))
        case Role.SNAPSHOT:
            meta = {"targets.json": named[Role.TARGETS]}
            return Snapshot(version, expires=expires, meta=meta)
        case _:
            return Timestamp(version, expires=expires, snapshot_meta=named[Role.SNAPSHOT])


def expiries(now: datetime, validity: Mapping[Role, timedelta]) -> dict[Role, datetime]:
    """When documents that are signed now stop to count."""
    return {role: expiry(now, validity[role]) for role in CHAIN}

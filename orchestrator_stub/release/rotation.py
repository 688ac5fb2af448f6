# SPDX-License-Identifier: Apache-2.0
"""Rotation: a role gets new keys, and every node follows.

Rules:

1. A new root is signed by the threshold of the old root's keys and by its own, and has the next
   number; nodes walk along them one by one.
2. Metadata of the role are first signed with the old and the new keys together, then the new root
   is written: whenever a node comes in between, it can verify what it finds. The next publication
   drops the old signatures.
3. An old key that is lost signs nothing, so nodes that come in between two writes must ask again;
   a rotation that was cut off there is finished by running it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuf.api.metadata import Root

from orchestrator_stub.release.chain import (
    Authority,
    expiries,
    next_versions,
    sign_chain,
    with_those_above,
)
from orchestrator_stub.release.errors import UsageError
from orchestrator_stub.release.publication import Publisher, Session
from orchestrator_stub.release.repository import MAX_ROOTS
from orchestrator_stub.release.roles import Role
from orchestrator_stub.release.signing import expiry, missing_keys, next_root, sign


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation changed: the new root's version, key ids gone and come."""

    root_version: int
    old_key_ids: tuple[str, ...]
    new_key_ids: tuple[str, ...]


def rotate(session: Session, role: Role, chosen: Sequence[str]) -> Rotated:
    """Give a role new keys in place of old ones.

    Args:
        session: The open repository.
        role: Whose keys.
        chosen: Beginnings of the ids of the keys to replace; none for all of the role.

    Raises:
        UsageError: When no key of the role has such an id.
        KeyAccessError: When too few keys are here to sign; nothing is changed then.
        ReleaseError: When it cannot be written.
    """
    publisher, old = session.publisher, session.published.root
    gone = _choose(old, role, chosen)
    _require_keys(publisher, old)
    root = next_root(old, expiry(publisher.now, session.state.validity[Role.ROOT]))
    come = []
    for key_id in gone:
        signer = publisher.keys.make(role)
        root.revoke_key(key_id, role)
        root.add_key(signer.public_key, role)
        come.append(signer.public_key.keyid)
    data = sign(root, publisher.keys, signers=(old, root), judges=(old, root))
    old_keys_serve = not missing_keys(role, old, publisher.keys)
    if role is not Role.ROOT and old_keys_serve:
        _sign_anew(session, role, (old, root))
    publisher.disk.write(publisher.layout.root(root.version), data)
    if role is not Role.ROOT and not old_keys_serve:
        _sign_anew(session, role, (root,))
    return Rotated(root.version, gone, tuple(come))


def _choose(root: Root, role: Role, chosen: Sequence[str]) -> tuple[str, ...]:
    key_ids = root.roles[role].keyids
    if not chosen:
        return tuple(key_ids)
    gone = []
    for beginning in chosen:
        found = [key_id for key_id in key_ids if key_id.startswith(beginning)]
        if len(found) != 1 or found[0] in gone:
            raise UsageError(
                f"this does not name one key of the {role} role",
                on=f"--old-key {beginning}",
                hint="`puad-release status` lists the key ids of each role.",
            )
        gone.append(found[0])
    return tuple(gone)


def _require_keys(publisher: Publisher, old: Root) -> None:
    """Fail before a key is made, so that a missing root key leaves no stray files."""
    if old.version >= MAX_ROOTS:
        raise UsageError(f"readers follow at most {MAX_ROOTS} roots", on=str(old.version))
    sign(old, publisher.keys, signers=(old,), judges=(old,))


def _sign_anew(session: Session, role: Role, roots: tuple[Root, ...]) -> None:
    publisher, published = session.publisher, session.published
    roles = with_those_above([role])
    state = next_versions(session.state, published, roles)
    chain = sign_chain(
        Authority(publisher.keys, roots, roots),
        state,
        roles,
        targets=published.targets.targets,
        published=published,
        expires=expiries(publisher.now, state.validity),
    )
    state.save(publisher.layout, publisher.disk)
    chain.publish(publisher.layout, publisher.disk, state)

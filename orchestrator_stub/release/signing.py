# SPDX-License-Identifier: Apache-2.0
"""Signing: metadata become bytes that a reader will accept, or nothing at all.

What is signed here is verified here, by the same rule as at a node, before it can be written.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from orchestrator_stub.release.errors import InputError, KeyAccessError
from orchestrator_stub.release.keys import KeyFolder
from orchestrator_stub.release.repository import why_unread
from orchestrator_stub.release.roles import Role

_COMPACT: Final = JSONSerializer(compact=True)


def sign(
    signed: Root | Targets | Snapshot | Timestamp,
    keys: KeyFolder,
    *,
    signers: Sequence[Root],
    judges: Sequence[Root],
) -> bytes:
    """A metadata document, signed with every key that is here.

    Args:
        signed: What is signed; its type says for which role.
        keys: Where the private keys lie.
        signers: Roots whose keys of that role sign.
        judges: Roots whose threshold must be met.

    Raises:
        KeyAccessError: When too few keys are here, or one cannot be used.
        InputError: When the document is larger than readers allow.
    """
    role = Role(signed.type)
    document: Metadata[Any] = Metadata(signed)
    key_ids = dict.fromkeys(k for root in signers for k in root.roles[role].keyids)
    for key_id in key_ids:
        if keys.has(role, key_id):
            document.sign(keys.signer(role, key_id), append=True)
    for judge in judges:
        try:
            judge.verify_delegate(role, document.signed_bytes, document.signatures)
        except TufError as error:
            raise _too_few(role, judge, keys) from error
    data = document.to_bytes(_COMPACT)
    if why := why_unread(role, data):
        raise InputError(
            f"the {role} metadata would have {why}",
            hint="Withdraw releases that nobody needs any more.",
        )
    return data


def expiry(now: datetime, validity: timedelta) -> datetime:
    """When metadata that are signed now stop to count, in whole seconds."""
    return (now + validity).astimezone(UTC).replace(microsecond=0)


def next_root(old: Root, expires: datetime) -> Root:
    """A root that follows `old`, to be changed before it is signed; they share nothing."""
    root = copy.deepcopy(old)
    root.version += 1
    root.expires = expires
    return root


def describe(data: bytes, version: int) -> MetaFile:
    """How one metadata file is named in the one above it."""
    return MetaFile.from_data(version, data, ["sha256"])


def missing_keys(role: Role, root: Root, keys: KeyFolder) -> int:
    """How many more keys are needed here before this role can sign."""
    present = sum(keys.has(role, key_id) for key_id in root.roles[role].keyids)
    return max(0, root.roles[role].threshold - present)


def _too_few(role: Role, root: Root, keys: KeyFolder) -> KeyAccessError:
    needed = root.roles[role]
    present = sum(keys.has(role, key_id) for key_id in needed.keyids)
    return KeyAccessError(
        f"the {role} role needs {needed.threshold} of its keys to sign, and {present} are here",
        on=str(keys.folder),
        hint=f"Bring {role}-*.pem files of that role into the keys folder.",
    )

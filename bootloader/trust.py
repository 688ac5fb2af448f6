# SPDX-License-Identifier: Apache-2.0
"""Trust: does signed metadata vouch for a target, judged from this node's root of trust? Pure.

Rules (TUF specification 1.0, client workflow, without its network):

1. The root of trust comes from the read-only root of the booted slot. Each further root has the
   next version and is signed by a threshold of its predecessor's keys and of its own.
2. The last root and the targets must not have expired at the reference time; roots before the last
   may have. The reference time never lies before a time that signed metadata prove has passed.
3. Only the top-level targets role is looked at; delegations are not followed.
4. Nothing in a payload is used before its signatures are verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets

from bootloader.errors import BootloaderError, ErrorName
from bootloader.manifest import Manifest, parse_manifest

MAX_ROOTS: Final = 256
MAX_ROOT_BYTES: Final = 512 << 10
MAX_TARGETS_BYTES: Final = 16 << 20
_Role = TypeVar("_Role", Root, Targets)


def verify_manifest(
    trust_root: bytes,
    roots: Sequence[bytes],
    targets: bytes,
    target_path: str,
    now: datetime,
) -> Manifest:
    """The manifest of a target that the metadata vouch for.

    Args:
        trust_root: The root metadata that are trusted as they are.
        roots: Every later root, oldest first.
        targets: The top-level targets metadata.
        target_path: The image's path among the targets.
        now: The time, or the time floor when the clock lies below it.

    Raises:
        BootloaderError: `SignatureInvalid`, `Expired` or `TargetUnknown`.
    """
    _check_bounds(roots, targets)
    root = _follow(trust_root, roots)
    signed = _load(targets, Targets, "the targets metadata")
    _verify(root, Targets.type, signed, "the targets metadata")
    target = signed.signed.targets.get(target_path)
    if target is None:
        what = "the signed metadata do not list this image"
        raise BootloaderError(ErrorName.TARGET_UNKNOWN, what, on=target_path)
    manifest = parse_manifest(target.custom)
    # an image that was built and signed proves that its time has come, whatever the clock says
    _check_expiry(root, signed, max(now, manifest.built_at))
    return manifest


def _check_bounds(roots: Sequence[bytes], targets: bytes) -> None:
    if len(roots) > MAX_ROOTS or any(len(root) > MAX_ROOT_BYTES for root in roots):
        raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the root chain is too long")
    if len(targets) > MAX_TARGETS_BYTES:
        raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the targets metadata are too long")


def _follow(trust_root: bytes, roots: Sequence[bytes]) -> Metadata[Root]:
    current = _load(trust_root, Root, "the root of trust")
    _verify(current, Root.type, current, "the root of trust")
    for data in roots:
        following = _load(data, Root, "a root of the chain")
        _verify(current, Root.type, following, "a root of the chain")
        _verify(following, Root.type, following, "a root of the chain")
        if following.signed.version != current.signed.version + 1:
            raise _unsigned(
                f"a root of the chain has version {following.signed.version} "
                f"after {current.signed.version}"
            )
        current = following
    return current


def _load(data: bytes, role: type[_Role], what: str) -> Metadata[_Role]:
    try:
        metadata: Metadata[_Role] = Metadata.from_bytes(data)
    except RepositoryError as error:
        raise _unsigned(f"{what} cannot be read") from error
    if not isinstance(metadata.signed, role):
        raise _unsigned(f"{what} has the role {metadata.signed.type}")
    return metadata


def _verify(
    root: Metadata[Root], role: str, metadata: Metadata[Root] | Metadata[Targets], what: str
) -> None:
    try:
        root.signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise _unsigned(f"{what} is not signed by enough trusted keys: {error}") from error


def _check_expiry(root: Metadata[Root], targets: Metadata[Targets], at: datetime) -> None:
    for signed in (root.signed, targets.signed):
        if signed.is_expired(at):
            what = f"the {signed.type} metadata expired at {signed.expires:%Y-%m-%dT%H:%M:%SZ}"
            raise BootloaderError(ErrorName.EXPIRED, what)


def _unsigned(what: str) -> BootloaderError:
    return BootloaderError(ErrorName.SIGNATURE_INVALID, what)

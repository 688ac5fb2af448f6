# SPDX-License-Identifier: Apache-2.0
"""Trust: does signed metadata vouch for a target, judged from this node's root of trust? Pure.

Rules (TUF specification 1.0, client workflow, without its network):

1. The root of trust comes from the read-only root of the booted slot. Each further root has the
   next version and is signed by a threshold of its predecessor's keys and of its own.
2. The last root and the targets must not have expired at the reference time; roots before the last
   may have. The reference time never lies before a time that signed metadata prove has passed.
3. Only the top-level targets role is looked at; delegations are not followed.
4. Nothing in a payload is used before its signatures are verified.
5. A chain that ends below a root that was accepted before is refused, and so is another root of the
   same version: a newer root may have revoked the keys of the older one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets

from bootloader.chain import Chain
from bootloader.chunks import Chunk, parse_index
from bootloader.errors import BootloaderError, ErrorName
from bootloader.manifest import Manifest, parse_manifest
from bootloader.seen_root import SeenRoot

_Role = TypeVar("_Role", Root, Targets)


@dataclass(frozen=True, slots=True)
class Verified:
    """Metadata whose signatures are right; whether they are fresh is not known yet."""

    root: Metadata[Root]
    targets: Metadata[Targets]

    @property
    def seen_root(self) -> SeenRoot:
        """What is remembered of the root."""
        return _seen(self.root)

    def manifest(self, target_path: str, now: datetime) -> Manifest:
        """The manifest of a target that the metadata vouch for.

        Args:
            target_path: The image's path among the targets.
            now: The time, or the time floor when the clock lies below it.

        Raises:
            BootloaderError: `Expired` or `TargetUnknown`.
        """
        target = self.targets.signed.targets.get(target_path)
        if target is None:
            what = "the signed metadata do not list this image"
            raise BootloaderError(ErrorName.TARGET_UNKNOWN, what, on=target_path)
        manifest = parse_manifest(target.custom)
        # an image that was built and signed proves that its time has come, whatever the clock says
        _check_expiry(self.root, self.targets, max(now, manifest.built_at))
        return manifest

    def chunks(self, target_path: str, manifest: Manifest, index: bytes) -> tuple[Chunk, ...]:
        """The chunks of an image, by the index that the metadata vouch for.

        Args:
            target_path: The image's path among the targets.
            manifest: Its manifest.
            index: The index as the caller has it; empty when it has none.

        Returns:
            The chunks; none without an index, and where the manifest names none of the image.

        Raises:
            BootloaderError: `TargetUnknown`, or `HashMismatch`.
        """
        if not index or manifest.index is None:
            return ()
        targets = self.targets.signed.targets
        target = targets.get(manifest.index)
        if target is None:
            what = "the signed metadata do not list the chunk index"
            raise BootloaderError(ErrorName.TARGET_UNKNOWN, what, on=manifest.index)
        signed = (target.length, target.hashes.get("sha256"))
        if signed != (len(index), hashlib.sha256(index).hexdigest()):
            what = "the chunk index is not the signed one"
            raise BootloaderError(ErrorName.HASH_MISMATCH, what, on=manifest.index)
        file_size = targets[target_path].length
        return parse_index(index, image_size=manifest.image_size, file_size=file_size)


def verify(trust_root: bytes, chain: Chain, seen: SeenRoot | None) -> Verified:
    """Verify every signature from the root of trust down to the targets.

    Args:
        trust_root: The root metadata that are trusted as they are.
        chain: The further roots, and the targets.
        seen: The highest root that was accepted before; None when there was none.

    Raises:
        BootloaderError: `SignatureInvalid`, or `InvalidArgument` for too much of it.
    """
    chain.require_bounded()
    root = _follow(trust_root, chain.roots)
    _check_not_revoked(root, seen)
    signed = _load(chain.targets, Targets, "the targets metadata")
    _verify(root, Targets.type, signed, "the targets metadata")
    return Verified(root, signed)


def _check_not_revoked(root: Metadata[Root], seen: SeenRoot | None) -> None:
    if seen is None or root.signed.version > seen.version:
        return
    if root.signed.version < seen.version:
        raise _unsigned(
            f"the root chain ends at version {root.signed.version}, but version {seen.version} "
            "was accepted before and may have revoked its keys"
        )
    if _seen(root) != seen:
        raise _unsigned(f"this is another root of version {seen.version} than was accepted before")


def _seen(root: Metadata[Root]) -> SeenRoot:
    return SeenRoot(root.signed.version, hashlib.sha256(root.signed_bytes).hexdigest())


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

# SPDX-License-Identifier: Apache-2.0
"""The release repository: TUF metadata, verified from the image's root of trust on each refresh.

1. Trust starts at the root of trust in the read-only image, never at a cached file. Newer roots are
   verified one after the other on top of it.
2. Time is given in: where the clock is not trusted, the caller passes the floor
   (docs/architecture.md, Trust).
3. The highest versions that were ever verified are given in too and compared, so that losing the
   cache is no way back in time. As in the TUF specification, they count no longer when the root
   has replaced the keys of timestamp or snapshot: that is how a repository recovers.
4. Only the top-level roles vouch for targets; boot control reads no others either.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Final

from tuf.api import exceptions
from tuf.api.metadata import TargetFile

from puad.bounded_file import read_bounded
from puad.config import Limits
from puad.core.errors import Code, TrustError
from puad.core.manifest import CUSTOM_KEY, parse_manifest
from puad.download.metadata_cache import MetadataCache
from puad.download.origin import Origin
from puad.download.release import Release, SeenVersions, SignedChain
from puad.download.source import Source
from puad.download.trust_errors import tuf_errors
from puad.download.verification import TrustRoot, Verified, require_not_older, verify

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class ReleaseRepository:
    """Signed metadata of one origin.

    Example::

        repository = ReleaseRepository(HttpOrigin(url, session, limits), cache=..., ...)
        repository.refresh()
        release = repository.release("edge/13.1/edge-13.1.raw.zst")
        source = repository.source(release.path)

    Args:
        origin: Where the repository lies.
        cache: Folder for the metadata of the last good refresh.
        trust_root: The image's root of trust.
        limits: Bounds on every file.
        reference_time: The time at which expiry is judged, UTC.
        floor: The highest versions that this node has verified before.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        cache: Path,
        trust_root: Path,
        limits: Limits,
        reference_time: datetime,
        floor: SeenVersions | None = None,
    ) -> None:
        self._origin = origin
        self._cache = MetadataCache(cache, limits)
        self._trust_root = trust_root
        self._limits = limits
        self._reference_time = reference_time
        self._floor = floor or SeenVersions()
        self._verified: Verified | None = None

    def refresh(self) -> None:
        """Fetch and verify the newest metadata, and keep them.

        Raises:
            TrustError: When they do not hold; nothing is kept then.
            DownloadError: When they cannot be had.
            StorageError: When they cannot be kept.
        """
        trusted = self._read_trust_root()
        with tuf_errors(self._origin.base_url):
            try:
                verified = self._verify(trusted)
            except exceptions.RepositoryError:
                if self._cache.root(trusted.root.version + 1) is None:
                    raise
                self._cache.forget_roots()  # the kept ones may be damaged: once more without
                verified = self._verify(trusted)
            require_not_older(verified, trusted, self._floor)
            self._cache.save(verified.files, verified.roots)
        self._verified = verified

    def release(self, path: str) -> Release:
        """What the signed metadata say of an image.

        Raises:
            TrustError: `TARGET_UNKNOWN`, or `MANIFEST_INVALID`.
        """
        target = self._target(path)
        manifest = parse_manifest(target.custom)
        return Release(path, target.length, _file_hash(target), manifest)

    def small_target(self, path: str, max_bytes: int) -> bytes:
        """A whole verified target: a chunk index, an OS profile manifest.

        Raises:
            TrustError: When it is not signed, too large, or has other bytes than the signed ones.
            DownloadError: When it cannot be had.
        """
        target = self._target(path)
        if target.length > max_bytes:
            raise TrustError(
                Code.MANIFEST_INVALID, f"The target has more than {max_bytes} bytes", on=path
            )
        with tuf_errors(self._origin.base_url):
            url = f"{self._origin.base_url}/{_place(target)}"
            data = self._origin.fetcher().download_bytes(url, target.length)
            target.verify_length_and_hashes(data)
        return data

    def releases(self) -> tuple[Release, ...]:
        """Every image that the signed metadata list.

        Raises:
            TrustError: `MANIFEST_INVALID`.
        """
        targets = self._refreshed().targets.targets
        return tuple(
            self.release(path)
            for path, target in targets.items()
            if isinstance(target.custom, dict) and CUSTOM_KEY in target.custom
        )

    def source(self, path: str) -> Source:
        """The bytes of a target that is too big to be held whole: an image, a boot file."""
        target = self._target(path)
        return self._origin.source(_place(target), target.length)

    def target_size(self, path: str) -> int:
        """The signed size of a target, in bytes."""
        return self._target(path).length

    def chain(self) -> SignedChain:
        """What boot control verifies the release with."""
        verified = self._refreshed()
        return SignedChain(tuple(verified.roots.values()), verified.files["targets"])

    def seen(self) -> SeenVersions:
        """The versions that the last refresh verified; the caller keeps them as the next floor."""
        return self._refreshed().seen

    def _read_trust_root(self) -> TrustRoot:
        try:
            data = read_bounded(self._trust_root, self._limits.root_metadata_bytes)
            return TrustRoot.parse(data)
        except OSError as error:
            raise self._no_root(str(error.strerror)) from error
        except exceptions.RepositoryError as error:
            raise self._no_root(str(error)) from error

    def _no_root(self, why: str) -> TrustError:
        return TrustError(
            Code.ROOT_OF_TRUST_MISSING,
            f"The root of trust cannot be used: {why}",
            on=str(self._trust_root),
        )

    def _verify(self, trusted: TrustRoot) -> Verified:
        return verify(
            self._origin,
            self._cache,
            trusted,
            reference_time=self._reference_time,
            limits=self._limits,
        )

    def _refreshed(self) -> Verified:
        if self._verified is None:
            raise RuntimeError("refresh() comes before anything else")
        return self._verified

    def _target(self, path: str) -> TargetFile:
        target = self._refreshed().targets.targets.get(path)
        if target is None:
            raise TrustError(Code.TARGET_UNKNOWN, "The signed metadata do not list it", on=path)
        return target


def _file_hash(target: TargetFile) -> str:
    file_hash = target.hashes.get("sha256", "")
    if not _SHA256.fullmatch(file_hash):
        raise TrustError(Code.MANIFEST_INVALID, "The target has no SHA-256", on=target.path)
    return file_hash


def _place(target: TargetFile) -> str:
    folder, slash, name = target.path.rpartition("/")
    return f"targets/{folder}{slash}{_file_hash(target)}.{name}"

# SPDX-License-Identifier: Apache-2.0
"""One verification: the TUF client workflow, run once on a scratch copy, and what it proved.

`tuf.ngclient` does the work. Around it stand the three things that it leaves open: the reference
time, which it takes from the clock; the chain of roots, of which it keeps only the last; and the
versions seen before, which it knows only from its own folder.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from puad.config import Limits
from puad.core.errors import Code, TrustError
from puad.download.metadata_cache import ROLES, MetadataCache
from puad.download.origin import Origin
from puad.download.release import SeenVersions

_ROOT_NAME: Final = re.compile(r"/([1-9][0-9]*)\.root\.json")


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """The image's root of trust: its bytes, and what they say."""

    data: bytes
    root: Root

    @classmethod
    def parse(cls, data: bytes) -> TrustRoot:
        """Read a root of trust, and hold it against itself.

        Raises:
            RepositoryError: When it is none, or is not signed by its own keys.
        """
        metadata = Metadata[Root].from_bytes(data)
        if metadata.signed.type != Root.type:
            raise exceptions.RepositoryError(f"it is metadata of {metadata.signed.type}")
        metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
        return cls(data, metadata.signed)


@dataclass(frozen=True, slots=True)
class Verified:
    """What one verification proved.

    Attributes:
        files: The metadata of each role but root, as signed.
        roots: The roots after the root of trust, by version, as signed.
        seen: The versions.
        targets: What the targets metadata say.
    """

    files: Mapping[str, bytes]
    roots: Mapping[int, bytes]
    seen: SeenVersions
    targets: Targets


def verify(
    origin: Origin,
    cache: MetadataCache,
    trusted: TrustRoot,
    *,
    reference_time: datetime,
    limits: Limits,
) -> Verified:
    """Run the TUF client workflow from the root of trust.

    Raises:
        RepositoryError: When the metadata do not hold.
        DownloadError: TUF's, when they cannot be had.
        OSError: When the scratch copy cannot be written.
    """
    fetcher = _RootRecorder(origin.fetcher(), cache)
    with tempfile.TemporaryDirectory(prefix="puad-tuf-") as name:
        scratch = Path(name)
        (scratch / "root.json").write_bytes(trusted.data)
        for role, data in cache.load().items():
            (scratch / f"{role}.json").write_bytes(data)
        updater = Updater(
            name, f"{origin.base_url}/metadata/", fetcher=fetcher, config=_config(limits)
        )
        # ngclient has no way to give the time in; its set takes the clock when it is made.
        updater._trusted_set.reference_time = reference_time  # noqa: SLF001
        updater.refresh()
        files = {role: (scratch / f"{role}.json").read_bytes() for role in ROLES}
    return _read(files, fetcher.roots, trusted)


def require_not_older(verified: Verified, trusted: TrustRoot, floor: SeenVersions) -> None:
    """Hold the versions against those that this node has verified before.

    Raises:
        TrustError: `METADATA_ROLLBACK`.
    """
    roles = ("root",) if _recovered(verified, trusted, floor.root) else ("root", *ROLES)
    for role in roles:
        found, least = getattr(verified.seen, role), getattr(floor, role)
        if found < least:
            raise TrustError(
                Code.METADATA_ROLLBACK,
                f"The {role} metadata have version {found}, and this node has seen {least}",
            )


def _recovered(verified: Verified, trusted: TrustRoot, floor_root: int) -> bool:
    """Whether keys of timestamp or snapshot were replaced since the floor's root."""
    chain = {trusted.root.version: trusted.root} | {
        version: Metadata[Root].from_bytes(data).signed for version, data in verified.roots.items()
    }
    before, now = chain.get(floor_root), chain[verified.seen.root]
    return before is not None and any(
        set(before.roles[role].keyids) != set(now.roles[role].keyids)
        for role in (Timestamp.type, Snapshot.type)
    )


def _read(files: Mapping[str, bytes], roots: Mapping[int, bytes], trusted: TrustRoot) -> Verified:
    timestamp = Metadata[Timestamp].from_bytes(files["timestamp"]).signed
    targets = Metadata[Targets].from_bytes(files["targets"]).signed
    seen = SeenVersions(
        root=max(roots, default=trusted.root.version),
        timestamp=timestamp.version,
        snapshot=timestamp.snapshot_meta.version,
        targets=targets.version,
        timestamp_expires_at=timestamp.expires,
    )
    return Verified(files, roots, seen, targets)


def _config(limits: Limits) -> UpdaterConfig:
    return UpdaterConfig(
        max_root_rotations=limits.root_rotations,
        max_delegations=0,
        root_max_length=limits.root_metadata_bytes,
        timestamp_max_length=limits.timestamp_bytes,
        snapshot_max_length=limits.snapshot_bytes,
        targets_max_length=limits.targets_bytes,
    )


class _RootRecorder(FetcherInterface):
    """Gives kept roots in place of fetched ones, and records the chain."""

    def __init__(self, fetcher: FetcherInterface, cache: MetadataCache) -> None:
        self._fetcher = fetcher
        self._cache = cache
        self.roots: dict[int, bytes] = {}

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Fetch a file, unless it is a root that is kept."""
        found = _ROOT_NAME.search(url)
        if found is None:
            return self._fetcher.download_bytes(url, max_length)
        version = int(found[1])
        data = self._cache.root(version) or self._fetcher.download_bytes(url, max_length)
        self.roots[version] = data
        return data

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._fetcher.fetch(url)

# SPDX-License-Identifier: Apache-2.0
"""Supply: the signed repository that a run's image comes from, opened and refreshed.

It is the release service's, or the folder that an operator has handed over. The highest versions
that were verified are remembered outside the cache, for each of the two by itself: an export stays
usable for as long as it was signed, on a node that goes online as well (docs/adr/0007).

What needs TUF's libraries is imported when a repository is opened: a node at rest, and each boot,
go without them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from puad.client.transport import make_session
from puad.config import Settings
from puad.core.errors import Code, ConfigError, DownloadError, StorageError, TrustError
from puad.core.model import Offer
from puad.core.run import Goal
from puad.download.bandwidth import Bandwidth
from puad.download.release import SeenVersions
from puad.effects.clock import Clock
from puad.effects.machine import Machine
from puad.effects.pace import Pace
from puad.effects.watch import Watch
from puad.store import Store

if TYPE_CHECKING:
    from puad.download.origin import Origin
    from puad.download.repository import ReleaseRepository

_LOG: Final = logging.getLogger(__name__)
_ONLINE: Final = "online"
_EXPORTED: Final = "exported"
_ROLES: Final = ("root", "timestamp", "snapshot", "targets")


class Supplier:
    """Opens repositories.

    Args:
        settings: Where the release service is, and where things lie on the node.
        store: Keeps the highest versions that were verified.
        clock: The time at which signatures are judged.
        watch: Asked often whether to stop.
    """

    def __init__(self, settings: Settings, store: Store, clock: Clock, watch: Watch) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._watch = watch
        self._lock = threading.Lock()
        self._folder: int | None = None

    @contextlib.contextmanager
    def open(self, goal: Goal) -> Iterator[ReleaseRepository]:
        """The refreshed repository of a goal; with it the install's bandwidth and pace begin.

        Raises:
            PuadError: It cannot be reached, or its metadata cannot be trusted.
        """
        pace = self._settings.pace
        bandwidth = Bandwidth(pace.bandwidth_bytes_s)
        self._watch.begin(Pace(pace, Machine().read), bandwidth)
        if goal.from_folder:
            with self._lock:
                folder = os.dup(self._folder) if self._folder is not None else None
            if folder is None:
                what = "The exported repository is not open any more; install it again"
                raise DownloadError(Code.DOWNLOAD_REFUSED, what, on=goal.offer.url)
            try:
                yield self._refreshed(_folder_origin(folder), _EXPORTED)
            finally:
                os.close(folder)
            return
        release, limits = self._settings.release, self._settings.limits
        if not release.url:
            what = "No release service is configured"
            raise ConfigError(Code.CONFIG_INVALID, what, on="release.url")
        tls_min = self._settings.server.tls_min
        with make_session(
            tls_min,
            release.ca_file,
            max_redirects=limits.redirects,
            judged_at=self._clock.floor_above_the_clock(),
        ) as session:
            from puad.download.origin import HttpOrigin  # noqa: PLC0415 -- see above

            origin = HttpOrigin(release.url, session, limits, self._watch.cancelled, bandwidth)
            yield self._refreshed(origin, _ONLINE)

    def inspect(self, folder: int) -> Offer:
        """What an exported repository offers; its metadata are verified.

        Args:
            folder: A descriptor of its folder; it stays the caller's.

        Raises:
            PuadError: It cannot be trusted, or does not hold exactly one release.
        """
        releases = self._refreshed(_folder_origin(folder), _EXPORTED).releases()
        if len(releases) != 1:
            what = f"The folder holds {len(releases)} releases; `puad-release export` writes one"
            raise TrustError(Code.TARGET_UNKNOWN, what)
        (release,) = releases
        manifest = release.manifest
        return Offer(release.path, manifest.version, release.file_hash, manifest.profile)

    def keep_folder(self, folder: int) -> None:
        """Take over the descriptor of the folder that the next run installs from."""
        with self._lock:
            if self._folder is not None:
                os.close(self._folder)
            self._folder = folder

    def _refreshed(self, origin: Origin, kind: str) -> ReleaseRepository:
        from puad.download.repository import ReleaseRepository  # noqa: PLC0415 -- see above

        paths = self._settings.paths
        repository = ReleaseRepository(
            origin,
            cache=paths.persist / f"tuf-{kind}",
            trust_root=paths.trust_root,
            limits=self._settings.limits,
            reference_time=self._clock.reference_time(),
            floor=self._floor(kind),
        )
        repository.refresh()
        seen = repository.seen()
        self._store.write(f"seen-{kind}", _dump(seen))
        if kind == _ONLINE:
            self._clock.vouch(since=self._clock.floor, until=seen.timestamp_expires_at)
        return repository

    def _floor(self, kind: str) -> SeenVersions:
        """What was seen of this kind of repository; the root counts whichever way it came."""
        newest_root = max(self._seen(known).root for known in (_ONLINE, _EXPORTED))
        return replace(self._seen(kind), root=newest_root)

    def _seen(self, kind: str) -> SeenVersions:
        try:
            return _load(self._store.read(f"seen-{kind}") or {})
        except StorageError as error:
            _LOG.warning("%s; which metadata were seen is known from the cache alone", error)
            return SeenVersions()


def _folder_origin(folder: int) -> Origin:
    from puad.download.folder import FolderOrigin  # noqa: PLC0415 -- see above

    return FolderOrigin(folder)


def _dump(seen: SeenVersions) -> dict[str, Any]:
    expires = seen.timestamp_expires_at
    versions = {role: getattr(seen, role) for role in _ROLES}
    return {"schema": 1, **versions, "expires": expires.isoformat() if expires else None}


def _load(document: dict[str, Any]) -> SeenVersions:
    versions = {
        role: value for role in _ROLES if isinstance(value := document.get(role), int) and value > 0
    }
    try:
        expires = datetime.fromisoformat(str(document.get("expires")))
    except ValueError:
        expires = None
    return SeenVersions(**versions, timestamp_expires_at=expires)

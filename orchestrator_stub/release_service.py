# SPDX-License-Identifier: Apache-2.0
"""The release service as the orchestrator reads it: a TUF client like any other.

Nothing is believed that the metadata, verified from the configured root of trust, do not vouch
for; the documents of a release, its lists of packages and CVEs, are targets like its manifest.
What is wrong with one profile or document is told beside it and stops no other. The cache of
metadata is kept per root of trust, so that a rollback is seen from one refresh to the next; only
one process uses it at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml
from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.ngclient import TargetFile, Updater

from orchestrator_stub.errors import ReleaseServiceError
from orchestrator_stub.release.catalogue import Catalogue, parse_catalogue
from orchestrator_stub.release.errors import ReleaseError
from orchestrator_stub.release_fetcher import ReleaseFetcher
from puad.core.errors import PuadError
from puad.core.profile import OSProfile, parse_profile

CATALOGUE: Final = "profiles.json"
MAX_CATALOGUE_BYTES: Final = 1 << 20
MAX_PROFILE_BYTES: Final = 64 << 10
MAX_PROFILES: Final = 2000
MAX_PROFILES_BYTES: Final = 8 << 20
"""Of all OS profile manifests: YAML takes seconds for each megabyte, minutes when it is made to."""

MAX_DOCUMENT_BYTES: Final = 16 << 20
MAX_DOCUMENTS_BYTES: Final = 64 << 20
"""Of all documents that one reading fetches; the next reading fetches the others."""

_ROOT_HINT: Final = "Point --release-root at the release service's 1.root.json."
_MAX_ROOT_BYTES: Final = 512_000
# what PyYAML ends in over a scalar that is not what its tag says, such as `!!timestamp x`
_NO_SCALAR: Final = (ValueError, ArithmeticError, LookupError, AttributeError)


def _no_documents(_profile: OSProfile) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class ReleaseService:
    """Where the release service is and what vouches for it.

    Attributes:
        url: The repository's base, `https://…/` or `file:///folder/`.
        trust_root: The root.json that everything is verified from.
        cache: Folder for its metadata.
        ca_file: CA of its TLS certificate; empty for the system's.
    """

    url: str
    trust_root: Path
    cache: Path
    ca_file: str = ""

    def read(self, wanted: Callable[[OSProfile], Mapping[str, str]] = _no_documents) -> Publication:
        """Everything that is published now.

        Args:
            wanted: The documents that are wanted with an OS profile: of each path the hash of what
                the caller has already, or an empty one. What has that hash is not fetched again.

        Raises:
            ReleaseServiceError: When the repository cannot be read or verified as a whole.
        """
        try:
            with self._updater() as updater:
                updater.refresh()
                catalogue = _catalogue(updater)
                profiles = _profiles(updater, catalogue.profiles)
                documents = _documents(updater, profiles, wanted)
        except (RepositoryError, DownloadError) as error:
            raise ReleaseServiceError(
                f"the release service at {self.url} cannot be used: {error}",
                hint="Check its address, its files, and the configured root.json.",
            ) from error
        except OSError as error:
            raise ReleaseServiceError(f"the metadata cache cannot be used: {error}") from error
        return Publication(tuple(profiles), catalogue, documents)

    @contextlib.contextmanager
    def _updater(self) -> Iterator[Updater]:
        root = self._trust_root_bytes()
        folder = self.cache / hashlib.sha256(root).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        with (
            (self.cache / "lock").open("ab") as lock,
            tempfile.TemporaryDirectory(prefix="puad-release-") as downloads,
            ReleaseFetcher(self.ca_file) as fetcher,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)

            def start() -> Updater:
                base = self.url.rstrip("/")
                return Updater(
                    metadata_dir=str(folder),
                    metadata_base_url=f"{base}/metadata/",
                    target_dir=downloads,
                    target_base_url=f"{base}/targets/",
                    fetcher=fetcher,
                )

            try:
                updater = start()
            except (OSError, RepositoryError):
                # no cache yet, or an unreadable one: start from the root of trust
                shutil.rmtree(folder)
                folder.mkdir()
                (folder / "root.json").write_bytes(root)
                try:
                    updater = start()
                except RepositoryError as error:
                    raise ReleaseServiceError(
                        f"the root of trust {self.trust_root} cannot be used: {error}",
                        hint=_ROOT_HINT,
                    ) from error
            yield updater

    def _trust_root_bytes(self) -> bytes:
        try:
            with self.trust_root.open("rb") as file:
                return file.read(_MAX_ROOT_BYTES)
        except OSError as error:
            raise ReleaseServiceError(
                f"the root of trust {self.trust_root} cannot be read: {error.strerror}",
                hint=_ROOT_HINT,
            ) from error


@dataclass(frozen=True, slots=True)
class ProfileEntry:
    """One OS profile manifest: its path and what it says, or why it cannot be used."""

    path: str
    profile: OSProfile | None
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a release.

    Attributes:
        sha256: Its hash, as the signed metadata have it.
        data: Its bytes, as far as they were fetched.
        broken: Why it cannot be used; empty when it can, or need not.
    """

    sha256: str = ""
    data: bytes | None = None
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """What the release service publishes: every OS profile manifest, and the catalogue.

    `documents` holds those that were wanted, by their paths.
    """

    entries: tuple[ProfileEntry, ...]
    catalogue: Catalogue
    documents: Mapping[str, Document] = field(default_factory=dict)


def _catalogue(updater: Updater) -> Catalogue:
    try:
        catalogue = parse_catalogue(_target(updater, CATALOGUE, MAX_CATALOGUE_BYTES))
    except ReleaseError as error:
        raise ReleaseServiceError(f"{CATALOGUE} cannot be read: {error}") from error
    if len(catalogue.profiles) > MAX_PROFILES:
        raise ReleaseServiceError(f"{CATALOGUE} lists more than {MAX_PROFILES} profiles")
    return catalogue


def _profiles(updater: Updater, paths: Iterable[str]) -> list[ProfileEntry]:
    entries, left = [], MAX_PROFILES_BYTES
    for path in paths:
        try:
            data = _target(updater, path, min(MAX_PROFILE_BYTES, left))
        except (RepositoryError, DownloadError, ReleaseServiceError) as error:
            entries.append(ProfileEntry(path, None, str(error)))
            continue
        left -= len(data)
        entries.append(_profile(path, data))
    return entries


def _profile(path: str, data: bytes) -> ProfileEntry:
    try:
        # The loader is a SafeLoader without aliases: the rule looks for the name only.
        document = yaml.load(data, Loader=_PlainLoader)  # noqa: S506
        return ProfileEntry(path, parse_profile(document))
    except PuadError as error:
        return ProfileEntry(path, None, str(error))
    except (yaml.YAMLError, *_NO_SCALAR, RecursionError) as error:
        return ProfileEntry(path, None, f"it is not YAML that can be read: {type(error).__name__}")


def _documents(
    updater: Updater,
    entries: list[ProfileEntry],
    wanted: Callable[[OSProfile], Mapping[str, str]],
) -> dict[str, Document]:
    documents: dict[str, Document] = {}
    left = MAX_DOCUMENTS_BYTES
    for entry in entries:
        for path, known in wanted(entry.profile).items() if entry.profile else ():
            try:
                documents[path] = _document(updater, path, known, left)
            except (RepositoryError, DownloadError, ReleaseServiceError) as error:
                documents[path] = Document(broken=str(error))
            left -= len(documents[path].data or b"")
    return documents


def _document(updater: Updater, path: str, known: str, left: int) -> Document:
    info = _listed(updater, path, MAX_DOCUMENT_BYTES)
    sha256 = info.hashes.get("sha256", "")
    if known and sha256 == known:
        return Document(sha256)
    if info.length > left:
        raise ReleaseServiceError(f"{path} is left to the next time: there is so much to read")
    return Document(sha256, Path(updater.download_target(info)).read_bytes())


def _target(updater: Updater, path: str, most: int) -> bytes:
    return Path(updater.download_target(_listed(updater, path, most))).read_bytes()


def _listed(updater: Updater, path: str, most: int) -> TargetFile:
    info: TargetFile | None = updater.get_targetinfo(path)
    if info is None:
        raise ReleaseServiceError(f"the signed metadata do not list {path}")
    if info.length > most:
        raise ReleaseServiceError(f"{path} has more than {most} bytes")
    return info


class _PlainLoader(yaml.SafeLoader):
    """A safe loader that refuses aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are refused")
        return super().compose_node(parent, index)

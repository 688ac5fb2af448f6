# SPDX-License-Identifier: Apache-2.0
"""What is published now, read as a node reads it and believed no further.

Rules:

1. The chain of roots begins at the anchor (`root.json` in the keys folder; without a keys folder,
   for commands that sign nothing, the first root in the repository) and every root is signed by
   the threshold of the one before it and by its own.
2. Timestamp, snapshot and targets are those that the timestamp names, by version, size and hash;
   each is signed by the threshold of the newest root. Who can write to the served folder can
   therefore not make the publisher sign anything for him.
3. Expiry is not looked at: to publish is the cure for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from orchestrator_stub.release.catalogue import Catalogue, parse_catalogue
from orchestrator_stub.release.disk import translated
from orchestrator_stub.release.errors import RepositoryError
from orchestrator_stub.release.layout import CATALOGUE_PATH, Layout
from orchestrator_stub.release.release import Release, ReleaseFile, group_releases
from orchestrator_stub.release.roles import Role

# What every reader of a repository allows, those of tuf.ngclient.
MAX_BYTES: Final[Mapping[Role, int]] = {
    Role.ROOT: 512_000,
    Role.TARGETS: 5_000_000,
    Role.SNAPSHOT: 2_000_000,
    Role.TIMESTAMP: 16_384,
}
MAX_ROOTS: Final = 256
MAX_VALUES: Final = 290_000
"""Of JSON in targets metadata; boot control takes a few more, for the roots."""
_MAX_CATALOGUE_BYTES: Final = 4 << 20

T = TypeVar("T", Root, Timestamp, Snapshot, Targets)


@dataclass(frozen=True)
class Published:
    """The metadata that a reader would get now, verified.

    Attributes:
        layout: Where it lies.
        roots: Every root, oldest first, as bytes.
        root: The newest root.
        timestamp: The timestamp.
        snapshot: The snapshot that it names.
        targets: The targets that the snapshot names.
    """

    layout: Layout
    roots: tuple[bytes, ...]
    root: Root
    timestamp: Timestamp
    snapshot: Snapshot
    targets: Targets

    @property
    def signed(self) -> Mapping[Role, Root | Targets | Snapshot | Timestamp]:
        """The metadata of each role."""
        return {
            Role.ROOT: self.root,
            Role.TARGETS: self.targets,
            Role.SNAPSHOT: self.snapshot,
            Role.TIMESTAMP: self.timestamp,
        }

    @cached_property
    def releases(self) -> tuple[Release, ...]:
        """Every published release."""
        return group_releases(to_file(target) for target in self.targets.targets.values())

    @cached_property
    def catalogue(self) -> Catalogue:
        """The published catalogue; an empty one before the first."""
        target = self.targets.targets.get(CATALOGUE_PATH)
        if target is None:
            return Catalogue()
        path = self.layout.target(CATALOGUE_PATH, target.hashes["sha256"])
        data = _read(path, _MAX_CATALOGUE_BYTES)
        try:
            target.verify_length_and_hashes(data)
        except TufError as error:
            raise _broken("the catalogue does not have its signed hash", path) from error
        return parse_catalogue(data)


def to_file(target: TargetFile) -> ReleaseFile:
    """The target file behind an entry of the targets metadata."""
    return ReleaseFile(target.path, target.length, target.hashes["sha256"], target.custom)


def read_published(
    layout: Layout, *, anchor: Path | None = None, previous_root_counts: bool = False
) -> Published:
    """Read and verify what is published.

    Args:
        layout: Where it lies.
        anchor: The root that the chain begins at; None for the first one in the repository.
        previous_root_counts: Whether metadata may be signed as the root before the newest asks,
            which is how a rotation looks that was cut off.

    Raises:
        RepositoryError: When it is not complete, or not signed as the anchor asks.
    """
    roots = _read_roots(layout, anchor)
    trusted = [_parse(Root, data, layout.metadata).signed for data in roots]
    judges = trusted[-1:] + (trusted[-2:-1] if previous_root_counts else [])
    timestamp = _load(Timestamp, layout.timestamp, judges)
    version = timestamp.snapshot_meta.version
    path = layout.metadata / f"{version}.snapshot.json"
    snapshot = _load(Snapshot, path, judges, timestamp.snapshot_meta)
    entry = snapshot.meta["targets.json"]
    path = layout.metadata / f"{entry.version}.targets.json"
    targets = _load(Targets, path, judges, entry)
    return Published(layout, roots, trusted[-1], timestamp, snapshot, targets)


def why_unread(role: Role, data: bytes) -> str:
    """Why readers would refuse metadata before they parse them; empty when they would not."""
    if len(data) > MAX_BYTES[role]:
        return f"{len(data)} bytes, and readers take {MAX_BYTES[role]}"
    values = sum(map(data.count, (b",", b"[", b"{")))
    if role is Role.TARGETS and values > MAX_VALUES:
        return f"{values} values, and boot control takes {MAX_VALUES}"
    return ""


def _read_roots(layout: Layout, anchor: Path | None) -> tuple[bytes, ...]:
    first = _read(anchor or layout.root(1), MAX_BYTES[Role.ROOT])
    trusted = _parse(Root, first, anchor or layout.root(1)).signed
    _verify(trusted, Role.ROOT, _parse(Root, first, layout.metadata), layout.root(1))
    roots = [first]
    while (path := layout.root(trusted.version + 1)).exists() and len(roots) <= MAX_ROOTS:
        data = _read(path, MAX_BYTES[Role.ROOT])
        document = _parse(Root, data, path)
        _verify(trusted, Role.ROOT, document, path)
        _verify(document.signed, Role.ROOT, document, path)
        if document.signed.version != trusted.version + 1:
            raise _broken("this root has another version than its name says", path)
        trusted = document.signed
        roots.append(data)
    return tuple(roots)


def _load(kind: type[T], path: Path, judges: Sequence[Root], entry: MetaFile | None = None) -> T:
    role = Role(kind.type)
    data = _read(path, MAX_BYTES[role])
    document = _parse(kind, data, path)
    for judge in judges[:-1]:
        if judge.get_verification_result(role, document.signed_bytes, document.signatures).verified:
            break
    else:
        _verify(judges[-1], role, document, path)
    try:
        if entry is not None:
            entry.verify_length_and_hashes(data)
    except TufError as error:
        raise _broken("this file does not have its signed hash", path) from error
    return document.signed


def _verify(judge: Root, role: Role, document: Metadata[T], path: Path) -> None:
    try:
        judge.verify_delegate(role, document.signed_bytes, document.signatures)
    except TufError as error:
        raise RepositoryError(
            f"the {role} metadata are not signed by the repository's own keys",
            on=str(path),
            hint=(
                "If a rotation was cut off, run `puad-release rotate` for that role again; "
                "else bring the folder back from a backup: somebody may have changed it."
            ),
        ) from error


def _parse(kind: type[T], data: bytes, path: Path) -> Metadata[T]:
    try:
        document = Metadata[T].from_bytes(data)
    except DeserializationError as error:
        raise _broken("this file is not TUF metadata", path) from error
    if not isinstance(document.signed, kind):
        raise _broken(f"this file is not {kind.type} metadata", path)
    return document


def _read(path: Path, most: int) -> bytes:
    if not path.is_file():
        raise _broken("a file of the repository is missing", path)
    with translated(path), path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise _broken(f"a file of the repository is larger than {most} bytes", path)
    return data


def _broken(what: str, path: Path) -> RepositoryError:
    return RepositoryError(
        what, on=str(path), hint="Bring the repository's folder back from a backup."
    )

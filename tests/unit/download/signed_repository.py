# SPDX-License-Identifier: Apache-2.0
"""A TUF repository in a folder, whose every part a test may forge."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ROLES = ("root", "timestamp", "snapshot", "targets")


class SignedRepository:
    """Metadata as values, keys, and the folder that a publisher would upload.

    Attributes:
        folder: Holds `metadata/` and `targets/`.
        signers: The keys of each role.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "metadata").mkdir(parents=True)
        expires = NOW + timedelta(days=30)
        self.signers = {role: [CryptoSigner.generate_ed25519()] for role in ROLES}
        self.root = Root(expires=expires, consistent_snapshot=True)
        self.targets = Targets(expires=expires)
        self.snapshot = Snapshot(expires=expires)
        self.timestamp = Timestamp(expires=expires)
        for role in ROLES:
            self.root.add_key(self.signers[role][0].public_key, role)
        self.write_root()
        self.write_rest()

    @property
    def metadata(self) -> Path:
        return self.folder / "metadata"

    @property
    def root_file(self) -> Path:
        return self.metadata / f"{self.root.version}.root.json"

    def add(self, path: str, data: bytes, custom: Mapping[str, Any] | None = None) -> TargetFile:
        """Put a target into the folder and into the (unpublished) metadata."""
        target = TargetFile.from_data(path, data, ["sha256"])
        if custom is not None:
            target.unrecognized_fields["custom"] = dict(custom)
        self.targets.targets[path] = target
        folder, _, name = path.rpartition("/")
        place = self.folder / "targets" / folder / f"{hashlib.sha256(data).hexdigest()}.{name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return target

    def place(self, path: str) -> Path:
        """Where the file of a target lies."""
        folder, _, name = path.rpartition("/")
        sha256 = self.targets.targets[path].hashes["sha256"]
        return self.folder / "targets" / folder / f"{sha256}.{name}"

    def publish(self) -> None:
        """Sign and write everything anew, one version up."""
        self.targets.version += 1
        self.snapshot.version += 1
        self.timestamp.version += 1
        self.write_rest()

    def write_rest(self) -> None:
        """Write targets, snapshot and timestamp as they are, each vouching for the one before."""
        targets = self.write(self.targets, f"{self.targets.version}.targets.json")
        self.snapshot.meta["targets.json"] = _meta(self.targets.version, targets)
        snapshot = self.write(self.snapshot, f"{self.snapshot.version}.snapshot.json")
        self.timestamp.snapshot_meta = _meta(self.snapshot.version, snapshot)
        self.write(self.timestamp, "timestamp.json")

    def write_root(self, signers: Sequence[CryptoSigner] | None = None) -> None:
        self.write(self.root, f"{self.root.version}.root.json", signers)

    def rotate(self, *roles: str) -> None:
        """Give roles new keys by a new root, signed by the old root keys and the new ones."""
        old = list(self.signers["root"])
        for role in roles:
            for signer in self.signers[role]:
                self.root.revoke_key(signer.public_key.keyid, role)
            self.signers[role] = [CryptoSigner.generate_ed25519()]
            self.root.add_key(self.signers[role][0].public_key, role)
        self.root.version += 1
        self.write_root([*old, *(s for s in self.signers["root"] if s not in old)])

    def write(
        self, signed: Signed, name: str, signers: Sequence[CryptoSigner] | None = None
    ) -> bytes:
        """Sign a part and put it into the folder."""
        metadata: Metadata[Any] = Metadata(signed)
        for signer in self.signers[signed.type] if signers is None else signers:
            metadata.sign(signer, append=True)
        data = metadata.to_bytes()
        (self.metadata / name).write_bytes(data)
        return data


def _meta(version: int, data: bytes) -> MetaFile:
    return MetaFile(version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})

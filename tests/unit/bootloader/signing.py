# SPDX-License-Identifier: Apache-2.0
"""TUF metadata made in memory: a root chain, and targets that list one image."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.metadata import TargetFile as TufTarget

from puad.core.chunks import Chunk, ChunkIndex

BUILT_AT = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
TARGET = "edge/13.1/edge-13.1.raw.zst"
INDEX = f"{TARGET}.idx"
FILE_BYTES = 1 << 30  # of the published file: boot control never sees it


def manifest_of(image: bytes, **changes: Any) -> dict[str, Any]:
    """The `custom` object of a target whose image has these bytes."""
    document = {
        "schema": 1,
        "profile": "edge",
        "version": "13.1",
        "format": "raw.zst",
        "image_size": len(image),
        "image_sha256": hashlib.sha256(image).hexdigest(),
        "built_at": BUILT_AT.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "index": None,
        "min_version": None,
        "root_partuuid": None,
        "boot_files": [],
    }
    return {"puad": document | changes}


def index_of(image: bytes, chunk_bytes: int = 64 << 10) -> bytes:
    """The chunk index of an image, with frames as long as their chunks."""
    chunks = tuple(
        Chunk(at, len(piece), at, len(piece), hashlib.sha256(piece).digest())
        for at in range(0, len(image), chunk_bytes)
        for piece in [image[at : at + chunk_bytes]]
    )
    return ChunkIndex(len(image), chunks).dump()


def boot_file(kind: str, data: bytes) -> dict[str, Any]:
    """A row of `boot_files`."""
    sha256 = hashlib.sha256(data).hexdigest()
    return {"kind": kind, "path": f"edge/13.1/{kind}", "size": len(data), "sha256": sha256}


@dataclass
class Publisher:
    """Holds the keys, signs what it is told to, also what no honest publisher would."""

    root_keys: list[CryptoSigner] = field(
        default_factory=lambda: [CryptoSigner.generate_ed25519() for _ in range(2)]
    )
    targets_keys: list[CryptoSigner] = field(
        default_factory=lambda: [CryptoSigner.generate_ed25519() for _ in range(2)]
    )
    threshold: int = 2

    def root(
        self,
        version: int = 1,
        *,
        expires: datetime = LATER,
        signers: Sequence[CryptoSigner] = (),
    ) -> bytes:
        """Root metadata with the present keys, signed by them and by `signers`."""
        root = Root(version=version, expires=expires)
        for key in self.root_keys:
            root.add_key(key.public_key, "root")
        for key in self.targets_keys:
            root.add_key(key.public_key, "targets")
        for role in ("timestamp", "snapshot"):
            root.add_key(self.targets_keys[0].public_key, role)
        root.roles["root"].threshold = self.threshold
        root.roles["targets"].threshold = self.threshold
        return signed(root, [*self.root_keys, *signers])

    def targets(
        self,
        custom: Mapping[str, Any] | None,
        *,
        path: str = TARGET,
        expires: datetime = LATER,
        signers: Sequence[CryptoSigner] | None = None,
        index: bytes = b"",
    ) -> bytes:
        """Targets metadata that list one image, and its chunk index when one is given."""
        targets = Targets(expires=expires)
        target = TufTarget(FILE_BYTES, {"sha256": "0" * 64}, path)
        if custom is not None:
            target.unrecognized_fields["custom"] = dict(custom)
        targets.targets[path] = target
        if index:
            targets.targets[INDEX] = TufTarget.from_data(INDEX, index, ["sha256"])
        return signed(targets, self.targets_keys if signers is None else signers)

    def rotate_root(self) -> list[CryptoSigner]:
        """Take new root keys; returns the old ones."""
        old = self.root_keys
        self.root_keys = [CryptoSigner.generate_ed25519() for _ in range(2)]
        return old


def signed(role: Root | Targets, signers: Sequence[CryptoSigner]) -> bytes:
    """Metadata of a role, signed by these."""
    metadata: Metadata[Any] = Metadata(role)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()

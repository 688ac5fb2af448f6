# SPDX-License-Identifier: Apache-2.0
"""A small signed TUF repository as static files, made with tuf.api."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from tests.integration.orchestrator_stub.running import os_profile

ROLES = ("root", "timestamp", "snapshot", "targets")


@dataclass
class Published:
    """One repository: what is published, and the key that signs every role."""

    folder: Path
    signer: CryptoSigner = field(default_factory=CryptoSigner.generate_ed25519)
    version: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    withdrawn: list[dict[str, str]] = field(default_factory=list)

    @property
    def root_json(self) -> Path:
        return self.folder / "metadata" / "1.root.json"

    def add(self, profile: str, version: str, salt: str = "", app_version: str = "1.2.3") -> str:
        document = os_profile(profile, version, salt).dump()
        document["appVersion"] = app_version
        path = f"{profile}/{version}/profile.yaml"
        self.files[path] = yaml.safe_dump(document).encode()
        return path

    def add_with_documents(self, profile: str, version: str, **documents: object) -> None:
        """A release with `packages`, `existing` and `fixed`, as bytes or as values for JSON."""
        fields = {
            "packages": "osPackageManifestURL",
            "existing": "osExistingCvesURL",
            "fixed": "osFixedCvesURL",
        }
        path = self.add(profile, version)
        document = yaml.safe_load(self.files[path])
        for name, value in documents.items():
            place = f"{profile}/{version}/{name}.json"
            document["spec"][fields[name]] = place
            self.files[place] = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.files[path] = yaml.safe_dump(document).encode()

    def withdraw(self, profile: str, version: str) -> None:
        del self.files[f"{profile}/{version}/profile.yaml"]
        row = {"profile": profile, "version": version, "reason": "it breaks", "at": "2026-01-01"}
        self.withdrawn.append(row)

    def publish(
        self, *, expires: timedelta = timedelta(days=7), extra: tuple[str, ...] = ()
    ) -> None:
        """Sign and write everything anew; `extra` paths stand in the catalogue only."""
        self.version += 1
        end = datetime.now(UTC).replace(microsecond=0) + expires
        paths = [path for path in sorted(self.files) if path.endswith("/profile.yaml")]
        catalogue = {"schema": 1, "profiles": [*paths, *extra], "withdrawn": self.withdrawn}
        files = {**self.files, "profiles.json": json.dumps(catalogue).encode()}
        targets = Targets(version=self.version, expires=end)
        for path, data in files.items():
            targets.targets[path] = TargetFile.from_data(path, data, ["sha256"])
            parent, _, name = path.rpartition("/")
            self._write(f"targets/{parent}/{hashlib.sha256(data).hexdigest()}.{name}", data)
        if self.version == 1:
            self._sign("1.root.json", self._root(end + timedelta(days=365)))
        self._sign(f"{self.version}.targets.json", targets)
        meta = {"targets.json": MetaFile(self.version)}
        self._sign(f"{self.version}.snapshot.json", Snapshot(self.version, expires=end, meta=meta))
        stamp = Timestamp(self.version, expires=end, snapshot_meta=MetaFile(self.version))
        self._sign("timestamp.json", stamp)

    def _root(self, end: datetime) -> Root:
        root = Root(version=1, expires=end, consistent_snapshot=True)
        key: Key = self.signer.public_key
        for role in ROLES:
            root.add_key(key, role)
        return root

    def _sign(self, name: str, signed: Root | Timestamp | Snapshot | Targets) -> None:
        metadata: Metadata[Any] = Metadata(signed)
        metadata.sign(self.signer)
        self._write(f"metadata/{name}", metadata.to_bytes())

    def _write(self, path: str, data: bytes) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

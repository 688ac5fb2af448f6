# SPDX-License-Identifier: Apache-2.0
"""Values that the signed metadata give: a release, the chain for boot control, versions seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from puad.core.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Release:
    """A published image as the signed metadata describe it.

    Attributes:
        path: Its target path, e.g. `edge/13.1/edge-13.1.raw.zst`.
        file_size: Size of the published file, in bytes.
        file_hash: SHA-256 of the published file, hex.
        manifest: What the image is.
    """

    path: str
    file_size: int
    file_hash: str
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class SignedChain:
    """What boot control needs to verify a release by itself (org.puad.Bootloader1 `Seal`).

    Attributes:
        roots: Every root metadata file after the image's root of trust, oldest first, as signed.
        targets: The targets metadata, as signed.
    """

    roots: tuple[bytes, ...]
    targets: bytes


@dataclass(frozen=True, slots=True)
class SeenVersions:
    """The highest metadata versions that this node has verified; 0 for none.

    They are kept outside the cache, so that a wiped cache lets nobody go back in time.
    """

    root: int = 0
    timestamp: int = 0
    snapshot: int = 0
    targets: int = 0
    timestamp_expires_at: datetime | None = None

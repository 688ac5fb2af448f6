# SPDX-License-Identifier: Apache-2.0
"""The manifest: the signed description of one published image.

It is the `custom` object of the image's own target in the TUF targets metadata, so that the one
signature that vouches for the file's hash also vouches for what the file is. Nobody needs a second
document: the node reads it before it writes, boot control reads it again before it seals. The
form::

    {"puad": {"schema": 1, "profile": "edge", "version": "13.1", "format": "raw.zst",
      "image_size": 138412032, "image_sha256": "<hex>", "built_at": "2026-11-23T10:00:00Z",
      "index": "edge/13.1/edge-13.1.raw.zst.idx" | null,
      "min_version": "13.0" | null, "root_partuuid": "<uuid>" | null,
      "boot_files": [{"kind": "linux", "path": "edge/13.1/...", "size": 1, "sha256": "<hex>"}],
      "deltas": [{"from_version": "13.0", "from_sha256": "<hex>", "path": "...", "index": "..."}]}}

Where the published file is a whole disk, `"disk": {"size": 4294967296, "root_offset": 538968064}`
says where its root image lies, and a boot file inside it has `"extents": [[offset, length], ...]`
in place of a path.

Unknown keys are ignored, so that a later publisher may add some.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from puad.core.boot_file import BootFile, BootFileKind, parse_boot_files
from puad.core.delta import Delta, parse_deltas
from puad.core.disk_map import DiskMap, parse_disk_map
from puad.core.extent import Extent
from puad.core.signed_fields import (
    PATH,
    SHA256,
    WORD,
    broken,
    number,
    optional_text,
    rows,
    text,
)

CUSTOM_KEY: Final = "puad"
MAX_IMAGE_BYTES: Final = 1 << 40
# strptime alone takes "2026-1-2T3:4:5Z" as well, and digits of any script.
_TIME: Final = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z")
PARTUUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a published image is.

    Attributes:
        profile: The OS profile that it belongs to, IMAGE_ID of its os-release.
        version: Its image id, IMAGE_VERSION of its os-release.
        format: Name of the image format of the published file.
        image_size: Size of the root image, in bytes.
        image_hash: SHA-256 of the root image over `image_size` bytes, hex.
        built_at: When it was built, UTC; a floor for the node's clock.
        index: Target path of its chunk index; None when the file has only one hash.
        min_version: The version floor that it brings once it is good; None for none.
        root_partuuid: The partition id that its boot files expect; None when they take any.
        boot_files: What the boot loader needs beside the slot.
        deltas: What makes the image out of older ones.
        disk: The whole disk that the file unpacks to; None when that is the root image itself.
    """

    profile: str
    version: str
    format: str
    image_size: int
    image_hash: str
    built_at: datetime
    index: str | None = None
    min_version: str | None = None
    root_partuuid: str | None = None
    boot_files: tuple[BootFile, ...] = ()
    deltas: tuple[Delta, ...] = ()
    disk: DiskMap | None = None

    @property
    def unpacked_size(self) -> int:
        """Size of what the published file unpacks to, in bytes."""
        return self.disk.size if self.disk else self.image_size

    @property
    def root_extent(self) -> Extent:
        """Where the root image lies in what the published file unpacks to."""
        return self.disk.root if self.disk else Extent(0, self.image_size)

    def dump(self) -> dict[str, Any]:
        """The `custom` object of the image's target."""
        return {
            CUSTOM_KEY: {
                "schema": 1,
                "profile": self.profile,
                "version": self.version,
                "format": self.format,
                "image_size": self.image_size,
                "image_sha256": self.image_hash,
                "built_at": self.built_at.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z",
                "index": self.index,
                "min_version": self.min_version,
                "root_partuuid": self.root_partuuid,
                "boot_files": [file.dump() for file in self.boot_files],
                "deltas": [delta.dump() for delta in self.deltas],
                "disk": self.disk.dump() if self.disk else None,
            }
        }


def parse_manifest(custom: Mapping[str, Any] | None) -> Manifest:
    """Read the `custom` object of a verified target.

    Raises:
        TrustError: `MANIFEST_INVALID`, when a field is missing or has a wrong form.
    """
    document = custom.get(CUSTOM_KEY) if isinstance(custom, Mapping) else None
    if not isinstance(document, dict) or document.get("schema") != 1:
        raise broken("it has no puad part of schema 1")
    image_size = number(document, "image_size", 1, MAX_IMAGE_BYTES)
    disk = parse_disk_map(document, image_size, MAX_IMAGE_BYTES)
    return Manifest(
        profile=text(document, "profile", WORD),
        version=text(document, "version", WORD),
        format=text(document, "format", WORD),
        image_size=image_size,
        image_hash=text(document, "image_sha256", SHA256),
        built_at=_time(document, "built_at"),
        index=optional_text(document, "index", PATH),
        min_version=optional_text(document, "min_version", WORD),
        root_partuuid=optional_text(document, "root_partuuid", PARTUUID),
        boot_files=parse_boot_files(rows(document, "boot_files", len(BootFileKind)), disk),
        deltas=parse_deltas(document),
        disk=disk,
    )


def _time(document: Mapping[str, Any], key: str) -> datetime:
    value = text(document, key, _TIME)
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise broken(f"{key} is not a UTC time") from error

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
      "boot_files": [{"kind": "linux", "path": "edge/13.1/...", "size": 1, "sha256": "<hex>"}]}}

Unknown keys are ignored, so that a later publisher may add some.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from puad.core.errors import Code, TrustError

CUSTOM_KEY: Final = "puad"
MAX_IMAGE_BYTES: Final = 1 << 40
MAX_BOOT_FILE_BYTES: Final = 512 << 20
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}")
_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*){0,7}")
_PARTUUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class BootFileKind(StrEnum):
    """What a boot file is to the boot loader (org.puad.Bootloader1 `Stage`)."""

    UKI = "uki"
    LINUX = "linux"
    INITRD = "initrd"


@dataclass(frozen=True, slots=True)
class BootFile:
    """A file that the boot loader reads from outside the slot: target path, bytes, SHA-256 hex."""

    kind: BootFileKind
    path: str
    size: int
    sha256: str


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
                "built_at": self.built_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "index": self.index,
                "min_version": self.min_version,
                "root_partuuid": self.root_partuuid,
                "boot_files": [
                    {"kind": f.kind.value, "path": f.path, "size": f.size, "sha256": f.sha256}
                    for f in self.boot_files
                ],
            }
        }


def parse_manifest(custom: Mapping[str, Any] | None) -> Manifest:
    """Read the `custom` object of a verified target.

    Raises:
        TrustError: `MANIFEST_INVALID`, when a field is missing or has a wrong form.
    """
    document = custom.get(CUSTOM_KEY) if isinstance(custom, Mapping) else None
    if not isinstance(document, dict) or document.get("schema") != 1:
        raise _broken("it has no puad part of schema 1")
    boot_files = document.get("boot_files", [])
    if not isinstance(boot_files, list) or len(boot_files) > len(BootFileKind):
        raise _broken("boot_files is not a short list")
    return Manifest(
        profile=_text(document, "profile", _WORD),
        version=_text(document, "version", _WORD),
        format=_text(document, "format", _WORD),
        image_size=_size(document, "image_size", MAX_IMAGE_BYTES),
        image_hash=_text(document, "image_sha256", _SHA256),
        built_at=_time(document, "built_at"),
        index=_optional(document, "index", _PATH),
        min_version=_optional(document, "min_version", _WORD),
        root_partuuid=_optional(document, "root_partuuid", _PARTUUID),
        boot_files=_boot_files(boot_files),
    )


def _boot_files(rows: list[Any]) -> tuple[BootFile, ...]:
    files = []
    for row in rows:
        kind = row.get("kind") if isinstance(row, dict) else None
        if not isinstance(kind, str) or kind not in set(BootFileKind):
            raise _broken("a boot file has no known kind")
        files.append(
            BootFile(
                kind=BootFileKind(kind),
                path=_text(row, "path", _PATH),
                size=_size(row, "size", MAX_BOOT_FILE_BYTES),
                sha256=_text(row, "sha256", _SHA256),
            )
        )
    if len({file.kind for file in files}) != len(files):
        raise _broken("two boot files have the same kind")
    return tuple(files)


def _text(document: Mapping[str, Any], key: str, form: re.Pattern[str]) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise _broken(f"{key} is missing or has a wrong form")
    return value


def _optional(document: Mapping[str, Any], key: str, form: re.Pattern[str]) -> str | None:
    return None if document.get(key) is None else _text(document, key, form)


def _size(document: Mapping[str, Any], key: str, most: int) -> int:
    value = document.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise _broken(f"{key} is missing or out of range")
    return value


def _time(document: Mapping[str, Any], key: str) -> datetime:
    value = document.get(key)
    try:
        return datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise _broken(f"{key} is not a UTC time") from error


def _broken(why: str) -> TrustError:
    return TrustError(Code.MANIFEST_INVALID, f"the image's manifest cannot be used: {why}")

# SPDX-License-Identifier: Apache-2.0
"""The manifest: what a signed target says about its image, as far as boot control needs it.

It is the `custom` object of the image's target. Only metadata whose signatures were verified may
be given to `parse_manifest`. Keys that it does not need are ignored, whatever they hold: deltas,
and where things lie in the published file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bootloader.errors import BootloaderError, ErrorName
from bootloader.slot import BootFileKind

MAX_BOOT_FILE_BYTES: Final = 512 << 20
SHA256: Final = re.compile(r"[0-9a-f]{64}")
PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*){0,7}")
PARTUUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CUSTOM_KEY: Final = "puad"
_MAX_IMAGE_BYTES: Final = 1 << 40
# strptime alone takes "2026-1-2T3:4:5Z" as well, and digits of any script.
_TIME: Final = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z")
WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}")


@dataclass(frozen=True, slots=True)
class BootFile:
    """A file that the boot loader reads from outside the slot."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a published image is.

    Attributes:
        profile: The OS profile that it belongs to.
        version: Its image id.
        image_size: Size of the root image, in bytes.
        image_hash: SHA-256 of the root image over `image_size` bytes, hex.
        built_at: When it was built, UTC.
        min_version: The version floor that it brings once it is good; None for none.
        root_partuuid: The partition id that its boot files expect; None when they take any.
        boot_files: What the boot loader needs beside the slot.
        index: Target path of the chunk index of the root image; None when there is none, and when
            the one that there is lists the chunks of a whole disk.
    """

    profile: str
    version: str
    image_size: int
    image_hash: str
    built_at: datetime
    min_version: str | None
    root_partuuid: str | None
    boot_files: Mapping[BootFileKind, BootFile]
    index: str | None = None


def parse_manifest(custom: object) -> Manifest:
    """Read the `custom` object of a verified target.

    Raises:
        BootloaderError: `TargetUnknown`, when it describes no image.
    """
    # TUF takes any JSON value there, so it may be no object at all.
    document = custom.get(_CUSTOM_KEY) if isinstance(custom, Mapping) else None
    if not isinstance(document, dict) or document.get("schema") != 1:
        raise _broken("it has no puad part of schema 1")
    return Manifest(
        profile=_text(document, "profile", WORD),
        version=_text(document, "version", WORD),
        image_size=_size(document, "image_size", _MAX_IMAGE_BYTES),
        image_hash=_text(document, "image_sha256", SHA256),
        built_at=_time(document, "built_at"),
        min_version=_optional(document, "min_version", WORD),
        root_partuuid=_optional(document, "root_partuuid", PARTUUID),
        boot_files=_boot_files(document.get("boot_files", [])),
        index=None if document.get("disk") is not None else _optional(document, "index", PATH),
    )


def _boot_files(rows: object) -> dict[BootFileKind, BootFile]:
    if not isinstance(rows, list) or len(rows) > len(BootFileKind):
        raise _broken("boot_files is not a short list")
    files: dict[BootFileKind, BootFile] = {}
    for row in rows:
        if not isinstance(row, dict) or row.get("kind") not in list(BootFileKind):
            raise _broken("a boot file has no known kind")
        kind = BootFileKind(row["kind"])
        if kind in files:
            raise _broken("two boot files have the same kind")
        size = _size(row, "size", MAX_BOOT_FILE_BYTES)
        files[kind] = BootFile(size, _text(row, "sha256", SHA256))
    return files


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
    value = _text(document, key, _TIME)
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise _broken(f"{key} is not a UTC time") from error


def _broken(why: str) -> BootloaderError:
    return BootloaderError(ErrorName.TARGET_UNKNOWN, f"the target describes no image: {why}")

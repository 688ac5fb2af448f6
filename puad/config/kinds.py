# SPDX-License-Identifier: Apache-2.0
"""Kinds of configuration values: what a key accepts, and how it says so.

A field of a settings dataclass carries its kind in its type, `Annotated[int, number(1, 9)]`, so
that type, range and error message stand in one place and validation is one loop over the fields.
A kind turns a TOML value into the field's value, or raises ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from puad.core.addresses import is_secure

_MAX_TEXT: Final = 1024
_MAX_NAMES: Final = 64
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PRINTABLE: Final = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a key accepts.

    Attributes:
        allowed: The accepted values in words, for the error message.
        read: Makes the field's value of a TOML value; ValueError when it is not accepted.
        secret: Whether a refused value may hold a password and must not be printed.
    """

    allowed: str
    read: Callable[[object], Any]
    secret: bool = False


def number(least: int, most: int) -> Kind:
    """A whole number between two bounds, both included."""
    return Kind(
        f"a whole number from {least} to {most}", lambda value: _read_number(value, least, most)
    )


def number_or_none(least: int, most: int) -> Kind:
    """A whole number between two bounds, both included, or 0 for none."""

    def read(value: object) -> int:
        return _read_number(value, 0, 0) if value == 0 else _read_number(value, least, most)

    return Kind(f"0, or a whole number from {least} to {most}", read)


def _read_number(value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError
    return value


def choice(*words: str) -> Kind:
    """One of a few words."""

    def read(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Kind(" or ".join(f'"{word}"' for word in words), read)


def _read_boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - a kind refuses with ValueError
    return value


def _read_text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT or "\0" in value:
        raise ValueError
    return value


def _read_url(value: object) -> str:
    text = _read_text(value)
    if not text:
        return text
    parts = urlsplit(text)
    plain = _PRINTABLE.fullmatch(text) and not (parts.query or parts.fragment or "@" in text)
    if not plain or not is_secure(parts.scheme, parts.hostname or ""):
        raise ValueError
    _ = parts.port  # raises ValueError when it is no port
    return text.rstrip("/")


def _read_path(value: object) -> Path:
    path = Path(_read_text(value))
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError
    return path


def _read_paths(value: object) -> tuple[Path, ...]:
    if not isinstance(value, list) or len(value) > _MAX_NAMES:
        raise ValueError
    return tuple(_read_path(item) for item in value)


def _read_path_or_empty(value: object) -> str:
    return "" if value == "" else str(_read_path(value))


def _read_guid_or_empty(value: object) -> str:
    text = _read_text(value)
    if text and not _GUID.fullmatch(text):
        raise ValueError
    return text.lower()


def _read_names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MAX_NAMES:
        raise ValueError
    names = tuple(_read_text(item) for item in value)
    if len(set(names)) != len(names) or not all(_NAME.fullmatch(name) for name in names):
        raise ValueError
    return names


BOOLEAN: Final = Kind("true or false", _read_boolean)
URL: Final = Kind(
    "https://HOST[:PORT][/PATH] or http:// to loopback, without user, query and fragment, or empty",
    _read_url,
    secret=True,
)
PATH: Final = Kind("an absolute path without ..", _read_path)
PATHS: Final = Kind("a list of absolute paths without ..", _read_paths)
PATH_OR_EMPTY: Final = Kind("an absolute path without .., or empty", _read_path_or_empty)
GUID_OR_EMPTY: Final = Kind("a UUID, or empty", _read_guid_or_empty)
NAMES: Final = Kind("a list of different names of a-z, 0-9, _ and -", _read_names)

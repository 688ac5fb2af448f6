# SPDX-License-Identifier: Apache-2.0
"""Fields of the signed `custom` object: each is taken in one form only, or the whole is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from puad.core.errors import Code, TrustError

SHA256: Final = re.compile(r"[0-9a-f]{64}")
WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}")
PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*){0,7}")


def text(document: Mapping[str, Any], key: str, form: re.Pattern[str]) -> str:
    """A text of that form."""
    value = document.get(key)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise broken(f"{key} is missing or has a wrong form")
    return value


def optional_text(document: Mapping[str, Any], key: str, form: re.Pattern[str]) -> str | None:
    """A text of that form, or None when it is missing or null."""
    return None if document.get(key) is None else text(document, key, form)


def number(document: Mapping[str, Any], key: str, least: int, most: int) -> int:
    """A whole number within these bounds."""
    value = document.get(key)
    if not is_number(value, least, most):
        raise broken(f"{key} is missing or out of range")
    return value


def is_number(value: Any, least: int, most: int) -> TypeGuard[int]:  # noqa: ANN401 -- still untyped JSON
    """Whether this is a whole number within these bounds."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def rows(document: Mapping[str, Any], key: str, most: int) -> list[dict[str, Any]]:
    """A list of at most so many objects; empty when it is missing."""
    value = document.get(key, [])
    if not isinstance(value, list) or len(value) > most:
        raise broken(f"{key} is not a short list")
    if not all(isinstance(row, dict) for row in value):
        raise broken(f"{key} holds something else than objects")
    return value


def broken(why: str) -> TrustError:
    """The error for a `custom` object that cannot be used."""
    return TrustError(Code.MANIFEST_INVALID, f"the image's manifest cannot be used: {why}")

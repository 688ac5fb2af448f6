# SPDX-License-Identifier: Apache-2.0
"""What a browser's form sends, read within bounds."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.exceptions import HTTPException

from orchestrator_stub.errors import Code, OrchestratorError

MAX_FIELDS: Final = 1000
MAX_TEXT_CHARS: Final = 1000
MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
_MAX_DIGITS: Final = 12
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

Word = TypeVar("Word", bound=StrEnum)


class Form:
    """The fields of one form; a field may come more than once."""

    def __init__(self, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        self._fields = {name: list(values) for name, values in (fields or {}).items() if values}

    def text(self, name: str, label: str = "", max_chars: int = MAX_TEXT_CHARS) -> str:
        """A field without the spaces around it; empty when it was not sent.

        Raises:
            OrchestratorError: `INVALID_ARGUMENT`, when it is too long or cannot be printed.
        """
        value = (self._fields.get(name) or [""])[-1].strip()
        if len(value) > max_chars:
            raise _refused(label or name, f"it has more than {max_chars} characters")
        if _UNPRINTABLE.search(value):
            raise _refused(label or name, "it has a character that cannot be printed")
        return value

    def secret(self, name: str) -> str:
        """A field as it was typed, spaces and all."""
        return (self._fields.get(name) or [""])[-1][:MAX_TEXT_CHARS]

    def many(self, name: str) -> list[str]:
        """Every value of a field, each once, in their order."""
        return list(dict.fromkeys(self._fields.get(name, [])))

    def names(self) -> list[str]:
        """The names of the fields that were sent."""
        return list(self._fields)

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self._fields.get(name))

    def number(self, name: str, label: str, least: int, most: int) -> int:
        """A whole number.

        Raises:
            OrchestratorError: `INVALID_ARGUMENT`, when it is none, or out of bounds.
        """
        value = self.text(name)
        digits = value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
        if not digits or not least <= int(value) <= most:
            raise _refused(label, f"it is a whole number from {least} to {most}")
        return int(value)

    def word(self, name: str, words: type[Word], label: str) -> Word:
        """One of a vocabulary.

        Raises:
            OrchestratorError: `INVALID_ARGUMENT`, when it is none of them.
        """
        try:
            return words(self.text(name))
        except ValueError as error:
            raise _refused(label, "choose one of the list") from error

    def values(self) -> defaultdict[str, str]:
        """What was sent, to fill the form in again; what was not is empty."""
        return defaultdict(str, {name: values[-1] for name, values in self._fields.items()})


async def read_form(request: Request) -> Form:
    """The form in a request's body; its size is bounded by `body_limit`.

    Raises:
        HTTPException: 415 when it is no form, 400 when it cannot be read.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if body and media_type != MEDIA_TYPE:
        raise HTTPException(415, "send the form as a browser does")
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise HTTPException(400, "the form cannot be read") from error
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Form(fields)


def _refused(label: str, rule: str) -> OrchestratorError:
    return OrchestratorError(Code.INVALID_ARGUMENT, f"{label}: {rule}")

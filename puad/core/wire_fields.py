# SPDX-License-Identifier: Apache-2.0
"""The fields of a message in protobuf's JSON mapping, read with their types and bounds.

Rules (https://protobuf.dev/programming-guides/json/):

1. A field is found under its lowerCamelCase or its snake_case name, not under both.
2. An absent field and a null one have the default of their type.
3. An integer is a JSON integer or a string of its digits; true and false are no integers.
4. An enum is a name or a number. A number that is not known means the first, unspecified value,
   as open enums have it; a name that is not known is refused.
5. Unknown fields are ignored.

Whatever is refused raises a `WireError` that names the field and never repeats its value, because
the value may be anything and the message goes into logs.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NoReturn, TypeVar

from puad.core.errors import Code, WireError

MAX_MESSAGE_BYTES: Final = 1 << 20
_MAX_DIGITS: Final = 20
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
# NUL, which databases refuse, and the halves of surrogate pairs, which no UTF-8 has.
_NO_TEXT: Final = re.compile(r"[\x00\ud800-\udfff]")
# Control characters and line separators: what could break a line of a log or of a terminal.
_NO_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Word = TypeVar("Word", bound=StrEnum)


def loads(data: bytes) -> dict[str, Any]:
    """Read the JSON object that a message is, whatever the bytes are.

    Raises:
        WireError: When they are too many, not UTF-8, not one JSON object, nested too deeply, or
            hold NaN, an infinite or overlong number, or a name twice in one object.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise refused("", f"it has more than {MAX_MESSAGE_BYTES} bytes")
    try:
        document = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_bounded,
        )
    except RecursionError as error:
        raise refused("", "it is nested too deeply") from error
    except ValueError as error:
        raise refused("", "it is not JSON that can be read") from error
    if not isinstance(document, dict):
        raise refused("", "it is not a JSON object")
    return document


def refused(path: str, why: str) -> WireError:
    """The error for a message, or for the field of it at `path`."""
    what = "a field of the message has a wrong value" if path else "the message cannot be read"
    return WireError(Code.SERVER_ANSWER_INVALID, f"{what}: {why}", on=path)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one message, and where it stands in the whole."""

    values: Mapping[str, Any]
    path: str = ""

    @classmethod
    def of(cls, value: object, path: str = "") -> Fields:
        """The fields of a JSON value that must be an object."""
        if not isinstance(value, Mapping):
            raise refused(path, "it is not an object")
        return cls(value, path)

    def at(self, name: str) -> str:
        """The path of a field, from the top of the message."""
        return f"{self.path}.{_camel(name)}" if self.path else _camel(name)

    def message(self, name: str) -> Fields | None:
        """The message in a field; None when it is absent."""
        value = self._value(name)
        return None if value is None else Fields.of(value, self.at(name))

    def needed(self, name: str) -> Fields:
        """The message in a field that must be there."""
        message = self.message(name)
        if message is None:
            raise refused(self.at(name), "it is missing")
        return message

    def items(self, name: str, most: int) -> list[tuple[str, Any]]:
        """The elements of a repeated field, each with its path."""
        value = self._value(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > most:
            raise refused(self.at(name), f"it is not a list of at most {most}")
        return [(f"{self.at(name)}[{number}]", item) for number, item in enumerate(value)]

    def text(self, name: str, most: int, *, free: bool = False) -> str:
        """One line without control characters; or, when `free`, any text that UTF-8 can hold."""
        value = self._value(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > most:
            raise refused(self.at(name), f"it is not a text of at most {most} characters")
        if (_NO_TEXT if free else _NO_LINE).search(value):
            raise refused(self.at(name), "it has characters that no such text has")
        return value

    def form(self, name: str, form: re.Pattern[str], most: int) -> str:
        """A text that must be there and have a given form."""
        return matching(self._value(name), form, self.at(name), most)

    def number(self, name: str, low: int, high: int) -> int | None:
        """An integer in a range; None when it is absent."""
        value = self._value(name)
        if value is None:
            return None
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise refused(self.at(name), f"it is not an integer from {low} to {high}")
        return value

    def word(self, name: str, words: type[Word]) -> Word:
        """One of an enum's words; the first when it is absent."""
        value = self._value(name)
        members = tuple(words)
        if value is None:
            return members[0]
        if isinstance(value, str) and value in members:
            return words(value)
        raise refused(self.at(name), f"it is no {words.__name__}")

    def enum(self, name: str, words: type[Word]) -> Word:
        """One of an enum's words, or its number."""
        value = self._value(name)
        members = tuple(words)
        if isinstance(value, int) and not isinstance(value, bool):
            return members[value] if 0 <= value < len(members) else members[0]
        return self.word(name, words)

    def _value(self, name: str) -> object:
        camel = _camel(name)
        if camel != name and camel in self.values and name in self.values:
            raise refused(self.at(name), "it stands there twice, in two spellings")
        return self.values.get(camel, self.values.get(name))


def matching(value: object, form: re.Pattern[str], path: str, most: int) -> str:
    """A value that must be a text of a given form."""
    if not isinstance(value, str) or len(value) > most or not form.fullmatch(value):
        raise refused(path, "it is missing or has a wrong form")
    return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name stands there twice")
    return names


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("the number is too large")
    return value


def _bounded(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("the number is too long")
    return int(digits)

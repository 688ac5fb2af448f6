# SPDX-License-Identifier: Apache-2.0
"""TOML tables read into frozen dataclasses: every key is known, of its type and in its range.

A field's type is `str`, `int`, `bool` or `Path`; a Path must be absolute. A field without a default
must be given. Ranges stand in the field's metadata, `bounds(low, high)`.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from bootloader.errors import ConfigError

_MAX_BYTES: Final = 64 << 10
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Section:
    """A table of a document that somebody else reads.

    Attributes:
        table: What the document holds; an empty table when it holds nothing.
        where: File and section, for the messages.
    """

    table: object
    where: str


def bounds(default: int, low: int, high: int) -> Any:  # noqa: ANN401 -- as dataclasses.field does
    """A whole number between `low` and `high`, both included."""
    return field(default=default, metadata={"low": low, "high": high})


def read_toml(path: Path) -> dict[str, Any]:
    """The document of a configuration file.

    Raises:
        ConfigError: When it cannot be read or is not TOML.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
        if len(text) > _MAX_BYTES:
            raise ConfigError(f"the file is larger than {_MAX_BYTES} bytes", on=str(path))
        return tomllib.loads(text.decode())
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", on=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"this is not TOML: {error}", on=str(path)) from error


def read_table(cls: type[_T], table: object, where: str, *, sections: tuple[str, ...] = ()) -> _T:
    """An instance of the dataclass `cls` from a TOML table.

    Args:
        cls: The dataclass whose fields are the keys.
        table: What the document holds.
        where: File and section, for the messages.
        sections: Names that may have been meant, beside the keys.

    Raises:
        ConfigError: For an unknown or missing key, a wrong type or a value out of range.
    """
    if not isinstance(table, dict):
        raise ConfigError("this must be a table", on=where)
    known = {item.name: item for item in fields(cls)}  # type: ignore[arg-type] # a dataclass
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, [*known, *sections], n=1)
            hint = (
                f"; did you mean {near[0]}?"
                if near
                else f"; known are {', '.join([*known, *sections])}"
            )
            raise ConfigError(f"unknown key {key}{hint}", on=where)
    for key, item in known.items():
        if item.default is MISSING and key not in table:
            raise ConfigError(f"{key} is missing", on=where)
    return cls(**{key: _value(known[key], value, where) for key, value in table.items()})


def _value(item: Field[Any], value: object, where: str) -> object:
    kind = str(item.type)
    if kind == "int":
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(f"{item.name} must be a whole number", on=where)
        low, high = item.metadata["low"], item.metadata["high"]
        if not low <= value <= high:
            raise ConfigError(f"{item.name} must be {low} to {high}", on=where)
        return value
    if kind == "bool":
        if not isinstance(value, bool):
            raise ConfigError(f"{item.name} must be true or false", on=where)
        return value
    if not isinstance(value, str) or "\0" in value:
        raise ConfigError(f"{item.name} must be a string", on=where)
    if kind == "Path":
        if not value.startswith("/"):
            raise ConfigError(f"{item.name} must be an absolute path", on=where)
        return Path(value)
    return value

# SPDX-License-Identifier: Apache-2.0
"""Views as JSON documents and back.

Out: a field is a key, `api_version` comes first, times are RFC 3339 in UTC, None is null.
In: unknown keys are ignored and missing ones take their default, so that a `puadctl` and a daemon
of neighbouring releases understand each other.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from puad.core.errors import Code, PuadError
from puad.render.view import HistoryView, StatusView

View = TypeVar("View")


class DocumentError(PuadError):
    """A JSON document does not have the form of docs/puadctl-json.md."""


def status_document(view: StatusView) -> dict[str, Any]:
    """The document of `Agent1.Status` and `puadctl status --json`."""
    return document(view)


def history_document(view: HistoryView) -> dict[str, Any]:
    """The document of `Agent1.History` and `puadctl history --json`."""
    return document(view)


def document(view: Any) -> dict[str, Any]:  # noqa: ANN401 -- any of the view dataclasses
    """The document of any view that has an `api_version`."""
    body: dict[str, Any] = _dump(view)
    return {"api_version": body.pop("api_version"), **body}


def rfc3339(at: datetime) -> str:
    """A time as it stands in documents and human text: UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(view_class: type[View], text: str) -> View:
    """Read a document.

    Raises:
        DocumentError: `INTERNAL`, when it is no JSON or a field has another type.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unlike(view_class.__name__, "is no JSON") from error
    return typing.cast(View, _load(view_class, body, view_class.__name__))


def _dump(value: Any) -> Any:  # noqa: ANN401 -- JSON values
    if dataclasses.is_dataclass(value):
        return {
            field.name: _dump(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_dump(item) for item in value]
    return value


def _load(kind: Any, value: Any, where: str) -> Any:  # noqa: ANN401 -- JSON values
    if isinstance(kind, types.UnionType):
        inner = next(arm for arm in kind.__args__ if arm is not types.NoneType)
        return None if value is None else _load(inner, value, where)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise _unlike(where, "is no list")
        item = typing.get_args(kind)[0]
        return tuple(_load(item, row, f"{where}[{place}]") for place, row in enumerate(value))
    if dataclasses.is_dataclass(kind):
        return _load_fields(kind, value, where)
    return _load_plain(kind, value, where)


def _load_fields(kind: Any, value: Any, where: str) -> Any:  # noqa: ANN401 -- JSON values
    if not isinstance(value, dict):
        raise _unlike(where, "is no object")
    hints = typing.get_type_hints(kind)
    known = {name: value[name] for name in hints if name in value}
    arguments = {name: _load(hints[name], known[name], f"{where}.{name}") for name in known}
    try:
        return kind(**arguments)
    except TypeError as error:
        raise _unlike(where, "lacks a field") from error


def _load_plain(kind: Any, value: Any, where: str) -> Any:  # noqa: ANN401 -- JSON values
    try:
        if kind is datetime and isinstance(value, str):
            return datetime.fromisoformat(value)
        if issubclass(kind, StrEnum):
            return kind(value)
    except ValueError as error:
        raise _unlike(where, "has an unknown value") from error
    if type(value) is not kind:
        raise _unlike(where, f"is no {kind.__name__}")
    return value


def _unlike(where: str, how: str) -> DocumentError:
    return DocumentError(
        Code.INTERNAL, f"{where} {how}: puad and puadctl are of different releases", on="Agent1"
    )

# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's settings: what `orchestrator.toml` may hold, each key with its default.

One dataclass is one table of the file, one field one key. A new table is a new field of `Settings`
and nothing else. The metadata of a number may say what it is at `least`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Final

from orchestrator_stub.errors import SettingsError
from orchestrator_stub.maintenance.settings import MaintenanceSettings


@dataclass(frozen=True, slots=True)
class ReleaseSettings:
    """Where the release service is, what vouches for it, how often it is asked, what is taken."""

    url: str = ""
    root: str = ""
    ca_file: str = ""
    refresh_period_s: int = 12 * 3600
    revision: str = ""
    enabled_profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The names and addresses that the server's own certificate vouches for; none: as it is."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration file, merged with the defaults."""

    database_url: str = ""
    release: ReleaseSettings = field(default_factory=ReleaseSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    maintenance: MaintenanceSettings = field(default_factory=MaintenanceSettings)


def parse(document: dict[str, Any]) -> Settings:
    """The settings of a TOML document.

    Raises:
        SettingsError: When a key is unknown or its value is of another type, naming it.
    """
    return Settings(**_checked(Settings, document, ""))


def _checked(form: type[Any], document: object, prefix: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise SettingsError(f"{prefix.rstrip('.')} is not a table")
    known = {item.name: item for item in fields(form)}
    values = {}
    for key, value in document.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            raise SettingsError(
                f"there is no key {prefix}{key}",
                hint=f"Did you mean {prefix}{close[0]}?" if close else "",
            )
        factory = known[key].default_factory
        if factory is not MISSING:
            table: Any = factory
            values[key] = table(**_checked(table, value, f"{prefix}{key}."))
        else:
            values[key] = _KINDS[type(known[key].default)](value, prefix + key)
            _check_least(values[key], prefix + key, known[key].metadata.get("least"))
    return values


def _check_least(value: object, key: str, least: int | None) -> None:
    if isinstance(value, int) and least is not None and value < least:
        raise SettingsError(f"{key} is less than {least}")


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{key} is not a text")
    return value


def _number(value: object, key: str) -> int:
    if type(value) is not int:
        raise SettingsError(f"{key} is not a whole number")
    if value < 1:
        raise SettingsError(f"{key} is not positive")
    return value


def _texts(value: object, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise SettingsError(f"{key} is not a list of texts")
    return tuple(value)


_KINDS: Final[dict[type, Callable[[object, str], object]]] = {
    str: _text,
    int: _number,
    tuple: _texts,
}

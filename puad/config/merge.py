# SPDX-License-Identifier: Apache-2.0
"""Merge: one value for each key out of all fragments, and where it came from.

Folders are read in the order given, fragments in the order of their names, and a later value wins
key by key. Nothing masks a whole file: a file of the same name in a later folder overrides the
keys that it sets and no others. A list is replaced, not extended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from puad.config.fragments import Fragment
from puad.core.errors import Code, ConfigError


@dataclass(frozen=True, slots=True)
class Input:
    """A value as some fragment gives it, not yet validated."""

    value: Any
    origin: str


def merge(fragments: Iterable[Fragment]) -> dict[tuple[str, str], Input]:
    """The last word of the fragments on each (section, key).

    Raises:
        ConfigError: When a key stands outside every section.
    """
    merged: dict[tuple[str, str], Input] = {}
    for fragment in fragments:
        origin = str(fragment.path)
        for section, table in fragment.document.items():
            if not isinstance(table, dict):
                raise ConfigError(
                    Code.CONFIG_INVALID, f"the key {section} stands in no section", on=origin
                )
            merged.update({(section, key): Input(value, origin) for key, value in table.items()})
    return merged

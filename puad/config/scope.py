# SPDX-License-Identifier: Apache-2.0
"""Scopes: what the files of a folder may say (docs/adr/0008-what-node-d-may-say.md).

Rules:

1. A folder that puad may write to says nothing about how puad is judged: `[paths]` and `[health]`
   come from the image and the integrator alone.
2. What outlives an update says who the node is and whom it asks, and nothing else.
3. Slots of different releases share what outlives an update. A name there that this release does
   not know is a warning; anywhere else it is an error.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from puad.config.fragments import Fragment
from puad.config.validate import KINDS, unknown
from puad.core.errors import Code, ConfigError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scope:
    """What the files of a folder may say.

    Attributes:
        sections: The sections that they may set.
        outlives_update: Whether releases share the folder.
    """

    sections: frozenset[str]
    outlives_update: bool = False


EVERYTHING: Final = Scope(frozenset(KINDS))
THIS_BOOT: Final = Scope(frozenset(KINDS) - {"paths", "health"})
THIS_NODE: Final = Scope(frozenset({"server", "release", "node"}), outlives_update=True)

STANDARD: Final[Mapping[Path, Scope]] = {
    Path("/usr/lib/puad/config.d"): EVERYTHING,
    Path("/run/puad/config.d"): THIS_BOOT,
    Path("/etc/puad/config.d"): EVERYTHING,
    Path("/var/lib/puad/node.d"): THIS_NODE,
}


def admitted(fragment: Fragment, scope: Scope) -> Fragment:
    """What a fragment may say, without the names that this release may pass over.

    Raises:
        ConfigError: When it sets a section that is out of its scope.
    """
    for section in fragment.document:
        if section in KINDS and section not in scope.sections:
            places = " or ".join(
                str(folder) for folder, its in STANDARD.items() if section in its.sections
            )
            what = f"[{section}] may not be set here, only in {places}"
            raise ConfigError(Code.CONFIG_INVALID, what, on=str(fragment.path))
    return _without_unknown(fragment) if scope.outlives_update else fragment


def _without_unknown(fragment: Fragment) -> Fragment:
    known: dict[str, Any] = {}
    for section, table in fragment.document.items():
        if _is_known(fragment, section):
            known[section] = table
        if section in KINDS and isinstance(table, dict):
            known[section] = {key: table[key] for key in table if _is_known(fragment, section, key)}
    return Fragment(fragment.path, known)


def _is_known(fragment: Fragment, section: str, key: str | None = None) -> bool:
    why = unknown(section, key)
    if why:
        _log.warning("%s: %s; it is passed over", fragment.path, why)
    return not why

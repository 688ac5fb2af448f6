# SPDX-License-Identifier: Apache-2.0
"""The publisher's own state: the last version number of each role, and how long each holds.

A number is written here before a document that bears it, so that no two documents ever have the
same role and number, even after a crash or an export that never came back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from orchestrator_stub.release.disk import Disk, translated
from orchestrator_stub.release.errors import RepositoryError
from orchestrator_stub.release.layout import Layout
from orchestrator_stub.release.roles import CHAIN, Role

_SCHEMA: Final = 1
_MOST: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class State:
    """What one repository's publisher must remember.

    Attributes:
        versions: The last number taken by each role; roots count by themselves.
        validity: How long each role's metadata hold.
        published: Version of the last timestamp that readers were given.
    """

    versions: Mapping[Role, int]
    validity: Mapping[Role, timedelta]
    published: int = 0

    def after(self, roles: Mapping[Role, int]) -> State:
        """The state in which these roles have these version numbers."""
        return replace(self, versions={**self.versions, **roles})

    def save(self, layout: Layout, disk: Disk) -> None:
        """Put the state on the disk."""
        document = {
            "schema": _SCHEMA,
            "versions": {role.value: number for role, number in self.versions.items()},
            "published": self.published,
            "validity_s": {r.value: int(v.total_seconds()) for r, v in self.validity.items()},
        }
        disk.write(layout.state, json.dumps(document, indent=1).encode(), mode=0o600)


def load_state(layout: Layout) -> State:
    """The state of a repository.

    Raises:
        RepositoryError: When it is absent or cannot be used.
    """
    with translated(layout.state):
        data = layout.state.read_bytes() if layout.state.exists() else None
    if data is None:
        raise RepositoryError(
            "there is no repository here",
            on=str(layout.folder),
            hint="Make one with `puad-release init`, or name the right folder with --repo.",
        )
    try:
        document = json.loads(data)
        if document["schema"] != _SCHEMA:
            raise ValueError("unknown schema")  # noqa: TRY301 - handled with the other bad forms
        versions = {role: _number(document["versions"][role]) for role in CHAIN}
        published = _number(document["published"])
        validity = {role: timedelta(seconds=_number(document["validity_s"][role])) for role in Role}
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise RepositoryError(
            "the publisher's state cannot be read",
            on=str(layout.state),
            hint="Bring the file back from a backup: it holds the version counters.",
        ) from error
    return State(versions, validity, published)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MOST:
        raise ValueError(value)
    return value

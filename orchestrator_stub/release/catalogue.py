# SPDX-License-Identifier: Apache-2.0
"""The catalogue, `profiles.json`: every OS profile manifest, and what was withdrawn and why.

It is the one target whose path never changes, so that a reader finds all others from it::

    {"schema": 1, "profiles": ["edge/13.1/profile.yaml"],
     "withdrawn": [{"profile": "edge", "version": "13.0", "reason": "…", "at": "…Z"}]}
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

from orchestrator_stub.release.errors import RepositoryError, UsageError

MAX_WITHDRAWN: Final = 1000
_MAX_REASON: Final = 200


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A release that must not be installed any more: which, why, and since when (UTC)."""

    profile: str
    version: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Paths of all OS profile manifests, and all withdrawals, newest last."""

    profiles: tuple[str, ...] = ()
    withdrawn: tuple[Withdrawal, ...] = ()

    def dump(self) -> bytes:
        """The catalogue in its published form."""
        document = {
            "schema": 1,
            "profiles": sorted(self.profiles),
            "withdrawn": [asdict(withdrawal) for withdrawal in self.withdrawn],
        }
        return json.dumps(document, indent=1, sort_keys=True).encode()

    def withdrawal(self, profile: str, version: str) -> Withdrawal | None:
        """The withdrawal of that release, or None."""
        return next(
            (w for w in self.withdrawn if (w.profile, w.version) == (profile, version)), None
        )


def parse_catalogue(data: bytes) -> Catalogue:
    """Read a catalogue whose hash has been verified.

    Raises:
        RepositoryError: When it has another form than `dump` gives it.
    """
    try:
        document = json.loads(data)
        return Catalogue(
            profiles=tuple(map(_word, document["profiles"])),
            withdrawn=tuple(
                Withdrawal(**{name: _word(value) for name, value in row.items()})
                for row in document["withdrawn"]
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RepositoryError("the catalogue cannot be read", on="profiles.json") from error


def _word(value: object) -> str:
    """What pages and databases can hold: printable text."""
    if not isinstance(value, str) or not value.isprintable():
        raise TypeError
    return value


def check_reason(reason: str) -> str:
    """A reason that fits on one line of a report.

    Raises:
        UsageError: When it is empty, too long, or has control characters.
    """
    if not reason.strip() or len(reason) > _MAX_REASON or not reason.isprintable():
        raise UsageError(
            f"the reason must be one line of 1 to {_MAX_REASON} characters", on="--reason"
        )
    return reason.strip()

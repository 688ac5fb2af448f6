# SPDX-License-Identifier: Apache-2.0
"""The newest root of the release service that a seal has accepted on this node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeenRoot:
    """A root that was accepted; none below it is ever again.

    Attributes:
        version: Its version.
        sha256: Hash of what its keys have signed, hex.
    """

    version: int
    sha256: str

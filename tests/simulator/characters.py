# SPDX-License-Identifier: Apache-2.0
"""Characters: how an image behaves once a node boots it, good ones and every kind of bad one.

A bad image may be bad on some nodes only, as real ones are: which of them follows from the node's
GUID and the image, so that a second try on the same node ends as the first one did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

_WHOLE = 1 << 32


class Character(StrEnum):
    """What comes of booting an image."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"  # it boots, and a required probe fails
    EMERGENCY = "emergency"  # it gets no further than emergency mode
    DEAD = "dead"  # its kernel never gets as far as a journal


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with an image, and on which share of the nodes, 0..1, it shows."""

    character: Character
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Characters:
    """The images that have a flaw, by image id; all others are healthy everywhere."""

    flaws: Mapping[str, Flaw] = field(default_factory=lambda: MappingProxyType({}))

    def on(self, guid: str, image_id: str) -> Character:
        """How an image behaves on a node.

        Args:
            guid: The node's GUID.
            image_id: The image.
        """
        flaw = self.flaws.get(image_id)
        if flaw is None or _lot(guid, image_id) >= flaw.share * _WHOLE:
            return Character.HEALTHY
        return flaw.character


def _lot(guid: str, image_id: str) -> int:
    lot = hashlib.blake2b(f"{guid} {image_id}".encode(), digest_size=4).digest()
    return int.from_bytes(lot, "big")

# SPDX-License-Identifier: Apache-2.0
"""The seals that this process holds, one for each slot.

A seal is made in a worker thread while the main thread shows the slots and hears of broken leases.
Every look and every change is made under one lock, so that no claim is asked after its descriptor
was closed: the number could be another file's by then.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from bootloader.claim import Claim
from bootloader.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Seal:
    """A slot that was verified and is held until the reboot."""

    claim: Claim
    manifest: Manifest


class Seals:
    """The seals by slot."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seals: dict[str, Seal] = {}

    def put(self, slot: str, seal: Seal) -> None:
        """Keep a new seal; the slot has none."""
        with self._lock:
            self._seals[slot] = seal

    def manifest(self, slot: str) -> Manifest | None:
        """What is sealed on a slot; None when the slot is not sealed, or not any more."""
        with self._lock:
            seal = self._seals.get(slot)
            return seal.manifest if seal and seal.claim.is_held() else None

    def drop(self, slot: str) -> None:
        """Break the seal of a slot, if it has one."""
        with self._lock:
            seal = self._seals.pop(slot, None)
            if seal:
                seal.claim.release()

    def drop_broken(self) -> list[str]:
        """Give up the claims that somebody's open has broken; the slots that they held."""
        with self._lock:
            broken = {slot: seal for slot, seal in self._seals.items() if not seal.claim.is_held()}
            for slot, seal in broken.items():
                del self._seals[slot]
                seal.claim.release()
            return list(broken)

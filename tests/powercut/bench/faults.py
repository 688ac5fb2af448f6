# SPDX-License-Identifier: Apache-2.0
"""The planted faults: each breaks one rule of the design, and the checker must notice.

A fault is a context in which one real part behaves wrongly, and everything else as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from unittest.mock import patch

from bootloader import control, durable, sealing
from bootloader.backend import Entry
from bootloader.backends.systemd_boot import SystemdBoot
from bootloader.chain import Chain
from bootloader.claim import Claim
from bootloader.manifest import Manifest
from bootloader.seals import Seals
from puad.core.run import Run
from puad.daemon.memory import Memory
from puad.store.durable_file import System

BLESS_BEFORE_VERDICT: Final = "bless-before-verdict"


@contextmanager
def _no_folder_sync_in_boot_control() -> Iterator[None]:
    with patch.object(durable, "_sync_folder", lambda _folder: None):
        yield


@contextmanager
def _no_folder_sync_in_the_store() -> Iterator[None]:
    with patch.object(System, "sync_folder", lambda _self, _folder: None):
        yield


@contextmanager
def _arm_before_seal() -> Iterator[None]:
    """The entry is written first, and the slot is verified afterwards."""
    real_seal, real_arm = control.BootControl.seal, control.BootControl.arm
    really_verify = sealing.verify_bytes

    def seal(self: control.BootControl, slot: str, chain: Chain) -> None:
        def verify_bytes(claim: Claim, slot: str, manifest: Manifest, *more: Any) -> None:
            with patch.object(Seals, "manifest", lambda *_: manifest):
                real_arm(self, slot, 1)
            really_verify(claim, slot, manifest, *more)

        with patch.object(sealing, "verify_bytes", verify_bytes):
            real_seal(self, slot, chain)

    with (
        patch.object(control.BootControl, "seal", seal),
        patch.object(control.BootControl, "arm", lambda *_: None),
    ):
        yield


@contextmanager
def _fallback_deleted_first() -> Iterator[None]:
    real = SystemdBoot.arm

    def arm(self: SystemdBoot, slot: str, tries: int, entry: Entry) -> None:
        other = "a" if slot == "b" else "b"
        (listed,) = self._of(other)
        text = listed.path.read_bytes()
        generation = self._next_generation()  # else the two entries would have the same
        self.setup.files.remove(listed.path)
        with patch.object(SystemdBoot, "_next_generation", lambda _self: generation):
            real(self, slot, tries, entry)
        self.setup.files.replace(listed.path, text)

    with patch.object(SystemdBoot, "arm", arm):
        yield


@contextmanager
def _bless_before_verdict() -> Iterator[None]:
    yield  # the order of two processes: the play turns it round


@contextmanager
def _store_after_action() -> Iterator[None]:
    """Every run is persisted only when the next one comes: its actions have gone before."""
    real = Memory.keep
    last: dict[int, Run] = {}

    def keep(self: Memory, run: Run) -> None:
        before = last.get(id(self))
        last[id(self)] = run
        if before is not None:
            real(self, before)

    with patch.object(Memory, "keep", keep):
        yield


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is planted.

    Attributes:
        plant: Makes it while a context lasts.
        breaks: The invariant by which the checker must find it.
    """

    plant: Callable[[], AbstractContextManager[None]]
    breaks: str


FAULTS: Final = {
    "no-folder-sync-in-boot-control": Fault(
        _no_folder_sync_in_boot_control, "nothing_unverified_boots"
    ),
    "no-folder-sync-in-the-store": Fault(_no_folder_sync_in_the_store, "stored_before_done"),
    "arm-before-seal": Fault(_arm_before_seal, "nothing_unverified_boots"),
    "fallback-deleted-first": Fault(_fallback_deleted_first, "something_boots"),
    BLESS_BEFORE_VERDICT: Fault(_bless_before_verdict, "good_only_after_the_verdict"),
    "store-after-action": Fault(_store_after_action, "stored_before_done"),
}

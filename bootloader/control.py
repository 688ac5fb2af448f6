# SPDX-License-Identifier: Apache-2.0
"""Boot control: what each method of org.puad.Bootloader1 does, and when it refuses.

Rules, checked here and nowhere else:

1. The booted slot is never written, disarmed or armed (`SlotBooted`).
2. The other slot is touched only while the booted one is good (`ActiveNotGood`): until then it is
   the fallback.
3. A slot is opened for writing only when nothing of it can boot (`NotDisarmed`), and armed only
   while it is sealed (`NotSealed`). Disarm, OpenInactive and Stage break a seal; a seal does not
   outlive this process. "Nothing of it can boot" is asked strictly: what cannot be read is no such
   word, and a slot that this process has armed is never taken for one, whatever is read of it.
4. Who is not root gets a reboot only when it leads somewhere else, and never gives a good slot up
   for an image below the version floor.
5. When slots and boot loader do not agree on what is booted, every method says so and does nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from bootloader import sealing
from bootloader.access import SlotAccess
from bootloader.backend import Backend, Entry
from bootloader.boot_partition import has_files
from bootloader.caller import Caller
from bootloader.chain import Chain
from bootloader.command_line_template import render
from bootloader.config import General
from bootloader.durable import Files
from bootloader.errors import BootloaderError, ErrorName
from bootloader.machine import Machine
from bootloader.machine_id import read_machine_id
from bootloader.manifest import PARTUUID
from bootloader.notes import NoteBook
from bootloader.one_line import one_line
from bootloader.osrelease import OsRelease, read_os_release
from bootloader.reboot_permission import require_reason
from bootloader.seal_progress import SealProgress
from bootloader.sealing import Node
from bootloader.seals import Seals
from bootloader.slot import Assessment, BootFileKind, Slot
from bootloader.slot_rows import describe_slots
from bootloader.staging import check_incoming, stage

MAX_TRIES: Final = 9

_log = logging.getLogger(__name__)


class BootControl:
    """The slots of this node and what may be done to them.

    Args:
        general: The configuration.
        backend: The boot loader.
        machine: The machine.
        find_slots: Finds the slots; called once.
        files: The seam for durable writes.
        clock: Tells the time, UTC.
    """

    def __init__(
        self,
        general: General,
        backend: Backend,
        machine: Machine,
        find_slots: Callable[[], SlotAccess],
        files: Files,
        clock: Callable[[], datetime],
    ) -> None:
        self._general = general
        self.backend = backend
        self._machine = machine
        self._files = files
        self._clock = clock
        self._notebook = NoteBook(general.state, files)
        self._seals, self.progress = Seals(), SealProgress()
        self._armed = ""
        self._running = OsRelease()
        self._access: SlotAccess | None = None
        self._trouble: BootloaderError | None = None
        try:
            self._running = read_os_release(general.os_release)
            self._access = self._agreed(find_slots())
        except BootloaderError as error:
            _log.error("the slots are unknown, nothing can be changed: %s", error)
            self._trouble = error
        try:
            backend.check()  # it may come right later, so it is asked again before each change
        except BootloaderError as error:
            _log.error("the boot loader's state cannot be changed: %s", error)

    @property
    def booted(self) -> str:
        """The booted slot; empty when it is not certain."""
        return self._access.booted if self._access else ""

    def host_uuid(self) -> str:
        """The machine's UUID; empty when it has none."""
        return self._access.host_uuid() if self._access else ""

    def slots(self) -> tuple[Slot, ...]:
        """Every slot as it stands now; none while they are unknown."""
        if self._access is None:
            return ()
        return describe_slots(
            self._access, self.backend, self._notebook, self._seals, self._running
        )

    def disarm(self, slot: str) -> None:
        """Delete a slot's entry and boot files; nothing of it can boot."""
        self._require_changeable(slot)
        self._seals.drop(slot)
        self.backend.disarm(slot)
        self._notebook.write(self._notebook.read().without_seal(slot))
        if self._armed == slot:
            self._armed = ""
        _log.info("slot %s is disarmed", slot)

    def open_inactive(self, slot: str) -> int:
        """A descriptor for writing a disarmed slot; nobody else holds one."""
        access = self._require_changeable(slot)
        self._require_no_entry(slot)
        if has_files(self.backend.boot_folder(slot)):
            what = "the slot has boot files: disarm it before it is written"
            raise BootloaderError(ErrorName.NOT_DISARMED, what, on=slot)
        self._seals.drop(slot)
        return access.claim_for_writing(slot).hand_out()

    def open_active(self) -> int:
        """A descriptor for reading the booted slot."""
        return self._require_access().open_active()

    def stage(self, slot: str, kind: str, fd: int, size: int, sha256: str) -> None:
        """Copy a boot file to where the boot loader finds it."""
        access = self._require_changeable(slot)
        self._require_no_entry(slot)
        incoming = check_incoming(kind, fd, size, sha256)
        self._seals.drop(slot)
        others = [self.backend.boot_folder(name) for name in access.names if name != slot]
        stage(incoming, self.backend.boot_folder(slot), others, self._files)

    def seal(self, slot: str, chain: Chain) -> None:
        """Verify a slot against signed metadata and hold it until the reboot."""
        access = self._require_changeable(slot)
        self._require_no_entry(slot)
        self._seals.drop(slot)
        self.progress = SealProgress()
        node = Node(self._general.trust_root, self._running, self._notebook, self._clock())
        folder = self.backend.boot_folder(slot)
        seal = sealing.seal(slot, chain, node, access, folder, self.progress.show)
        self._seals.put(slot, seal)
        _log.info("slot %s is sealed with image %s", slot, seal.manifest.version)

    def set_root_id(self, slot: str, partuuid: str) -> None:
        """Give a slot the partition id that its boot files expect."""
        access = self._require_changeable(slot)
        self._require_no_entry(slot)
        if not PARTUUID.fullmatch(partuuid):
            what = "a partition id is a UUID in lower case"
            raise BootloaderError(ErrorName.INVALID_ARGUMENT, what, on=slot)
        access.set_root_id(slot, partuuid)

    def arm(self, slot: str, tries: int) -> None:
        """Make a sealed slot the boot target, with so many tries."""
        if not 1 <= tries <= MAX_TRIES:
            what = f"tries are 1 to {MAX_TRIES}, not {tries}"
            raise BootloaderError(ErrorName.INVALID_TRIES, what, on=slot)
        access = self._require_changeable(slot)
        manifest = self._seals.manifest(slot)
        if manifest is None:
            raise BootloaderError(ErrorName.NOT_SEALED, "the slot is not sealed", on=slot)
        root_id = access.root_id(slot)
        if manifest.root_partuuid not in {None, root_id}:
            what = f"the image expects the partition id {manifest.root_partuuid}, not {root_id!r}"
            raise BootloaderError(ErrorName.ROOT_ID_MISMATCH, what, on=slot)
        self._require_unpinned(slot)
        # the line in a UKI that fixes its root would lose against one in the entry
        has_own = manifest.root_partuuid is not None and BootFileKind.UKI in manifest.boot_files
        machine_id = partial(read_machine_id, self._general.machine_id)
        line = "" if has_own else render(self._general.command_line, access, slot, machine_id)
        self._armed = slot  # before it is: an arm that fails may have written the entry
        self.backend.arm(slot, tries, Entry(frozenset(manifest.boot_files), line))
        _log.info("slot %s is armed, tries: %d", slot, tries)

    def mark_good(self, slot: str) -> None:
        """Confirm the booted slot, which an empty name means; its version floor holds from now on.

        When only the floor cannot be written, that is an error, and the slot is good all the same.
        """
        slot = slot or self.booted
        self._require_markable(slot)
        was_good = self.backend.status(slot).assessment is Assessment.GOOD
        self.backend.mark_good(slot)
        if not was_good:
            _log.info("slot %s is marked good", slot)
        self._keep_floor(slot)

    def mark_bad(self, slot: str, caller: Caller = Caller.AGENT) -> None:
        """Give the booted slot up; the fallback comes next."""
        fallback = self._find_fallback(self._require_markable(slot))
        if self.backend.strictly().status(slot).assessment is Assessment.GOOD:
            if caller is not Caller.ROOT:
                self._require_above_floor(slot, fallback)
            self._keep_floor(slot)  # an image that was good counts, also once it is given up
        self.backend.mark_bad(slot)

    def request_reboot(self, reason: str, caller: Caller = Caller.AGENT) -> None:
        """Ask for a reboot; `reboot_overdue` follows when it does not come."""
        access = self._require_access()
        require_reason(caller, access, self.backend)
        if caller is Caller.HEALTH and self.backend.is_uncounted(access.booted):
            self.backend.mark_bad(access.booted)  # or the failed boot would come again for ever
        line = one_line(reason)
        _log.info("reboot requested: %s", line)
        self._machine.request_reboot(line)

    def reboot_overdue(self) -> None:
        """The node is still up after the limit: what was armed is disarmed again."""
        if self._armed:
            _log.error("the reboot did not come, slot %s is disarmed", self._armed)
            self.disarm(self._armed)

    def drop_broken_seals(self) -> None:
        """Give up the claims that somebody's open has broken."""
        for slot in self._seals.drop_broken():
            _log.warning("somebody opened slot %s: its seal is broken", slot)

    def _agreed(self, access: SlotAccess) -> SlotAccess:
        word = self.backend.booted()
        if word not in {None, access.booted}:
            what = f"the boot loader booted slot {word}, but slot {access.booted} is under /"
            raise BootloaderError(ErrorName.DISAGREEMENT, what)
        return access

    def _require_access(self) -> SlotAccess:
        if self._access is None:
            raise self._trouble or RuntimeError("neither slots nor a reason")
        return self._access

    def _require_changeable(self, slot: str) -> SlotAccess:
        access = self._require_access()
        if slot not in access.names:
            raise BootloaderError(ErrorName.UNKNOWN_SLOT, "there is no such slot", on=slot[:64])
        if slot == access.booted:
            raise BootloaderError(ErrorName.SLOT_BOOTED, "the slot is booted", on=slot)
        self.backend.check()
        if self.backend.status(access.booted).assessment is not Assessment.GOOD:
            what = "the booted slot is not good, so this slot is the fallback"
            raise BootloaderError(ErrorName.ACTIVE_NOT_GOOD, what, on=slot)
        return access

    def _require_no_entry(self, slot: str) -> None:
        if slot == self._armed or self.backend.strictly().status(slot).has_entry:
            raise BootloaderError(ErrorName.NOT_DISARMED, "disarm the slot first", on=slot)

    def _require_unpinned(self, slot: str) -> None:
        self.backend.clear_pinned()
        pinned = self.backend.pinned()
        if pinned:
            what = f"the boot loader is pinned to {pinned}: clear that default first"
            raise BootloaderError(ErrorName.PINNED, what, on=slot)

    def _require_markable(self, slot: str) -> SlotAccess:
        access = self._require_access()
        if slot not in access.names:
            raise BootloaderError(ErrorName.UNKNOWN_SLOT, "there is no such slot", on=slot[:64])
        if slot != access.booted:
            what = "only the booted slot can be marked"
            raise BootloaderError(ErrorName.NOT_BOOTED, what, on=slot)
        if not self._machine.is_boot_complete():
            what = "the boot is not complete yet"
            raise BootloaderError(ErrorName.BOOT_NOT_COMPLETE, what, on=slot)
        return access

    def _find_fallback(self, access: SlotAccess) -> str:
        # after a mark the other slot is the primary one: a second mark finds it there
        for name in {self.backend.primary(), self.backend.fallback()} - {"", access.booted}:
            if self.backend.status(name).assessment is Assessment.GOOD:
                return name
        what = "no other slot is good: the node would be left without one"
        raise BootloaderError(ErrorName.NO_FALLBACK, what, on=access.booted)

    def _require_above_floor(self, slot: str, fallback: str) -> None:
        notes = self._notebook.read().with_good(slot, self._running.image_id)
        if notes.is_below_floor(fallback):
            image = notes.image_of(fallback) or "an image that is not known"
            what = (
                f"slot {fallback} has {image}, and the version floor is {notes.version_floor}: "
                f"only root may go back below it"
            )
            raise BootloaderError(ErrorName.FALLBACK_BELOW_FLOOR, what, on=fallback)

    def _keep_floor(self, slot: str) -> None:
        self._notebook.write(self._notebook.read().with_good(slot, self._running.image_id))

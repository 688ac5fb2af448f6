# SPDX-License-Identifier: Apache-2.0
"""Boot control as the node sees it: a proxy of `org.puad.Bootloader1`.

Everything that the node knows about slots comes from here. pydbus carries the calls. Descriptors,
which it cannot carry, pass through Gio on the same connection, and so does Seal: pydbus makes an
object of every single byte, some 4 s and 100 MB for 1 MB of metadata. Every call has a timeout. A
connection that was lost is opened anew by the next call. While a seal is under way its progress is
asked for twice a second, over the same connection.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, Final, NoReturn

import pydbus.bus
from gi.repository import Gio, GLib

from puad.bootcontrol.refusal import refusal
from puad.bootcontrol.slots import parse_slots
from puad.core.errors import BootControlError, Code
from puad.core.model import Slot
from puad.system_bus import connect, disconnect, explain

__all__ = ["BUS_NAME", "BootControl"]

BUS_NAME: Final = "org.puad.Bootloader1"
INTERFACE: Final = "org.puad.Bootloader1"
OBJECT_PATH: Final = "/org/puad/Bootloader1"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_MS: Final = 1000
_GLANCE_S: Final = 0.5


class BootControl:
    """The boot-control service.

    Every method raises `BootControlError`: `BOOT_CONTROL_ABSENT`, `BOOT_CONTROL_TIMEOUT`,
    `NOT_ALLOWED`, or the code of the refusal, whose word is the error's `on`.

    Args:
        bus_name: The name to call.
        timeout_s: Bound of an ordinary call.
        long_timeout_s: Bound of Stage and Seal, which read whole files and slots.
    """

    def __init__(
        self, bus_name: str = BUS_NAME, *, timeout_s: float = 25, long_timeout_s: float = 1800
    ) -> None:
        self._bus_name = bus_name
        self._timeout_s = timeout_s
        self._long_timeout_s = long_timeout_s
        self._lock = threading.Lock()
        self._bus: pydbus.bus.Bus | None = None
        self._proxy: Any = None
        self._left_a_seal = False

    def slots(self) -> tuple[Slot, ...]:
        """Every slot; it is an error that boot control does not know them."""
        slots = parse_slots(self._property("Slots"))
        if not slots:
            self._fail_as_unknown()
        return slots

    def booted_slot(self) -> str:
        """The slot under `/`."""
        return str(self._property("BootedSlot"))

    def primary_slot(self) -> str:
        """The slot that the boot loader tries first next time."""
        return str(self._property("PrimarySlot"))

    def fallback_slot(self) -> str:
        """The slot that the boot loader falls back to; empty when there is none."""
        return str(self._property("FallbackSlot"))

    def host_uuid(self) -> str:
        """The machine's UUID."""
        return str(self._property("HostUuid"))

    def backend(self) -> str:
        """The boot loader's back end."""
        return str(self._property("Backend"))

    def disarm(self, slot: str) -> None:
        """Take the slot's boot entry and boot files away.

        A seal that nobody waits for any more is waited for here: it would come after this.
        """
        end = time.monotonic() + self._long_timeout_s
        while True:
            try:
                self._call("Disarm", slot)
            except BootControlError as error:
                is_left_behind = self._left_a_seal and error.code is Code.BOOT_CONTROL_BUSY
                if not is_left_behind or time.monotonic() >= end:
                    raise
                time.sleep(_GLANCE_S)
            else:
                self._left_a_seal = False
                return

    def open_inactive(self, slot: str) -> int:
        """A descriptor for writing the disarmed slot; the caller closes it."""
        return self._received("OpenInactive", GLib.Variant("(s)", (slot,)))

    def open_active(self) -> int:
        """A descriptor for reading the active slot; the caller closes it."""
        return self._received("OpenActive", None)

    def stage(self, slot: str, kind: str, fd: int, size: int, sha256: str) -> None:
        """Give a boot file to the slot; the descriptor stays the caller's."""
        files = Gio.UnixFDList.new()
        place = files.append(fd)
        arguments = GLib.Variant("(sshts)", (slot, kind, place, size, sha256))
        self._pass("Stage", arguments, "()", files, self._long_timeout_s)

    def seal(
        self,
        slot: str,
        roots: Sequence[bytes],
        targets: bytes,
        target_path: str,
        index: bytes = b"",
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Let boot control verify the slot against the signed metadata, and freeze it.

        Args:
            slot: The slot.
            roots: Every root that follows the image's root of trust, oldest first, as signed.
            targets: The targets metadata, as signed.
            target_path: The image's path among the targets.
            index: Its chunk index as published, with which it takes less time; empty for none.
            progress: Told again and again how many bytes have been read back. When it raises
                something nobody waits any more: boot control is `Busy` until it has ended, and
                `disarm` undoes what came of it.
        """
        arguments = GLib.Variant.new_tuple(
            GLib.Variant("s", slot),
            GLib.Variant.new_array(GLib.VariantType.new("ay"), [_bytes(root) for root in roots]),
            _bytes(targets),
            GLib.Variant("s", target_path),
            _bytes(index),
        )
        given_up = Gio.Cancellable()
        with ThreadPoolExecutor(1, thread_name_prefix="seal") as pool:
            sealing = pool.submit(
                self._pass, "Seal", arguments, "()", None, self._long_timeout_s, given_up
            )
            try:
                self._tell_until(sealing, progress)
            except BaseException:
                given_up.cancel()
                self._left_a_seal = True
                raise
            sealing.result()

    def set_root_id(self, slot: str, partuuid: str) -> None:
        """Give the slot's partition the id that its boot files expect."""
        self._call("SetRootId", slot, partuuid)

    def arm(self, slot: str, tries: int) -> None:
        """Make the sealed slot the boot target."""
        self._call("Arm", slot, tries)

    def mark_good(self, slot: str) -> None:
        """Mark the booted slot good."""
        self._call("MarkGood", slot)

    def mark_bad(self, slot: str) -> None:
        """Mark the booted slot bad."""
        self._call("MarkBad", slot)

    def request_reboot(self, reason: str) -> None:
        """Ask for a reboot."""
        self._call("RequestReboot", reason)

    def close(self) -> None:
        """Close the connection; a later call opens another."""
        with self._lock:
            if self._bus is not None:
                disconnect(self._bus)
                self._bus = self._proxy = None

    def _tell_until(self, sealing: Future[Any], progress: Callable[[int], None]) -> None:
        done = 0
        while not wait((sealing,), _GLANCE_S).done:
            with suppress(BootControlError):  # the seal itself says what is wrong
                done = int(self._property("SealProgress"))
            progress(done)

    def _fail_as_unknown(self) -> NoReturn:
        """No property says why the slots are unknown; a call that needs them does."""
        os.close(self.open_active())
        raise BootControlError(Code.BOOT_CONTROL_REFUSED, "Boot control lists no slot", on="Slots")

    def _property(self, name: str) -> Any:  # noqa: ANN401 -- as many types as properties
        return self._call("Get", INTERFACE, name, interface=_PROPERTIES, member=name)

    def _call(
        self, method: str, *arguments: object, interface: str = INTERFACE, member: str = ""
    ) -> Any:  # noqa: ANN401 -- as many types as methods
        try:
            called = getattr(self._object()[interface], method)
            return called(*arguments, timeout=self._timeout_s)
        except GLib.Error as error:
            raise refusal(member or method, explain(error)) from error
        except (KeyError, AttributeError) as error:  # how pydbus says that there is no such member
            raise BootControlError(
                Code.BOOT_CONTROL_REFUSED, f"Boot control has no {method}", on=self._bus_name
            ) from error

    def _pass(
        self,
        method: str,
        arguments: GLib.Variant | None,
        answer: str,
        files: Gio.UnixFDList | None,
        timeout_s: float,
        given_up: Gio.Cancellable | None = None,
    ) -> tuple[GLib.Variant, Gio.UnixFDList | None]:
        try:
            reply: tuple[GLib.Variant, Gio.UnixFDList | None] = (
                self._connection().con.call_with_unix_fd_list_sync(
                    self._bus_name,
                    OBJECT_PATH,
                    INTERFACE,
                    method,
                    arguments,
                    GLib.VariantType.new(answer),
                    Gio.DBusCallFlags.NONE,
                    int(timeout_s * _MS),
                    files,
                    given_up,
                )
            )
        except GLib.Error as error:
            raise refusal(method, explain(error)) from error
        return reply

    def _received(self, method: str, arguments: GLib.Variant | None) -> int:
        answer, files = self._pass(method, arguments, "(h)", None, self._timeout_s)
        descriptors = files.steal_fds() if files is not None else []
        (place,) = answer.unpack()
        for unasked in descriptors[:place] + descriptors[place + 1 :]:
            os.close(unasked)
        if place >= len(descriptors):
            raise BootControlError(
                Code.BOOT_CONTROL_REFUSED, "Boot control sent no descriptor", on=method
            )
        return int(descriptors[place])

    def _object(self) -> Any:  # noqa: ANN401 -- pydbus makes its class from the introspection data
        connection = self._connection()
        with self._lock:
            if self._proxy is None:
                self._proxy = connection.get(self._bus_name, OBJECT_PATH, timeout=self._timeout_s)
            return self._proxy

    def _connection(self) -> pydbus.bus.Bus:
        with self._lock:
            if self._bus is None or self._bus.con.is_closed():
                self._bus = connect()
                self._proxy = None
            return self._bus


def _bytes(content: bytes) -> GLib.Variant:
    return GLib.Variant.new_from_bytes(GLib.VariantType.new("ay"), GLib.Bytes.new(content), True)  # noqa: FBT003 -- GLib's signature: the content is trusted to be serialised

# SPDX-License-Identifier: Apache-2.0
"""The persistent journal of boots that failed: what they left, for whoever asks why.

It is read once, after a fallback, and bounded in every direction. What another boot has logged is
another system's word: it explains, and decides nothing. Entries of puad-boot-failed and of
systemd-pstore count only when root sent them.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import systemd.journal

from puad.core.model import BootRecord, Trail
from puad.core.printable import printable_line
from puad.effects.panic_log import PanicLog
from puad.journal import MessageId

_MOST_BOOTS: Final = 16
_MOST_LINES: Final = 20
_MOST_PIECES: Final = 128
_MOST_LINE_CHARS: Final = 200
_FIRST_ENTRIES: Final = 40
_FEW: Final = 3
_WARNING: Final = 4
_SLOT: Final = re.compile(r"(?:^|\s)puad\.slot=([A-Za-z0-9_-]{1,32})(?:\s|$)")
_GIVEN_UP: Final = re.compile(r"has failed \(([a-z-]{1,32})\)")
_TELLER: Final = "puad-boot-failed"

_Entry = Mapping[str, Any]
_log = logging.getLogger(__name__)


def read_trail(folder: Path, slot: str, armed_in: str, boot_id: str) -> Trail | None:
    """What the boots between arming and fallback have left.

    Args:
        folder: The persistent journal.
        slot: The slot that was tried; boots of another one are left out.
        armed_in: The boot that armed it; empty when that is not known.
        boot_id: The boot of now.

    Returns:
        None when the journal cannot be read or does not reach back that far.
    """
    try:
        with systemd.journal.Reader(path=str(folder)) as reader:
            return _Boots(reader).trail(slot, _plain(armed_in), _plain(boot_id))
    except (OSError, ValueError) as error:
        _log.warning("the journal of the failed boot cannot be read: %s", error)
        return None


class _Boots:
    """The boots of a journal."""

    def __init__(self, reader: Any) -> None:  # noqa: ANN401 - systemd ships no types
        self._reader = reader

    def trail(self, slot: str, armed_in: str, now: str) -> Trail | None:
        after = self._after(armed_in) if armed_in else self._before(now)
        if after is None:
            return None
        boots = [boot for boot in after if boot != now]
        of_slot = [boot for boot in boots if self._slot_of(boot) in ("", slot)]
        panics = PanicLog()
        for boot in (*of_slot, now):
            # pstore keeps what one boot leaves, and a later one takes it into the journal
            for entry in self._entries(boot, SYSLOG_IDENTIFIER="systemd-pstore", _UID="0"):
                panics.add(_text(entry.get("MESSAGE")), _text(entry.get("FILE")))
        records = tuple(self._record(boot) for boot in of_slot)
        return Trail(records, tuple(map(_line, panics.lines(_MOST_LINES))))

    def _after(self, armed_in: str) -> list[str] | None:
        """The boots after one, oldest first; None when the journal does not know that one."""
        found: list[str] = []
        boot = armed_in
        while len(found) < _MOST_BOOTS:
            last = next(self._backwards(_BOOT_ID=boot), None)
            if last is None:
                return None
            self._reader.flush_matches()
            self._reader.seek_cursor(last["__CURSOR"])
            self._reader.get_next()
            following = self._reader.get_next()
            if not following:
                break
            boot = following["_BOOT_ID"].hex
            if boot in found or boot == armed_in:
                break  # clocks that went back have mixed them up
            found.append(boot)
        return found

    def _before(self, now: str) -> list[str] | None:
        """The one boot before this one; None when the journal does not know this one."""
        self._matching(_BOOT_ID=now)
        self._reader.seek_head()
        first = self._reader.get_next()
        if not first:
            return None
        self._reader.flush_matches()
        self._reader.seek_cursor(first["__CURSOR"])
        self._reader.get_next()
        before = self._reader.get_previous()
        return [before["_BOOT_ID"].hex] if before else []

    def _slot_of(self, boot: str) -> str:
        """The slot that the kernel was told of; empty when it was told of none."""
        self._matching(_BOOT_ID=boot, _TRANSPORT="kernel")
        self._reader.seek_head()
        for _ in range(_FIRST_ENTRIES):
            entry = self._reader.get_next()
            if not entry:
                break
            if named := _SLOT.search(_text(entry.get("MESSAGE"))):
                return named[1]
        return ""

    def _record(self, boot: str) -> BootRecord:
        lines = self._last_lines(boot, PRIORITY=[str(level) for level in range(_WARNING + 1)])
        if len(lines) < _FEW:
            lines = self._last_lines(boot)
        return BootRecord(str(uuid.UUID(boot)), self._reason(boot), lines)

    def _reason(self, boot: str) -> str:
        told = {"_BOOT_ID": boot, "MESSAGE_ID": MessageId.BOOT_FAILED.value, "_UID": "0"}
        for entry in self._backwards(**told):
            if reason := _line(_text(entry.get("PUAD_REASON"))):
                return reason
        # its word in the kernel's log, which is there although the journal did not take the other
        for entry in self._backwards(_BOOT_ID=boot, _TRANSPORT="kernel", SYSLOG_IDENTIFIER=_TELLER):
            if named := _GIVEN_UP.search(_text(entry.get("MESSAGE"))):
                return named[1]
        return ""

    def _last_lines(self, boot: str, **matches: str | list[str]) -> tuple[str, ...]:
        lines: list[str] = []
        for entry in self._backwards(_BOOT_ID=boot, **matches):
            who = _text(entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or "?")
            lines.append(_line(f"{who}: {_text(entry.get('MESSAGE'))}"))
            if len(lines) == _MOST_LINES:
                break
        return tuple(reversed(lines))

    def _backwards(self, **matches: str | list[str]) -> Iterator[_Entry]:
        self._matching(**matches)
        self._reader.seek_tail()
        for _ in range(_MOST_PIECES):
            entry = self._reader.get_previous()
            if not entry:
                return
            yield entry

    def _entries(self, boot: str, **matches: str) -> Iterable[_Entry]:
        return list(self._backwards(_BOOT_ID=boot, **matches))

    def _matching(self, **matches: str | list[str]) -> None:
        self._reader.flush_matches()
        for field, values in matches.items():
            for value in [values] if isinstance(values, str) else values:
                self._reader.add_match(f"{field}={value}")


def _plain(boot_id: str) -> str:
    return uuid.UUID(boot_id).hex if boot_id else ""


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else ""


def _line(text: str) -> str:
    return printable_line(text, _MOST_LINE_CHARS)

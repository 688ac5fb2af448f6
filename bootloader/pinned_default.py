# SPDX-License-Identifier: Apache-2.0
"""Defaults that an operator pins in systemd-boot, and whether they go past the counting. Pure.

A default is a pattern over the names of entries, and the counter stands in the name: the first
entry that fits is booted, in the usual order. So a pattern that fits every name that an entry of
any slot can have changes nothing; any other one can hold on to one slot, or to an entry without
tries.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

from bootloader.boot_entry import parse_line, parse_name

SAVED: Final = "@saved"  # the entry that was booted last
_COUNTERS: Final = ("", "+9", "+1", "+2-1", "+0-3")


def configured_default(data: bytes) -> str:
    """The default in the text of loader.conf; empty for none."""
    default = ""
    for line in data.partition(b"\0")[0].decode("utf-8", "replace").splitlines():
        key, value = parse_line(line)
        if key == "default" and (not value.startswith("@") or value.lower() == SAVED):
            default = value
    return default


def is_harmless(pattern: str, slots: Iterable[str]) -> bool:
    """Whether a pattern leaves the order of the slots alone."""
    return all(fnmatchcase(name, pattern.lower()) for name in _names(slots))


def fits_any(pattern: str, slots: Iterable[str], others: Iterable[str]) -> bool:
    """Whether a pattern fits an entry that is there or can come.

    Args:
        pattern: The pattern.
        slots: Our slots.
        others: The names of the entries that are there.
    """
    names = [*_names(slots), *(name.lower() for name in others)]
    return pattern.lower() == SAVED or any(fnmatchcase(name, pattern.lower()) for name in names)


def holds(pattern: str, file_name: str) -> bool:
    """Whether a pattern leads to an entry for ever.

    One that does not fit the name that is left when the tries are used up lets go of it then.

    Args:
        pattern: The pattern.
        file_name: The entry's name as it stands now.
    """
    name = parse_name(file_name)
    if name and name.tries_left is not None:
        file_name = str(name.exhausted)
    return pattern.lower() == SAVED or fnmatchcase(file_name.lower(), pattern.lower())


def _names(slots: Iterable[str]) -> list[str]:
    return [f"puad-{slot}{counter}.conf" for slot in slots for counter in _COUNTERS]
